"""What WebSockets may cost under Hypercorn, before their messages reach a channel and while nothing is said.

Imported only where something is served, since Hypercorn is an extra.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import replace
from typing import Any, Final

from hypercorn.protocol import h2, h11
from hypercorn.protocol.events import Body, Data, Event, Request, StreamClosed
from hypercorn.protocol.ws_stream import WSStream
from wsproto.connection import ConnectionState
from wsproto.events import CloseConnection, Ping

_GRACE: Final = 5.0
"""Seconds for a client to take leave whose message was too large."""
_EXTENSIONS: Final = b"sec-websocket-extensions"


def bound_websockets() -> None:
    """Let all WebSockets of this process be bounded; there is no setting for that, so a class is replaced."""
    for protocol in (h11, h2):
        module: Any = protocol  # what it imports is not its to export
        module.WSStream = BoundedWebSocket


class BoundedWebSocket(WSStream):
    """A WebSocket that keeps nothing of what it has refused, and ends.

    Hypercorn's own goes on gathering a message that is too large for as long as its client sends it. It takes
    compressed messages, of which a few kilobytes are many megabytes before anybody knows how large they are. And it
    looks whether the connection has ended only when it is time for the next ping.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._has_ended = asyncio.Event()
        self._has_refused = False

    async def handle(self, event: Event) -> None:
        """Take what the client has sent."""
        if isinstance(event, Request):
            event = replace(event, headers=[each for each in event.headers if each[0].lower() != _EXTENSIONS])
        elif isinstance(event, StreamClosed):
            self._has_ended.set()
        elif isinstance(event, (Body, Data)) and self._is_over:
            return
        await super().handle(event)

    @property
    def _is_over(self) -> bool:
        """Whether both sides have taken leave."""
        return self.handshake.accepted and self.connection.state is ConnectionState.CLOSED

    async def _handle_events(self) -> None:
        if not self._has_refused:
            await super()._handle_events()
            if self.buffer.length <= self.buffer.max_length:
                return
            self._has_refused = True
            self.buffer.clear()
            tasks: Any = self.task_group  # its types are only half there
            tasks.spawn(self._end)
        for event in self.connection.events():
            if isinstance(event, CloseConnection):
                await self.send(StreamClosed(stream_id=self.stream_id))

    async def _end(self) -> None:
        """End the connection of a client that was told that it ends, and does not take leave."""
        await self._ended(within=_GRACE)
        if not self.closed:
            await self.send(StreamClosed(stream_id=self.stream_id))

    async def _send_pings(self) -> None:
        while not self.closed:
            await self._send_wsproto_event(Ping())
            await self._ended(within=self.config.websocket_ping_interval)

    async def _ended(self, *, within: float | None) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(within):
                await self._has_ended.wait()
