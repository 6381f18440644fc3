"""Innermost of an app: its routes, and what Starlette's exceptions say of them."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from typing import Any

from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.routing import Router
from starlette.types import ASGIApp, Receive, Scope, Send

from ._arrival import Arrival


class Routing:
    """Hands a request to its route.

    An `Endpoint` tells all its errors itself and knows its methods: it needs no more than its route. For everything
    else this is Starlette's router in its exception middleware.

    Who tells of a request when it is over looks up once more where it went, so what that is found by stays as it came:
    routes that may change it get a scope of their own.

    Args:
        router: The app's.
        handlers: Answers to exceptions.
    """

    def __init__(self, router: Router, *, handlers: Mapping[Any, Any]) -> None:
        self._app: ASGIApp = ExceptionMiddleware(router, handlers)

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Handle what is no request; the ASGI callable."""
        return self._app(scope, receive, send)

    def enter(self, arrival: Arrival, receive: Receive, send: Send) -> Awaitable[None]:
        """Handle one request; a `Step`."""
        scope, place = arrival.scope, arrival.place
        if place is None or place.endpoint is None:
            return self._app(dict(scope), receive, send)
        # The place may be known to others as well.
        parameters = dict(place.child_scope["path_params"])
        if parameters:
            scope = dict(scope)
        scope.update(place.child_scope)
        scope["route"], scope["path_params"] = place.entrance.route, parameters
        return place.endpoint(scope, receive, send)
