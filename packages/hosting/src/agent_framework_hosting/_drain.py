"""Coming to an end beneath servers that tell an app of it too late, and WebSockets that would wait for ever."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ._admission import Admission

if TYPE_CHECKING:
    from ._signals import ChainedSignals

_RESTART: Final = 1012
_LAST_WORDS: Final = 5.0
"""Seconds that a WebSocket's channel gets to say how its last run has ended."""
_QUIET: Final = 0.1
"""Seconds of silence after which a channel that waits for its client has said all."""


class Drain:
    """How a host comes to its end.

    Args:
        admission: Knows what runs.
        timeout: Seconds that it gets to finish.
        on_signals: Whether signals tell of the end, besides whoever else handles them.
    """

    def __init__(self, admission: Admission, *, timeout: float, on_signals: bool) -> None:
        self.sockets = WebSockets()
        self._admission = admission
        self._timeout = timeout
        self._signals: ChainedSignals | None = None
        if on_signals:
            from ._signals import ChainedSignals

            self._signals = ChainedSignals(on_told=admission.begin_drain, then=self.drain)

    def start(self) -> None:
        """Hear signals, when that is wanted."""
        if self._signals is not None:
            self._signals.install()

    def stop(self) -> None:
        """Hear them no longer; idempotent."""
        if self._signals is not None:
            self._signals.remove()

    async def drain(self) -> bool:
        """Take no new work, finish or tell what runs, close what is left; returns whether nothing runs any more."""
        is_calm = await self._admission.drain(timeout=self._timeout)
        await self.sockets.close()
        return is_calm


class WebSockets:
    """Closes the WebSockets that are left once the host has drained; with 1012, "service restart".

    A WebSocket waits for its client for ever, and a server that stops would wait for the WebSocket. Until the host has
    drained its channel uses it as always, and what it has begun is finished or told.
    """

    def __init__(self) -> None:
        self._open: set[_Socket] = set()

    def middleware(self, app: ASGIApp) -> ASGIApp:
        """Return the app, with its WebSockets known."""

        def watched(scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
            if scope["type"] != "websocket":
                return app(scope, receive, send)
            return self._watch(app, scope, _Socket(receive, send))

        return watched

    async def _watch(self, app: ASGIApp, scope: Scope, socket: _Socket) -> None:
        self._open.add(socket)
        try:
            await app(scope, socket.receive, socket.send)
        finally:
            self._open.discard(socket)

    async def close(self) -> None:
        """Close those that are open."""
        await asyncio.gather(*(socket.close() for socket in list(self._open)), return_exceptions=True)


class _Socket:
    __slots__ = ("_is_closed", "_is_open", "_is_receiving", "_receive", "_send", "_sent_at")

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive = receive
        self._send = send
        self._is_open = self._is_closed = self._is_receiving = False
        self._sent_at = 0.0

    async def receive(self) -> Message:
        self._is_receiving = True
        try:
            return await self._receive()
        finally:
            self._is_receiving = False

    async def send(self, message: Message) -> None:
        if self._is_closed:
            if message["type"] == "websocket.close":
                return
            # What servers raise when the client has gone.
            raise OSError("The WebSocket was closed, since the host has drained.")
        if message["type"] == "websocket.accept":
            self._is_open = True
        elif message["type"] == "websocket.close":
            self._is_open = False
        await self._send(message)
        self._sent_at = asyncio.get_running_loop().time()

    async def close(self) -> None:
        # The run is over before its channel has said so; a channel that waits for its client again has.
        loop = asyncio.get_running_loop()
        until = loop.time() + _LAST_WORDS
        while loop.time() < until and not (self._is_receiving and loop.time() >= self._sent_at + _QUIET):  # noqa: ASYNC110 - for silence
            await asyncio.sleep(_QUIET / 2)
        if self._is_open:
            self._is_open, self._is_closed = False, True
            # Whoever takes nothing does not take this either, and the host does not wait for it.
            with suppress(TimeoutError):
                async with asyncio.timeout(_LAST_WORDS):
                    await self._send({"type": "websocket.close", "code": _RESTART, "reason": "The server restarts."})
