"""Connections to PostgreSQL: a small pool of them, and who gets one when others have them.

Rules of this file:
1. A transaction takes one connection, for as long as it lasts.
2. New work has a share of them, and is refused soon when that is taken. What goes ahead finds the rest, and waits for
   as long as others have connections that they will give back: what has run is not lost because many ask for more.
3. When nobody has one, and none can be made, there is nothing to wait for.
4. A round trip is what a statement costs: a connection that has just answered is not asked whether it still does.
"""

from __future__ import annotations

import asyncio
import select
import socket
import threading
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Mapping
from contextlib import asynccontextmanager, contextmanager, nullcontext
from typing import Any, Final

from psycopg import AsyncConnection, BaseConnection, Connection
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from .script import Row
from .wire import Wire

PATIENCE: Final = 5.0
"""Seconds to wait for a connection to be made, and for the server to answer on one."""
CONNECTIONS: Final = 8
SHARE: Final = 6
"""Connections that new work may have of them."""
_IN_LINE: Final = 5.0
"""Seconds for which new work waits for a connection."""
_AHEAD: Final = 60.0
"""Seconds for which what goes ahead waits for a connection that others have."""
_LOOK: Final = 5.0
"""Seconds after which it is looked whether others have any."""
_FRESH: Final = 1.0
"""Seconds for which a connection that has answered is taken to be there, unless the server has said otherwise."""


class _Connection(AsyncConnection[Row]):
    """A connection that knows when the server answered last."""

    answered_at = -_FRESH
    _wire: Wire | None = None

    @property
    def wire(self) -> Wire:
        """What statements are sent over."""
        if self._wire is None:
            self._wire = Wire(self)
        return self._wire


class Connections:
    """The connections of one process; open them where there is an event loop.

    Args:
        url: Of the database.
        connecting: What a connection is made with, besides what the URL says.
        longest: Seconds for which a connection may be taken; it is hung up then.
        configure: Called with each new connection.
    """

    def __init__(
        self,
        url: str,
        *,
        connecting: Mapping[str, Any],
        longest: float,
        configure: Callable[[AsyncConnection[Row]], Awaitable[None]],
    ) -> None:
        self._longest = longest
        self._share = asyncio.Semaphore(SHARE)
        self._taken = 0
        self._pool = AsyncConnectionPool(
            url,
            connection_class=_Connection,
            min_size=1,
            max_size=CONNECTIONS,
            # Longer attempts come at ever longer distances; a new one begins with the next request.
            reconnect_timeout=PATIENCE,
            open=False,
            check=_check,
            configure=configure,
            kwargs={"autocommit": True, **connecting},
        )

    async def open(self) -> None:
        """Begin to make connections."""
        await self._pool.open()

    async def close(self) -> None:
        """Close all, and refuse whoever still waits for one."""
        await self._pool.close()

    @asynccontextmanager
    async def take(self, *, ahead: bool) -> AsyncGenerator[_Connection]:
        """Take a connection for the block, `ahead` of new work or as such.

        Raises:
            PoolTimeout: There was none in time.
        """
        connection = await (self._ahead() if ahead else self._as_new_work())
        self._taken += 1
        late = asyncio.get_running_loop().call_later(self._longest, _hang_up, connection)
        try:
            yield connection
            connection.answered_at = time.monotonic()
        finally:
            late.cancel()
            self._taken -= 1
            try:
                await self._pool.putconn(connection)
            finally:
                if not ahead:
                    self._share.release()

    async def _as_new_work(self) -> _Connection:
        give_up_at = time.monotonic() + _IN_LINE
        try:
            async with asyncio.timeout(_IN_LINE) if self._share.locked() else nullcontext():
                await self._share.acquire()
        except TimeoutError:
            raise PoolTimeout(f"other requests had all connections for new work for {_IN_LINE:g} s") from None
        try:
            return await self._given(max(0.0, give_up_at - time.monotonic()))
        except BaseException:
            self._share.release()
            raise

    async def _ahead(self) -> _Connection:
        give_up_at = time.monotonic() + _AHEAD
        while True:
            try:
                return await self._given(_LOOK)
            except PoolTimeout:
                if not self._taken or time.monotonic() > give_up_at:
                    raise

    async def _given(self, seconds: float) -> _Connection:
        """Wait for a connection; before Python 3.12 the pool loses a cancellation that comes together with one."""
        task = asyncio.current_task()
        before = task.cancelling() if task is not None else 0
        connection = await self._pool.getconn(seconds)
        if task is not None and task.cancelling() > before:
            await self._pool.putconn(connection)
            raise asyncio.CancelledError
        return connection


@contextmanager
def at_most(connection: AsyncConnection[Row], seconds: float) -> Generator[None]:
    """Hang up when the server does not answer in time, also when nobody says that it is not there any more."""
    late = asyncio.get_running_loop().call_later(seconds, _hang_up, connection)
    try:
        yield
    finally:
        late.cancel()


@contextmanager
def hung_up_after(connection: Connection[Row], seconds: float) -> Generator[None]:
    """Do the same where a thread waits for the server; the connection is to be closed after it."""
    late = threading.Timer(seconds, _hang_up, (connection,))
    late.daemon = True
    late.start()
    try:
        yield
    finally:
        late.cancel()
        # Where it has just begun the file that it is about must not become another one.
        late.join()


def _hang_up(connection: BaseConnection[Row]) -> None:
    if not connection.closed:
        with socket.fromfd(connection.fileno(), socket.AF_INET, socket.SOCK_STREAM) as ours:
            ours.shutdown(socket.SHUT_RDWR)


async def _check(connection: _Connection) -> None:
    if time.monotonic() < connection.answered_at + _FRESH and _is_quiet(connection):
        return
    with at_most(connection, PATIENCE):
        await AsyncConnectionPool.check_connection(connection)


def _is_quiet(connection: _Connection) -> bool:
    """Whether the server has said nothing unasked: that it goes away, for one."""
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    return not poll.poll(0)
