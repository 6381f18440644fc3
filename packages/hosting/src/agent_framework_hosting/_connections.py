"""What connections may cost under Hypercorn: before a request is there, and after an answer is written.

Imported only where something is served, since Hypercorn is an extra. What is bounded here has no setting there, so that
this leans on its insides; the extra names the one minor release that they are known of.
"""

from __future__ import annotations

import asyncio
import errno
import selectors
import socket
import sys
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from typing import Any, Final
from weakref import WeakSet

from hypercorn.asyncio import run
from hypercorn.asyncio.tcp_server import MAX_RECV, TCPServer
from hypercorn.config import Config, Sockets
from hypercorn.events import Closed, Event, RawData, Updated
from hypercorn.protocol.h2 import H2Protocol
from hypercorn.protocol.h11 import H11Protocol

from ._websockets import bound_websockets
from .limits import Limits

_BACKLOG: Final = 1024
"""Connections that may wait to be accepted: many clients connect in the same moment after a restart."""
_IN_A_TURN: Final = 4
"""Connections that one of several processes accepts before others may; each turn wakes all that have nothing to do."""
_GRACE: Final = 5.0
"""Seconds beyond the stall time: a stream cuts its reader itself, and says so in the log."""
_LAST_REQUEST: Final = 0.5
"""Seconds for a request to arrive that was on its way when its process ceased to listen."""
_NO_FILE: Final = 2**31 - 1
"""A number that no open file has."""
_USER_TIMEOUT: Final = getattr(socket, "TCP_USER_TIMEOUT", None)
"""Known on Linux alone."""


def bounds(limits: Limits) -> Mapping[str, Any]:
    """Return options of Hypercorn's configuration.

    Its read timeout is no use: that would also cut those who listen to a long answer.
    """
    return {
        "keep_alive_timeout": limits.idle_timeout,
        # At its thousandth request a connection of HTTP/2 would be cut, with all answers that are under way on it.
        "keep_alive_max_requests": sys.maxsize,
        "ssl_handshake_timeout": limits.header_timeout,
        "websocket_max_message_size": limits.max_request_bytes,
        # Keeps proxies from giving a silent connection up, and lets the system notice that the other end is gone.
        "websocket_ping_interval": limits.heartbeat,
        "backlog": _BACKLOG,
        # Which holes a server may have is nobody's business.
        "include_server_header": False,
    }


class BoundedConfig(Config):
    """A configuration whose connections are given up when their other ends take nothing for too long.

    Whoever serves has written an answer when it is in the buffers of the connection; only the system sees whether it is
    read. Without this, a reader that stands still keeps its connection for ever, also one whose stream was cut.

    Args:
        limits: For the stall time.
        is_shared: Whether other processes accept connections at the same sockets.
    """

    def __init__(self, limits: Limits, *, is_shared: bool = False) -> None:
        super().__init__()
        self._patience = limits.stall_timeout + _GRACE
        self._in_a_turn = _IN_A_TURN if is_shared else None
        self._listening: list[_Listening] = []

    def create_sockets(self) -> Sockets:
        """Return the listening sockets."""
        sockets = super().create_sockets()
        return Sockets(
            self._listening_at(sockets.secure_sockets),
            self._listening_at(sockets.insecure_sockets),
            sockets.quic_sockets,
        )

    async def cease_listening(self) -> None:
        """Take all connections that wait, listen no more, and give what was taken the time to ask something.

        Hypercorn closes connections without a request when it stops, and those that wait to be accepted; their clients
        would never know whether somebody has read what they sent.
        """
        await asyncio.gather(*(each.take_the_rest() for each in self._listening))
        if any(each.has_connections for each in self._listening):
            await asyncio.sleep(_LAST_REQUEST)

    def _listening_at(self, sockets: Iterable[socket.socket]) -> list[socket.socket]:
        _give_up_after(sockets, self._patience)
        made = [_Listening(each, in_a_turn=self._in_a_turn) for each in sockets]
        self._listening += made
        return list(made)


class _Listening(socket.socket):
    """A listening socket that takes whoever waits before it is closed.

    One of several processes accepts a few connections before it does something else. `asyncio` accepts until nobody
    waits: the process that wakes first would have all of a crowd, and keep them for as long as they stay, while the
    others have nothing to do. A small backlog would let it accept fewer at a time, too, but loops of other makes hand
    that to the system, which then refuses a crowd.
    """

    def __init__(self, bound: socket.socket, *, in_a_turn: int | None) -> None:
        super().__init__(fileno=bound.detach())
        self._in_a_turn = in_a_turn
        self._accepted = 0
        self._connections: WeakSet[socket.socket] = WeakSet()
        self._has_taken_all: asyncio.Future[None] | None = None
        self._has_left = False

    @property
    def has_connections(self) -> bool:
        """Whether some that were accepted here are open."""
        return any(each.fileno() != -1 for each in self._connections)

    def accept(self) -> tuple[socket.socket, Any]:
        """Accept a connection, or say that nobody waits behind a few; the loop looks again before it waits."""
        if self._accepted == self._in_a_turn and self._has_taken_all is None:
            self._accepted = 0
            raise BlockingIOError(errno.EAGAIN, "It is the turn of another process.")
        try:
            accepted = super().accept()
        except BlockingIOError:
            self._accepted = 0
            if self._has_taken_all is not None:
                self._leave(self._has_taken_all)
            raise
        self._accepted += 1
        self._connections.add(accepted[0])
        return accepted

    async def take_the_rest(self) -> None:
        """Let the loop accept until nobody waits, and close at that moment; the next one is refused by the system."""
        self._has_taken_all = asyncio.get_running_loop().create_future()
        with selectors.DefaultSelector() as selector:
            selector.register(self, selectors.EVENT_READ)
            does_somebody_wait = bool(selector.select(0))
        if not does_somebody_wait:
            self._leave(self._has_taken_all)
        with suppress(TimeoutError):
            async with asyncio.timeout(_LAST_REQUEST):
                await self._has_taken_all

    def fileno(self) -> int:
        """Return the file's number; once it is closed one that is nobody's, since the loop asks again when it ends."""
        return _NO_FILE if self._has_left else super().fileno()

    def _leave(self, done: asyncio.Future[None]) -> None:
        if not self._has_left:
            done.get_loop().remove_reader(self)
            self.close()
            self._has_left = True
            done.set_result(None)


def bound_connections(limits: Limits, *, is_told: Callable[[], bool]) -> Callable[[], None]:
    """Let all connections of this process be bounded in time; there is no setting for that, so a class is replaced.

    Args:
        limits: For the time of a request's head.
        is_told: Whether the process was told to stop.

    Returns:
        What cuts the connections that are open when it is called, with all that they have not taken.
    """
    open_ones: WeakSet[BoundedConnection] = WeakSet()

    class Bounded(BoundedConnection):
        header_timeout = limits.header_timeout
        is_ending = staticmethod(is_told)
        known = open_ones

    def cut() -> None:
        for each in list(open_ones):
            each.writer.transport.abort()

    server: Any = run  # what it imports is not its to export
    server.TCPServer = Bounded
    bound_websockets()
    return cut


class BoundedConnection(TCPServer):
    """A connection that is closed when nothing comes of it.

    Hypercorn's own waits out its idle time before it closes what the client has left, and forgets that time at the
    preface of HTTP/2 without TLS. It has none for the head of a request that has begun, and takes a connection that
    the system has given up for a failure of the app. Nor do its answers say, while the process stops, that the
    connection ends with them.
    """

    header_timeout: float = 10.0
    is_ending: Callable[[], bool]
    known: WeakSet[BoundedConnection]
    _has_left = False
    _is_in_head = False
    _is_http2 = False
    _is_lost = False

    async def protocol_send(self, event: Event) -> None:
        """Write, close, or take notice that there is something to do or not."""
        if (isinstance(event, RawData) and self._is_lost) or (
            isinstance(event, Updated) and event.idle and self._has_left
        ):
            return
        try:
            await super().protocol_send(event)
        except OSError:
            # Not only what Python calls a connection's error: the system gives a connection up with a timeout.
            self._is_lost = True
            await self.protocol.handle(Closed())

    async def _read_data(self) -> None:
        self.known.add(self)
        while not self.reader.at_eof():
            try:
                data = await asyncio.wait_for(self.reader.read(MAX_RECV), self.config.read_timeout)
            except (OSError, TimeoutError):
                break
            self._look_at_end()
            await self.protocol.handle(RawData(data))
            await self._look_at_time()
        self._has_left = True
        await self.protocol.handle(Closed())
        await self.idle_task.stop()

    async def _close(self) -> None:
        with suppress(OSError):
            await super()._close()

    def _look_at_end(self) -> None:
        protocol = self.protocol.protocol
        if self.is_ending() and isinstance(protocol, H11Protocol):
            # Its answer says that the connection ends, so that the client sends nothing more that nobody would read.
            protocol.keep_alive_requests = self.config.keep_alive_max_requests

    async def _look_at_time(self) -> None:
        protocol = self.protocol.protocol
        if isinstance(protocol, H2Protocol):
            if not self._is_http2:
                self._is_http2 = True
                if protocol.idle:
                    await self._restart(self._idle_timeout)
            return
        # Whoever has begun a head has to end it soon; what comes of it in between makes it no longer.
        begins = protocol.stream is None and bool(protocol.connection.trailing_data[0])
        if begins and not self._is_in_head:
            await self._restart(self._wait_for_head)
        self._is_in_head = begins

    async def _restart(self, timer: Callable[[], Awaitable[None]]) -> None:
        idle_task: Any = self.idle_task  # its types are only half there
        await idle_task.restart(self._task_group, timer)

    async def _wait_for_head(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(self.header_timeout):
                await self.context.terminated.wait()
        await asyncio.shield(self._initiate_server_close())


def _give_up_after(listening: Iterable[socket.socket], seconds: float) -> None:
    for each in listening:
        if _USER_TIMEOUT is not None and each.family in (socket.AF_INET, socket.AF_INET6):
            # What is accepted inherits it.
            each.setsockopt(socket.IPPROTO_TCP, _USER_TIMEOUT, int(seconds * 1000))
