"""State of Agent Framework's own kinds, kept in a database: checkpoints of workflows."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from datetime import datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar

from agent_framework import WorkflowCheckpoint
from agent_framework.exceptions import WorkflowCheckpointException

from ._state.database import open_engine
from ._state.sql.names import is_keepable
from ._target.workflow.codec import decode_checkpoint, encode_checkpoint
from ._target.workflow.key import checkpoint_key
from ._target.workflow.seal import BrokenSeal, Seal
from .errors import ConfigurationError
from .logs import logger
from .types import DEFAULT_TENANT

if TYPE_CHECKING:
    from sqlalchemy import Connection

ResultT = TypeVar("ResultT")

_PURPOSE: Final = "SqlCheckpointStorage"


class SqlCheckpointStorage:
    """Keeps the checkpoints of one conversation in a database: a `CheckpointStorage` of Agent Framework.

    Agent Framework asks for checkpoints by the workflow's name alone, so each conversation needs a storage of its own:
    `of` gives one that shares the database. Every checkpoint is sealed with a secret, and one whose seal is not good is
    never decoded. Types of your own have to be named to `agent_framework.register_checkpoint_type`.

    It connects when it is used, and brings the schema up to date; `async with` lets go of the connections at its end.

    Args:
        database: A URL as for the host's `database=`; both may use the same one.
        session: Whose checkpoints they are. A purge of the host's session with that id takes them along.
        tenant: The partition of the session.
        key: The secret, at least 32 characters; found as the host's `checkpoint_key` when left out.
        keep: How many checkpoints of a workflow are kept, the newest ones; all when left out. For a storage that a
            host has as its `checkpoint_location` leave it out, since all sessions share that.

    Raises:
        ConfigurationError: The URL, the secret, or `keep` is not usable.

    Example:
        >>> storage = SqlCheckpointStorage("sqlite:///./state/host.db", session="room", key="k" * 32, keep=10)
        >>> storage.of("hall").session
        'hall'
    """

    def __init__(
        self,
        database: str,
        *,
        session: str,
        tenant: str = DEFAULT_TENANT,
        key: str | bytes | None = None,
        keep: int | None = None,
    ) -> None:
        if keep is not None and keep < 1:
            raise ConfigurationError(f"keep={keep} would keep no checkpoint at all. Give 1 or more, or leave it out.")
        _require_keepable(session, tenant)
        self._database = _Database(database)
        self._secret = checkpoint_key(key, location=None).secret
        self._keep = keep
        self._tenant = tenant
        self.session = session
        self._seal = Seal(self._secret, session=(_PURPOSE, tenant, session))

    def of(self, session: str) -> SqlCheckpointStorage:
        """Return the storage of another session, which shares the database."""
        _require_keepable(session, self._tenant)
        other = object.__new__(SqlCheckpointStorage)
        other._database, other._secret, other._keep = self._database, self._secret, self._keep
        other._tenant, other.session = self._tenant, session
        other._seal = Seal(self._secret, session=(_PURPOSE, self._tenant, session))
        return other

    async def __aenter__(self) -> Self:
        await self._database.run(lambda _connection: None)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        await self._database.close()

    async def save(self, checkpoint: WorkflowCheckpoint) -> str:
        """See `CheckpointStorage`; raises `WorkflowCheckpointException` when it cannot be kept."""
        name, checkpoint_id = checkpoint.workflow_name, checkpoint.checkpoint_id
        made_at = datetime.fromisoformat(checkpoint.timestamp).timestamp()

        def work(connection: Connection) -> str:
            data = self._seal.close(encode_checkpoint(checkpoint), purpose=checkpoint_id)
            rows = self._rows
            rows.put(connection, checkpoint_id, workflow=name, data=data, made_at=made_at)
            if self._keep is not None:
                rows.prune(connection, workflow=name, keep=self._keep)
            return checkpoint_id

        return await self._database.run(work)

    async def load(self, checkpoint_id: str) -> WorkflowCheckpoint:
        """See `CheckpointStorage`."""

        def work(connection: Connection) -> WorkflowCheckpoint:
            data = self._rows.data(connection, checkpoint_id)
            if data is None:
                raise WorkflowCheckpointException(f"No checkpoint found with ID {checkpoint_id}")
            return self._opened(checkpoint_id, data)

        return await self._database.run(work)

    async def list_checkpoints(self, *, workflow_name: str) -> list[WorkflowCheckpoint]:
        """See `CheckpointStorage`; in the order in which they were saved, without those that cannot be read."""
        return await self._database.run(lambda connection: self._readable(connection, workflow_name))

    async def delete(self, checkpoint_id: str) -> bool:
        """See `CheckpointStorage`."""
        return await self._database.run(lambda connection: self._rows.delete(connection, checkpoint_id))

    async def get_latest(self, *, workflow_name: str) -> WorkflowCheckpoint | None:
        """See `CheckpointStorage`.

        Raises:
            WorkflowCheckpointException: The latest one cannot be read. Going on from an older one would do again what
                was done since.
        """

        def work(connection: Connection) -> WorkflowCheckpoint | None:
            found = self._rows.latest(connection, workflow=workflow_name)
            return self._opened(*found) if found is not None else None

        return await self._database.run(work)

    async def list_checkpoint_ids(self, *, workflow_name: str) -> list[str]:
        """See `CheckpointStorage`; of those that `list_checkpoints` returns."""
        return [each.checkpoint_id for each in await self.list_checkpoints(workflow_name=workflow_name)]

    def _readable(self, connection: Connection, workflow_name: str) -> list[WorkflowCheckpoint]:
        checkpoints: list[WorkflowCheckpoint] = []
        for checkpoint_id, data in self._rows.all(connection, workflow=workflow_name):
            try:
                checkpoints.append(self._opened(checkpoint_id, data))
            except WorkflowCheckpointException as error:
                logger.error("%s", str(error))
        return checkpoints

    def _opened(self, checkpoint_id: str, data: bytes) -> WorkflowCheckpoint:
        try:
            return decode_checkpoint(self._seal.open(data, purpose=checkpoint_id))
        except BrokenSeal as error:
            raise WorkflowCheckpointException(
                f"The checkpoint {checkpoint_id!r} of the session {self.session!r} is not sealed with this key, so it "
                "may be forged; it was not looked into. Give all processes the same key."
            ) from error

    @property
    def _rows(self) -> Any:
        from ._state.sql.checkpoints import Checkpoints

        return Checkpoints(self._tenant, self.session)


class _Database:
    """The connections of all storages of one database; made when they are needed."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._lock = threading.Lock()
        self._engine: Any = None

    async def run(self, work: Callable[[Connection], ResultT]) -> ResultT:
        """Run a transaction in a thread."""
        return await asyncio.to_thread(self._run, work)

    async def close(self) -> None:
        """Let go of all connections; the next use makes new ones."""
        engine, self._engine = self._engine, None
        if engine is not None:
            await asyncio.to_thread(engine.dispose)

    def _run(self, work: Callable[[Connection], ResultT]) -> ResultT:
        engine = self._opened()
        from sqlalchemy.exc import SQLAlchemyError

        try:
            with engine.begin() as connection:
                return work(connection)
        except (SQLAlchemyError, UnicodeEncodeError) as error:
            said = getattr(error, "orig", None) or error
            raise WorkflowCheckpointException(f"The database of the checkpoints refused: {said}") from error

    def _opened(self) -> Any:
        with self._lock:
            if self._engine is None:
                engine = open_engine(self._url, create=True)
                from ._state.sql.migrations import migrate

                migrate(engine, apply=True)
                self._engine = engine
            return self._engine


def _require_keepable(session: str, tenant: str) -> None:
    if not is_keepable(session, tenant):
        raise ConfigurationError(
            "The session, or its tenant, has a name that cannot be kept: it is too long, or has the character NUL, or "
            "half of a character, in it. Choose another one."
        )


__all__: Sequence[str] = ("SqlCheckpointStorage",)
