"""At the door, once it is known who is calling: no more requests under way than there is room for."""

from __future__ import annotations

from typing import Final

from starlette.types import Receive, Send
from starlette.websockets import WebSocketClose

from ._arrival import Arrival, Step
from ._capacity import Capacity
from ._spared import tidied_soon
from .entrances import HOST, NOBODY
from .errors import LimitReached, Overloaded
from .isolation import begin_call, current_principal, end_call, named_by, socket_keys
from .limits import Limits
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
        step: What is behind.
        limits: How much there is room for.
    """

    def __init__(self, step: Step, *, limits: Limits) -> None:
        self._step = step
        self._requests = Capacity(
            what="requests", most=limits.max_open_requests, most_of_one=limits.max_open_requests_per_principal
        )
        self._arriving = Arriving(max_bytes=limits.max_buffered_bytes)

    async def enter(self, arrival: Arrival, receive: Receive, send: Send) -> None:
        """Handle one request of the caller, who is the one that is calling until it has been answered; a `Step`."""
        scope, principal = arrival.scope, arrival.principal
        if scope["type"] == "websocket":
            principal = named_by(socket_keys(scope), principal)
        # Also when nobody is calling: an agent of another host in this process may be the one who asks.
        call = begin_call(principal)
        try:
            owner = current_principal().owner
            try:
                self._requests.enter(owner)
            except (Overloaded, LimitReached) as error:
                await self._without_room(error, arrival, receive, send)
                return
            try:
                scope[ARRIVING] = self._arriving
                answered = self._step(arrival, receive, send)
                # An answer may be long, and needs nothing of them.
                del arrival, scope
                await answered
            finally:
                self._requests.leave(owner)
                if not self._requests.held:
                    tidied_soon()
        finally:
            end_call(call)

    async def _without_room(
        self, error: Overloaded | LimitReached, arrival: Arrival, receive: Receive, send: Send
    ) -> None:
        entrance = arrival.entrance
        authenticated_by = entrance.authenticated_by if entrance is not None else HOST
        if authenticated_by == NOBODY or (isinstance(error, LimitReached) and authenticated_by != HOST):
            await self._step(arrival, receive, send)
        elif arrival.scope["type"] == "websocket":
            await WebSocketClose(_TRY_AGAIN_LATER)(arrival.scope, receive, send)
        else:
            render = entrance.render_error if entrance is not None else None
            answer = (render or error_response)(describe(error))
            await answer_early(answer, arrival.scope, send, upload=Upload(receive))
