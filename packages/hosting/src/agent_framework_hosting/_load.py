"""At the door, once it is known who is calling: no more requests under way than there is room for."""

from __future__ import annotations

from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocketClose

from ._capacity import Capacity
from ._ways import Entrances
from .entrances import HOST, NOBODY
from .errors import LimitReached, Overloaded
from .isolation import begin_call, current_principal, end_call, named_by, socket_keys
from .limits import Limits
from .types import Principal
from .web.body import ARRIVING, Arriving
from .web.error_objects import error_response
from .web.errors import describe
from .web.upload import Upload, answer_early

_TRY_AGAIN_LATER: Final = 1013


class Load:
    """Counts requests and WebSocket connections, and lets those who read bodies count what is still arriving.

    Probes are let in whatever there is under way. Where a channel's own verifier says who is calling nobody is known
    yet here, so that only the whole is counted.

    Args:
        app: What is behind.
        entrances: All ways into the app.
        limits: How much there is room for.
    """

    def __init__(self, app: ASGIApp, *, entrances: Entrances, limits: Limits) -> None:
        self._app = app
        self._entrances = entrances
        self._requests = Capacity(
            what="requests", most=limits.max_open_requests, most_of_one=limits.max_open_requests_per_principal
        )
        self._arriving = Arriving(max_bytes=limits.max_buffered_bytes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send, *, principal: Principal) -> None:
        """Handle one request of the caller, who is the one that is calling until it has been answered."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        if scope["type"] == "websocket":
            principal = named_by(socket_keys(scope), principal)
        # Also when nobody is calling: an agent of another host in this process may be the one who asks.
        call = begin_call(principal)
        try:
            owner = current_principal().owner
            try:
                self._requests.enter(owner)
            except (Overloaded, LimitReached) as error:
                await self._without_room(error, scope, receive, send)
                return
            scope[ARRIVING] = self._arriving
            try:
                await self._app(scope, receive, send)
            finally:
                self._requests.leave(owner)
        finally:
            end_call(call)

    async def _without_room(self, error: Overloaded | LimitReached, scope: Scope, receive: Receive, send: Send) -> None:
        entrance = self._entrances.find(scope)
        authenticated_by = entrance.authenticated_by if entrance is not None else HOST
        if authenticated_by == NOBODY or (isinstance(error, LimitReached) and authenticated_by != HOST):
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await WebSocketClose(_TRY_AGAIN_LATER)(scope, receive, send)
        else:
            render = entrance.render_error if entrance is not None else None
            await answer_early((render or error_response)(describe(error)), scope, send, upload=Upload(receive))
