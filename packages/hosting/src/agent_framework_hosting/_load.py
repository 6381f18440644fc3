"""At the door, once it is known who is calling: no more requests under way than there is room for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocketClose

from ._capacity import Capacity
from .entrances import HOST, NOBODY, Entrance, find
from .errors import LimitReached, Overloaded
from .isolation import current_principal
from .limits import Limits
from .web.error_objects import error_response
from .web.errors import describe
from .web.upload import Upload, answer_early

_TRY_AGAIN_LATER: Final = 1013


@dataclass(slots=True, kw_only=True)
class _Arriving:
    """What has come of all bodies that are not there whole, in bytes."""

    max_bytes: int
    held: int = 0


class Load:
    """Counts requests and WebSocket connections, and the bytes of bodies that are still arriving.

    Probes are let in whatever there is under way. Where a channel's own verifier says who is calling nobody is known
    yet here, so that only the whole is counted.

    Args:
        app: What is behind.
        entrances: All routes of the app, in the router's order.
        limits: How much there is room for.
    """

    def __init__(self, app: ASGIApp, *, entrances: Sequence[Entrance], limits: Limits) -> None:
        self._app = app
        self._entrances = entrances
        self._requests = Capacity(
            what="requests", most=limits.max_open_requests, most_of_one=limits.max_open_requests_per_principal
        )
        self._arriving = _Arriving(max_bytes=limits.max_buffered_bytes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        owner = current_principal().owner
        try:
            self._requests.enter(owner)
        except (Overloaded, LimitReached) as error:
            await self._without_room(error, scope, receive, send)
            return
        try:
            await self._handle(scope, receive, send)
        finally:
            self._requests.leave(owner)

    async def _handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await self._app(scope, receive, send)
            return
        body = _Body(receive, self._arriving)
        try:
            await self._app(scope, body.receive, send)
        finally:
            body.release()

    async def _without_room(self, error: Overloaded | LimitReached, scope: Scope, receive: Receive, send: Send) -> None:
        entrance = find(self._entrances, scope)
        authenticated_by = entrance.authenticated_by if entrance is not None else HOST
        if authenticated_by == NOBODY or (isinstance(error, LimitReached) and authenticated_by != HOST):
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await WebSocketClose(_TRY_AGAIN_LATER)(scope, receive, send)
        else:
            render = entrance.render_error if entrance is not None else None
            await answer_early((render or error_response)(describe(error)), scope, send, upload=Upload(receive))


class _Body:
    """The body of one request: counted until it is there whole, or nobody wants it any more."""

    __slots__ = ("_all", "_held", "_receive")

    def __init__(self, receive: Receive, arriving: _Arriving) -> None:
        self._receive = receive
        self._all = arriving
        self._held = 0

    async def receive(self) -> Message:
        """Return what comes next; the ASGI callable."""
        message = await self._receive()
        if message.get("more_body", False):
            size = len(message.get("body", b""))
            self._held += size
            self._all.held += size
            if self._all.held > self._all.max_bytes:
                self.release()
                raise Overloaded("The server is taking as many bytes as it can hold. Send the request again.")
        elif self._held:
            self.release()
        return message

    def release(self) -> None:
        """Count it no more."""
        self._all.held -= self._held
        self._held = 0
