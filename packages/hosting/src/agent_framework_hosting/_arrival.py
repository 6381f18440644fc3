"""A request on its way in: what the layers of the door hand each other."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeAlias

import msgspec
from starlette.types import ASGIApp, Receive, Scope, Send

from ._headers import Headers, headers_of
from ._ways import Entrances, Place
from .entrances import Entrance
from .types import ANONYMOUS, Principal


class Arrival(msgspec.Struct, eq=False):
    """A request, or a WebSocket, with what several layers look at.

    It holds what its scope said when it was made. Whoever gives those behind another scope, or lets others have it who
    may change it, makes another one.

    Args:
        scope: The ASGI scope.
        headers: Its headers.
        place: Where it comes to; `None` when there is nothing.
        principal: Who is calling, once that was asked.
    """

    scope: Scope
    headers: Headers
    place: Place | None
    principal: Principal = ANONYMOUS

    @property
    def entrance(self) -> Entrance | None:
        """The entrance that it comes to; `None` when there is none."""
        return None if self.place is None else self.place.entrance


Step: TypeAlias = Callable[[Arrival, Receive, Send], Awaitable[None]]
"""What handles a request that arrives; as an ASGI app does, with more known."""


def arrival_of(scope: Scope, *, entrances: Entrances) -> Arrival:
    """Return a request as its scope is now."""
    return Arrival(scope, headers_of(scope), entrances.locate(scope))


def arriving(kind: str, step: Step, *, entrances: Entrances, otherwise: ASGIApp) -> ASGIApp:
    """Return the app that hands `step` what is of this kind, `http` or `websocket`, and another app everything else."""

    def arrive(scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        if scope["type"] != kind:
            return otherwise(scope, receive, send)
        return step(arrival_of(scope, entrances=entrances), receive, send)

    return arrive


def handed_to(app: ASGIApp) -> Step:
    """Return the step that hands on to an app, which may be anybody's."""

    def hand(arrival: Arrival, receive: Receive, send: Send) -> Awaitable[None]:
        return app(arrival.scope, receive, send)

    return hand
