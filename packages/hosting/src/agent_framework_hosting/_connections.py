"""What connections may cost under Hypercorn: before a request is there, and after an answer is written.

Imported only where something is served, since Hypercorn is an extra. What is bounded here has no setting there, so that
this leans on its insides; the extra names the one minor release that they are known of.
"""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from typing import Any, Final

from hypercorn.asyncio import run
from hypercorn.asyncio.tcp_server import MAX_RECV, TCPServer
from hypercorn.config import Config, Sockets
from hypercorn.events import Closed, Event, RawData, Updated
from hypercorn.protocol.h2 import H2Protocol

from ._websockets import bound_websockets
from .limits import Limits

_BACKLOG: Final = 1024
"""Connections that may wait to be accepted: many clients connect in the same moment after a restart."""
_IN_A_TURN: Final = 4
"""Connections that one of several processes accepts before others may; each turn wakes all that have nothing to do."""
_GRACE: Final = 5.0
"""Seconds beyond the stall time: a stream cuts its reader itself, and says so in the log."""
_USER_TIMEOUT: Final = getattr(socket, "TCP_USER_TIMEOUT", None)
"""Known on Linux alone."""


def bounds(limits: Limits) -> Mapping[str, Any]:
    """Return options of Hypercorn's configuration.

    Its read timeout is no use: that would also cut those who listen to a long answer.
    """
    return {
        "keep_alive_timeout": limits.idle_timeout,
        "ssl_handshake_timeout": limits.header_timeout,
        "websocket_max_message_size": limits.max_request_bytes,
        # Keeps proxies from giving a silent connection up, and lets the system notice that the other end is gone.
        "websocket_ping_interval": limits.heartbeat,
        "backlog": _BACKLOG,
        # Which holes a server may have is nobody's business.
        "include_server_header": False,
    }


def bounded_configuration(limits: Limits, *, is_shared: bool = False) -> Config:
    """Return a configuration whose connections are given up when their other ends take nothing for too long.

    Whoever serves has written an answer when it is in the buffers of the connection; only the system sees whether it is
    read. Without this, a reader that stands still keeps its connection for ever, also one whose stream was cut.

    Args:
        limits: For the stall time.
        is_shared: Whether other processes accept connections at the same sockets.
    """

    class BoundedConfig(Config):
        def create_sockets(self) -> Sockets:
            sockets = super().create_sockets()
            _give_up_after((*sockets.secure_sockets, *sockets.insecure_sockets), limits.stall_timeout + _GRACE)
            if not is_shared:
                return sockets
            return Sockets(_in_turn(sockets.secure_sockets), _in_turn(sockets.insecure_sockets), sockets.quic_sockets)

    return BoundedConfig()


class _InTurn(socket.socket):
    """A listening socket of several processes, each of which accepts a few connections before it does something else.

    `asyncio` accepts until nobody waits. The process that wakes first would have all of a crowd, and keep them for as
    long as they stay, while the others have nothing to do. A small backlog would let it accept fewer at a time, too,
    but loops of other makes hand that to the system, which then refuses a crowd.
    """

    _accepted = 0

    def accept(self) -> tuple[socket.socket, Any]:
        """Accept a connection, or say that nobody waits behind a few; the loop looks again before it waits."""
        if self._accepted == _IN_A_TURN:
            self._accepted = 0
            raise BlockingIOError(errno.EAGAIN, "It is the turn of another process.")
        try:
            accepted = super().accept()
        except BlockingIOError:
            self._accepted = 0
            raise
        self._accepted += 1
        return accepted


def _in_turn(listening: Iterable[socket.socket]) -> list[socket.socket]:
    return [_InTurn(fileno=each.detach()) for each in listening]


def bound_connections(limits: Limits) -> None:
    """Let all connections of this process be bounded in time; there is no setting for that, so a class is replaced."""

    class Bounded(BoundedConnection):
        header_timeout = limits.header_timeout

    server: Any = run  # what it imports is not its to export
    server.TCPServer = Bounded
    bound_websockets()


class BoundedConnection(TCPServer):
    """A connection that is closed when nothing comes of it.

    Hypercorn's own waits out its idle time before it closes what the client has left, and forgets that time at the
    preface of HTTP/2 without TLS. It has none for the head of a request that has begun, and takes a connection that
    the system has given up for a failure of the app.
    """

    header_timeout: float = 10.0
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
        while not self.reader.at_eof():
            try:
                data = await asyncio.wait_for(self.reader.read(MAX_RECV), self.config.read_timeout)
            except (OSError, TimeoutError):
                break
            await self.protocol.handle(RawData(data))
            await self._look_at_time()
        self._has_left = True
        await self.protocol.handle(Closed())
        await self.idle_task.stop()

    async def _close(self) -> None:
        with suppress(OSError):
            await super()._close()

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
