"""Channels that failed to start while the others serve: their routes say so, and nothing of theirs is reached."""

from __future__ import annotations

from collections.abc import Awaitable, Collection
from typing import Final

from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocketClose

from ._arrival import Arrival, Step
from .entrances import Entrance
from .web.error_objects import error_response
from .web.errors import ErrorDescription, noted
from .web.upload import Upload, answer_early

_TRY_AGAIN_LATER: Final = 1013
_DESCRIPTION: Final = ErrorDescription(
    503,
    "channel_disabled",
    "This channel failed to start, so that nothing answers here. The server's log says why; other channels serve.",
    may_retry=True,
)


class DisabledChannels:
    """Answers 503 at the routes of channels that are disabled.

    Args:
        step: What is behind.
        disabled: The names of disabled channels, as they are at the time of a request.
    """

    def __init__(self, step: Step, *, disabled: Collection[str]) -> None:
        self._step = step
        self._disabled = disabled

    def enter(self, arrival: Arrival, receive: Receive, send: Send) -> Awaitable[None]:
        """Handle one request; a `Step`."""
        entrance = arrival.entrance if self._disabled else None
        if entrance is None or entrance.channel not in self._disabled:
            return self._step(arrival, receive, send)
        return _refuse(entrance, arrival.scope, receive, send)


async def _refuse(entrance: Entrance, scope: Scope, receive: Receive, send: Send) -> None:
    noted(_DESCRIPTION)
    if scope["type"] == "websocket":
        await WebSocketClose(_TRY_AGAIN_LATER)(scope, receive, send)
    else:
        answer = (entrance.render_error or error_response)(_DESCRIPTION)
        await answer_early(answer, scope, send, upload=Upload(receive))
