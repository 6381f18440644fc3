"""PostgreSQL over psycopg: transactions on connections of a pool, and one connection that listens for wakes.

Rules of this file:
1. What the database asks to be tried again (a deadlock, a serialisation failure) is tried again from the start.
2. A connection that broke is replaced by the pool. Whether its last transaction took place is not known, and said so.
3. Nobody waits for ever: a transaction that takes too long loses its connection, and the server ends one of ours that
   stands still in the middle (this process was stopped), so that others get at the rows that it has locked.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Generator, Sequence
from contextlib import asynccontextmanager, closing, contextmanager
from typing import Any, Final, TypeVar

import psycopg
from psycopg import AsyncConnection, Connection, errors, sql
from psycopg.conninfo import conninfo_to_dict
from psycopg_pool import PoolTimeout

from ...errors import ConfigurationError, StateUnavailable
from ...ids import mint
from ...logs import logger
from .connections import PATIENCE, Connections, hung_up_after
from .driver import Transaction, step_through
from .lanes import Wake
from .migrations import migrate_postgres
from .script import POSTGRES, Dialect, Row, Script, Statement

ResultT = TypeVar("ResultT")

_AGAIN: Final = (errors.DeadlockDetected, errors.SerializationFailure)
# Tables that are not there, or may not be read, are the operator's to bring back, as the server itself is.
_AWAY: Final = (
    psycopg.OperationalError,
    psycopg.InterfaceError,
    psycopg.InternalError,
    psycopg.ProgrammingError,
    PoolTimeout,
)
_PAUSE: Final = "SELECT set_config('idle_in_transaction_session_timeout', %s, false)"
_ATTEMPTS: Final = 5
_BETWEEN_CONNECTIONS: Final = 0.5


class PostgresDriver:
    """Runs scripts on one PostgreSQL database, which any number of processes may share."""

    def __init__(self, url: str, *, migrate: bool = True, longest_pause: float = 15.0) -> None:
        self._url = url
        self._migrate = migrate
        self._pause = f"{max(1, round(longest_pause * 1000))}ms"
        self._longest = max(longest_pause, PATIENCE)
        self._connecting = _patient(url)
        self._channel = mint("af_")
        self._connections: Connections | None = None
        self._listener: asyncio.Task[None] | None = None

    @property
    def address(self) -> str:
        """See `Driver`."""
        return f"pg:{self._channel}"

    async def start(self, on_wake: Callable[[], None]) -> None:
        """See `Driver`."""
        await asyncio.to_thread(migrate_postgres, self._url, apply=self._migrate)
        self._connections = Connections(
            self._url,
            connecting=self._connecting,
            longest=self._longest,
            configure=self._configure,
        )
        await self._connections.open()
        self._listener = asyncio.create_task(self._listen(on_wake))

    async def stop(self) -> None:
        """See `Driver`."""
        # Not kept: what a task that was cancelled knows of its end has the connection that it was about to make.
        listener, self._listener = self._listener, None
        if listener is not None:
            listener.cancel()
            await asyncio.gather(listener, return_exceptions=True)
        if self._connections is not None:
            await self._connections.close()
            self._connections = None

    async def run(self, transaction: Transaction[ResultT], *, durable: bool, ahead: bool = False) -> ResultT:
        """See `Driver`."""
        for left in reversed(range(_ATTEMPTS)):
            try:
                async with self._connection(ahead=ahead) as connection, _begun(connection, durable=durable):
                    return await _step_through(transaction(), connection)
            except _AGAIN as error:
                _refuse_last(left, error)
        raise AssertionError("The loop returns or raises.")

    async def read(self, transaction: Transaction[ResultT], *, ahead: bool = False) -> ResultT:
        """See `Driver`."""
        async with self._connection(ahead=ahead) as connection:
            return await _step_through(transaction(), connection)

    def run_now(self, transaction: Transaction[ResultT]) -> ResultT:
        """See `Driver`."""
        for left in reversed(range(_ATTEMPTS)):
            try:
                with (
                    _translated(),
                    closing(psycopg.connect(self._url, **self._connecting)) as connection,
                    hung_up_after(connection, self._longest),
                    connection.transaction(),
                ):
                    connection.execute(_PAUSE, (self._pause,))
                    return step_through(transaction(), _executor(connection), POSTGRES)
            except _AGAIN as error:
                _refuse_last(left, error)
        raise AssertionError("The loop returns or raises.")

    async def wake(self, wakes: Sequence[Wake]) -> None:
        """See `Driver`."""
        try:
            async with self._connection(ahead=True) as connection:
                for address in {wake.address for wake in wakes}:
                    await connection.execute("SELECT pg_notify(%s, '')", (address.removeprefix("pg:"),))
        except StateUnavailable:
            logger.warning("Another process could not be woken; it looks by itself.")

    async def _listen(self, on_wake: Callable[[], None]) -> None:
        listen = sql.SQL("LISTEN {}").format(sql.Identifier(self._channel))
        has_complained = False
        while True:
            try:
                connecting = AsyncConnection.connect(self._url, autocommit=True, **self._connecting)
                async with await connecting as connection:
                    await connection.execute(listen)
                    has_complained = False
                    # Whatever was sent while nobody listened.
                    on_wake()
                    async for _ in connection.notifies():
                        on_wake()
            except psycopg.Error as error:
                if not has_complained:
                    logger.warning("The connection that listens for wakes broke (%s); it is made again.", str(error))
                has_complained = True
            await asyncio.sleep(_BETWEEN_CONNECTIONS)

    @asynccontextmanager
    async def _connection(self, *, ahead: bool) -> AsyncGenerator[AsyncConnection[Row]]:
        if self._connections is None:
            raise StateUnavailable("The database is not open: the host has not been started, or has stopped.")
        with _translated():
            async with self._connections.take(ahead=ahead) as connection:
                yield connection

    async def _configure(self, connection: AsyncConnection[Row]) -> None:
        await connection.execute(_PAUSE, (self._pause,))


@contextmanager
def _translated() -> Generator[None]:
    try:
        yield
    except _AGAIN:
        raise
    except _AWAY as error:
        logger.error("The database cannot be used: %s", str(error))
        raise StateUnavailable from error


def _refuse_last(left: int, error: Exception) -> None:
    if not left:
        logger.error("A transaction was tried %d times in vain: %s", _ATTEMPTS, str(error))
        raise StateUnavailable from error


def _executor(connection: Connection[Row]) -> Callable[[Dialect, Statement], list[Row]]:
    def execute(dialect: Dialect, statement: Statement) -> list[Row]:
        cursor = connection.execute(dialect.said(statement.text).encode(), statement.values)
        return cursor.fetchall() if cursor.description else []

    return execute


def _patient(url: str) -> dict[str, Any]:
    """Return what a connection is made with, besides what its URL says."""
    try:
        said = conninfo_to_dict(url)
    except psycopg.ProgrammingError as error:
        raise ConfigurationError(
            "database= is no URL that PostgreSQL understands. Use 'postgresql://user:password@server/name', with "
            "special characters of the password percent-encoded."
        ) from error
    ours = {"connect_timeout": int(PATIENCE), "keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 3}
    return {name: value for name, value in ours.items() if name not in said}


@asynccontextmanager
async def _begun(connection: AsyncConnection[Row], *, durable: bool) -> AsyncGenerator[None]:
    # By hand, because it is one round trip: psycopg's own block would take one more for the setting.
    await connection.execute("BEGIN" if durable else "BEGIN; SET LOCAL synchronous_commit = off")
    try:
        yield
    except BaseException:
        if not connection.broken:
            await connection.execute("ROLLBACK")
        raise
    await connection.execute("COMMIT")


async def _step_through(script: Script[ResultT], connection: AsyncConnection[Row]) -> ResultT:
    try:
        statement = next(script)
        while True:
            try:
                cursor = await connection.execute(POSTGRES.said(statement.text).encode(), statement.values)
                rows = await cursor.fetchall() if cursor.description else []
            except BaseException as error:  # noqa: BLE001 - a script may have a word to say to it
                statement = script.throw(error)
            else:
                statement = script.send(rows)
    except StopIteration as end:
        return end.value
