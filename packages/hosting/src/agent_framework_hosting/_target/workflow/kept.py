"""What is kept of a session between its turns: its latest finished checkpoint, in memory, in a folder, or elsewhere."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from agent_framework import CheckpointStorage, WorkflowCheckpoint
from agent_framework.exceptions import WorkflowCheckpointException

from ...errors import NotRestorable, RunError, Unavailable
from ...logs import logger
from .codec import decode, decode_checkpoint, encode, encode_checkpoint
from .folder import SessionFolder

_CHECKPOINT: Final = "checkpoint"
_ANSWERED: Final = "answered"


@dataclass(frozen=True, slots=True)
class Point:
    """Where a session stands after a finished turn.

    `answered` are the ids of what is still asked in the checkpoint although a turn that did not finish has answered it.
    `given` are the answers that the workflow will want to hear again when it is run from its beginning.
    """

    checkpoint: WorkflowCheckpoint
    answered: frozenset[str] = frozenset()
    given: Mapping[str, Any] = field(default_factory=dict[str, Any])


class Kept(Protocol):
    """Keeps the point of one session."""

    @property
    def through(self) -> CheckpointStorage | None:
        """The user's storage that has to get every checkpoint of a run."""
        ...

    async def load(self) -> Point | None:
        """Return the point, the run's to change, `None` for a session without any.

        Raises:
            NotRestorable: There is one, but it cannot be read.
        """
        ...

    async def keep(self, point: Point | None) -> None:
        """Keep a point instead of the one before; `None` when the run could not make a checkpoint.

        Raises:
            RunError: It cannot be kept.
        """
        ...

    async def answer(self, point: Point) -> None:
        """Keep what is new in a point's `answered`.

        Raises:
            Unavailable: It cannot be kept; nothing has changed.
        """
        ...


class InMemory:
    """Keeps a copy in memory, to go back to when a turn fails."""

    through: CheckpointStorage | None = None

    def __init__(self, *, through: CheckpointStorage | None = None) -> None:
        self.through = through
        self._point: Point | None = None
        self._is_lost = False

    async def load(self) -> Point | None:
        """See `Kept`."""
        if self._is_lost:
            raise not_restorable()
        if self._point is None:
            return None
        return Point(copy.deepcopy(self._point.checkpoint), self._point.answered, self._point.given)

    async def keep(self, point: Point | None) -> None:
        """See `Kept`."""
        if point is None:
            logger.warning("A workflow made no checkpoint: when its session's next turn fails, it cannot go on.")
            self._is_lost = True
            return
        try:
            self._point = Point(copy.deepcopy(point.checkpoint), point.answered, point.given)
            self._is_lost = False
        except Exception as error:  # noqa: BLE001 - a workflow keeps what it likes, which refuses in its own ways
            logger.warning(
                "The state of the workflow %r cannot be copied (%s): a session whose turn fails cannot go on.",
                point.checkpoint.workflow_name,
                error,
            )
            self._is_lost = True

    async def answer(self, point: Point) -> None:
        """See `Kept`."""
        if self._point is not None:
            self._point = Point(self._point.checkpoint, point.answered, self._point.given)


class InFolder:
    """Keeps sealed files in a folder of the session's own."""

    through: CheckpointStorage | None = None

    def __init__(self, folder: SessionFolder) -> None:
        self._folder = folder

    async def load(self) -> Point | None:
        """See `Kept`."""
        return await asyncio.to_thread(self._read)

    async def keep(self, point: Point | None) -> None:
        """See `Kept`."""
        if point is None:
            raise not_made()
        try:
            await asyncio.to_thread(self._write, point)
        except (WorkflowCheckpointException, OSError) as error:
            raise not_kept(point, error) from error

    async def answer(self, point: Point) -> None:
        """See `Kept`."""
        await _mark(self._folder, point)

    def _read(self) -> Point | None:
        record = self._folder.read(_CHECKPOINT)
        if record is None:
            return None
        try:
            checkpoint, given = decode_checkpoint(record["checkpoint"]), decode(record["given"])
        except WorkflowCheckpointException as error:
            logger.error("A checkpoint in %s cannot be read: %s", self._folder.path, str(error))
            raise not_restorable() from error
        return Point(checkpoint, _answered(self._folder, record, checkpoint.checkpoint_id), given)

    def _write(self, point: Point) -> None:
        record = {
            "checkpoint": encode_checkpoint(point.checkpoint),
            "answered": sorted(point.answered),
            "given": encode(dict(point.given)),
        }
        self._folder.write(_CHECKPOINT, record)
        self._folder.remove(_ANSWERED)


class InStorage:
    """Leaves checkpoints to a storage of the user's, and remembers which of them is this session's.

    Without a folder it is remembered for as long as the session lives in memory.
    """

    def __init__(self, storage: CheckpointStorage, *, folder: SessionFolder | None) -> None:
        self.through: CheckpointStorage | None = storage
        self._storage = storage
        self._folder = folder
        self._is_read = folder is None
        self._id: str | None = None
        self._answered: frozenset[str] = frozenset()
        self._given: Mapping[str, Any] = {}

    async def load(self) -> Point | None:
        """See `Kept`."""
        if not self._is_read:
            try:
                await asyncio.to_thread(self._read)
            except WorkflowCheckpointException as error:
                logger.error("Earlier answers that a session needs cannot be read: %s", str(error))
                raise not_restorable() from error
            self._is_read = True
        if self._id is None:
            return None
        try:
            return Point(await self._storage.load(self._id), self._answered, self._given)
        except Exception as error:
            logger.exception("The checkpoint storage could not load %r.", self._id)
            raise not_restorable() from error

    async def keep(self, point: Point | None) -> None:
        """See `Kept`."""
        if point is None:
            raise not_made()
        try:
            if self._folder is not None:
                await asyncio.to_thread(self._write, self._folder, point)
        except (WorkflowCheckpointException, OSError) as error:
            raise not_kept(point, error) from error
        self._id, self._answered, self._given = point.checkpoint.checkpoint_id, point.answered, point.given
        self._is_read = True

    async def answer(self, point: Point) -> None:
        """See `Kept`."""
        if self._folder is not None:
            await _mark(self._folder, point)
        self._answered = point.answered

    def _read(self) -> None:
        record = self._folder.read(_CHECKPOINT) if self._folder else None
        if record is not None and self._folder is not None:
            self._id = record["checkpoint"]
            self._answered = _answered(self._folder, record, self._id)
            self._given = decode(record["given"])

    @staticmethod
    def _write(folder: SessionFolder, point: Point) -> None:
        record = {
            "checkpoint": point.checkpoint.checkpoint_id,
            "answered": sorted(point.answered),
            "given": encode(dict(point.given)),
        }
        folder.write(_CHECKPOINT, record)
        folder.remove(_ANSWERED)


async def _mark(folder: SessionFolder, point: Point) -> None:
    record = {"checkpoint": point.checkpoint.checkpoint_id, "answered": sorted(point.answered)}
    try:
        await asyncio.to_thread(folder.write, _ANSWERED, record)
    except OSError as error:
        logger.error("An answer to a workflow cannot be marked as used, so it was not given: %s", error)
        raise Unavailable("The answer could not be taken now, and is still asked. Try again later.") from error


def _answered(folder: SessionFolder, record: Any, checkpoint_id: str | None) -> frozenset[str]:
    # Written before a turn and out of date after it: it counts for the checkpoint that it names.
    later = folder.read(_ANSWERED)
    more = later["answered"] if later is not None and later["checkpoint"] == checkpoint_id else ()
    return frozenset((*record["answered"], *more))


def not_restorable() -> NotRestorable:
    """Say that a session is lost."""
    return NotRestorable(
        "This conversation cannot go on: what its workflow was doing cannot be restored. Start a new conversation, or "
        "have this session reset."
    )


def not_made() -> RunError:
    """Say that a turn has left nothing that could be kept."""
    logger.error("Agent Framework could not make the checkpoint of a finished turn; it has logged why.")
    return RunError("The outcome of this turn could not be kept, so the turn does not count.")


def not_kept(point: Point, error: Exception) -> RunError:
    """Say that what a turn has left cannot be kept."""
    logger.error(
        "The checkpoint of a turn of the workflow %r cannot be kept: %s. When it is about a type, name that type to "
        "agent_framework.register_checkpoint_type.",
        point.checkpoint.workflow_name,
        # Agent Framework speaks of types; others may quote what was to be kept.
        str(error) if isinstance(error, WorkflowCheckpointException) else error,
    )
    return RunError("The outcome of this turn could not be kept, so the turn does not count.")
