"""PostgreSQL over psycopg: transactions on connections of a pool, and one connection that listens for wakes.

Rules of this file:
1. What the database asks to be tried again (a deadlock, a serialisation failure) is tried again from the start. A batch
   that is whole is a transaction by itself, and may have been committed then: its script finds what it did.
2. A connection that broke is replaced by the pool. Whether its last transaction took place is not known, and said so.
3. Nobody waits for ever: a transaction that takes too long loses its connection, and the server ends one of ours that
   stands still in the middle (this process was stopped), so that others get at the rows that it has locked.
4. Each start tries whether wakes arrive: a pooler that shares one connection of the server among many loses them.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Sequence
from contextlib import asynccontextmanager, closing, contextmanager
from typing import Any, Final, TypeVar

import psycopg
from psycopg import AsyncConnection, Connection, errors, sql
from psycopg.conninfo import conninfo_to_dict
from psycopg_pool import PoolTimeout

from ...errors import ConfigurationError, InvalidRequest, StateUnavailable
from ...ids import mint
from ...logs import logger
from .connections import CONNECTIONS, PATIENCE, Connections, at_most, hung_up_after
from .driver import Transaction, step_through
from .lanes import Wake
from .migrations import migrate_postgres
from .script import POSTGRES, Batch, Dialect, Row, Script, Statement
from .wire import FORGOTTEN, Wire

ResultT = TypeVar("ResultT")

_AGAIN: Final = (errors.DeadlockDetected, errors.SerializationFailure, *FORGOTTEN)
# Tables that are not there, or may not be read, are the operator's to bring back, as the server itself is.
_AWAY: Final = (
    psycopg.OperationalError,
    psycopg.InterfaceError,
    psycopg.InternalError,
    psycopg.ProgrammingError,
    PoolTimeout,
)
# Those who wait for a line's row see what was done while they waited, whatever the server would do by itself.
_CONFIGURE: Final = """
SELECT set_config('idle_in_transaction_session_timeout', %s, false),
  set_config('default_transaction_isolation', 'read committed', false)
"""
_BEGIN: Final = Statement("BEGIN", {})
_LAZILY: Final = Statement("SELECT set_config('synchronous_commit', 'off', true)", {})
"""What is committed may be lost with the server's machine; for the rest of the transaction."""
_COMMIT: Final = Statement("COMMIT", {})
_NOTIFY: Final = "SELECT pg_notify(:address, '')"
_NOTIFY_SELF: Final = "SELECT pg_notify(%s, '')"
_HEARD: Final = PATIENCE
"""Seconds in which a wake arrives, also when the server has much to do."""
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
        try:
            await self._require_wakes(self._connections)
        except BaseException:
            await self.stop()
            raise
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
        return await self._tried(lambda wire: _in_transaction(transaction(), wire, durable=durable), ahead=ahead)

    async def read(self, transaction: Transaction[ResultT], *, ahead: bool = False) -> ResultT:
        """See `Driver`."""
        return await self._tried(
            lambda wire: _step_through(transaction(), lambda batch: wire.ask(batch.statements)), ahead=ahead
        )

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
                    connection.execute(_CONFIGURE, (self._pause,))
                    return step_through(transaction(), _executor(connection), POSTGRES)
            except _AGAIN as error:
                _refuse_last(left, error)
        raise AssertionError("The loop returns or raises.")

    async def wake(self, wakes: Sequence[Wake]) -> None:
        """See `Driver`."""
        try:
            addresses = {wake.address.removeprefix("pg:") for wake in wakes}
            notifying = [Statement(_NOTIFY, {"address": address}) for address in addresses]
            await self._tried(lambda wire: wire.ask(notifying), ahead=True)
        except StateUnavailable:
            logger.warning("Another process could not be woken; it looks by itself.")

    async def _require_wakes(self, connections: Connections) -> None:
        try:
            async with await self._listening() as connection:
                async with connections.take(ahead=True) as other:
                    await other.execute(_NOTIFY_SELF, (self._channel,))
                if [heard async for heard in connection.notifies(timeout=_HEARD, stop_after=1)]:
                    return
        except _AWAY as error:
            raise ConfigurationError(
                f"The database answers, but not on two connections at once: {' '.join(str(error).split())}. See to it "
                f"that the server, and a pooler before it, let each process have {CONNECTIONS + 2}."
            ) from error
        raise ConfigurationError(
            "The database does not tell this process what others notify it of, so that turns would wait for seconds: "
            "a pooler stands before it that gives its connections to somebody else after each transaction. Name the "
            "server itself in database=, or have the pooler keep a connection for each client (PgBouncer: pool_mode = "
            "session)."
        )

    async def _listening(self) -> AsyncConnection[Row]:
        connection = await AsyncConnection.connect(self._url, autocommit=True, **self._connecting)
        try:
            with at_most(connection, PATIENCE):
                await connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(self._channel)))
        except BaseException:
            await connection.close()
            raise
        return connection

    async def _listen(self, on_wake: Callable[[], None]) -> None:
        has_complained = False
        while True:
            try:
                async with await self._listening() as connection:
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

    async def _tried(self, attempt: Callable[[Wire], Awaitable[ResultT]], *, ahead: bool) -> ResultT:
        for left in reversed(range(_ATTEMPTS)):
            try:
                async with self._wire(ahead=ahead) as wire:
                    return await attempt(wire)
            except _AGAIN as error:
                _refuse_last(left, error)
        raise AssertionError("The loop returns or raises.")

    @asynccontextmanager
    async def _wire(self, *, ahead: bool) -> AsyncGenerator[Wire]:
        if self._connections is None:
            raise StateUnavailable("The database is not open: the host has not been started, or has stopped.")
        with _translated():
            async with self._connections.take(ahead=ahead) as connection:
                yield connection.wire

    async def _configure(self, connection: AsyncConnection[Row]) -> None:
        await connection.execute(_CONFIGURE, (self._pause,))


@contextmanager
def _translated() -> Generator[None]:
    try:
        yield
    except _AGAIN:
        raise
    except errors.UntranslatableCharacter as error:
        raise InvalidRequest(
            "A name in the request has a character that the server's database cannot keep, since that is not encoded "
            "as UTF8. Choose another name."
        ) from error
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
    patient = {name: value for name, value in ours.items() if name not in said}
    # Whatever the database itself is encoded as, and whatever the environment says.
    return {**patient, "client_encoding": "utf8"}


async def _in_transaction(script: Script[ResultT], wire: Wire, *, durable: bool) -> ResultT:
    """Run a script in a transaction, which begins with its first batch and ends with a whole one."""
    at_first = () if durable else (_LAZILY,)
    has_begun = False

    async def ask(batch: Batch) -> list[list[Row]]:
        nonlocal has_begun
        before = () if has_begun else at_first if batch.is_whole else (_BEGIN, *at_first)
        after = (_COMMIT,) if has_begun and batch.is_whole else ()
        has_begun = has_begun or not batch.is_whole
        answers = await wire.ask((*before, *batch.statements, *after))
        has_begun = not batch.is_whole
        return answers[len(before) : len(answers) - len(after)]

    try:
        result = await _step_through(script, ask)
    except BaseException:
        if has_begun:
            await wire.undo()
        raise
    if has_begun:
        await wire.ask((_COMMIT,))
    return result


async def _step_through(script: Script[ResultT], ask: Callable[[Batch], Awaitable[list[list[Row]]]]) -> ResultT:
    try:
        batch = next(script)
        while True:
            try:
                answers = await ask(batch)
            except BaseException as error:  # noqa: BLE001 - a script may have a word to say to it
                batch = script.throw(error)
            else:
                batch = script.send(answers)
    except StopIteration as end:
        return end.value
