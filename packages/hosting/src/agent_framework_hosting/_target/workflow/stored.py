"""What is kept of a workflow's session in the host's database: it is stored with the turn, in one transaction.

The point travels as a sealed snapshot: the sessions store it when they commit the turn, and hand it back when the
session is needed again. Which requests were answered is marked in the database before a run begins.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from agent_framework import CheckpointStorage
from agent_framework.exceptions import WorkflowCheckpointException

from ..._state.turns import SessionName
from ...errors import RunError
from ...logs import logger
from .codec import decode, decode_checkpoint, encode, encode_checkpoint
from .keeping import refuse_unkeepable
from .kept import Point, not_kept, not_made, not_restorable
from .key import CheckpointKey
from .seal import BrokenSeal, Seal

if TYPE_CHECKING:
    from ..target import AnswerStore

_PURPOSE: Final = "point"


class DatabaseKeeping:
    """Sealed snapshots in the host's database; see `Keeping`."""

    outlives = True

    def __init__(self, store: AnswerStore, key: CheckpointKey) -> None:
        self._store = store
        self._key = key
        self.notes: Sequence[str] = (f"checkpoints in the database, sealed with the key from {key.origin}",)

    def of(self, name: SessionName, *, workflow: str, is_new: bool) -> InDatabase:  # noqa: ARG002 - it begins empty
        """See `Keeping`."""
        # By conversation, since a branch begins with what another session of it has sealed.
        seal = Seal(self._key.secret, session=(workflow, name.tenant, name.root))
        return InDatabase(self._store, name, seal)

    def apart(self, answers: AnswerStore) -> DatabaseKeeping:
        """See `Keeping`."""
        return DatabaseKeeping(answers, self._key)

    def check(self, workflow: Any) -> None:
        """See `Keeping`."""
        refuse_unkeepable(workflow)


class InDatabase:
    """Keeps the point of one session as the sealed bytes that the sessions store; see `Kept`."""

    through: CheckpointStorage | None = None

    def __init__(self, store: AnswerStore, name: SessionName, seal: Seal) -> None:
        self.sealed: bytes | None = None
        """The snapshot: what the last finished turn has left, or the one that the session is resumed from."""
        self._store = store
        self._name = name
        self._seal = seal

    async def load(self) -> Point | None:
        """See `Kept`."""
        if self.sealed is None:
            return None
        point = await asyncio.to_thread(self._opened, self.sealed)
        return Point(point.checkpoint, frozenset(await self._store.answered(self._name)), point.given)

    async def keep(self, point: Point | None) -> None:
        """See `Kept`."""
        if point is None:
            raise not_made()
        try:
            self.sealed = await asyncio.to_thread(self._closed, point)
        except WorkflowCheckpointException as error:
            raise not_kept(point, error) from error

    async def answer(self, point: Point) -> None:
        """See `Kept`."""
        await self._store.mark_answered(self._name, sorted(point.answered))

    def _closed(self, point: Point) -> bytes:
        record = {"checkpoint": encode_checkpoint(point.checkpoint), "given": encode(dict(point.given))}
        return self._seal.close(record, purpose=_PURPOSE)

    def _opened(self, sealed: bytes) -> Point:
        try:
            record = self._seal.open(sealed, purpose=_PURPOSE)
            return Point(decode_checkpoint(record["checkpoint"]), given=decode(record["given"]))
        except BrokenSeal as error:
            logger.error(
                "A workflow's session %r in the database is not sealed by this host's key, so it may be forged; it is "
                "not looked into. Give all processes the same checkpoint_key.",
                self._name.session_id,
            )
            raise not_restorable() from error
        except WorkflowCheckpointException as error:
            logger.error(
                "A workflow's session %r in the database cannot be read: %s", self._name.session_id, str(error)
            )
            raise not_restorable() from error


def sealed_in(snapshot: Any) -> bytes:
    """Return the snapshot as bytes.

    Raises:
        RunError: The session is kept elsewhere, and its turns cannot be stored.
    """
    if not isinstance(snapshot, bytes):
        raise RunError("This workflow's sessions are not kept in the database, so the turn cannot be stored there.")
    return snapshot
