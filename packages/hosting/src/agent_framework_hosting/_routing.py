"""Innermost of an app: its routes, and what Starlette's exceptions say of them."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from typing import Any

from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.routing import Route, Router
from starlette.types import ASGIApp, Receive, Scope, Send

from ._ways import Entrances
from .web.endpoint import Endpoint


class Routing:
    """Hands a request to its route.

    An `Endpoint` tells all its errors itself and knows its methods: it needs no more than its route. For everything
    else this is Starlette's router in its exception middleware.

    Who tells of a request when it is over looks up once more where it went, so what that is found by stays as it came:
    routes that may change it get a scope of their own.

    Args:
        router: The app's.
        entrances: All ways into it.
        handlers: Answers to exceptions.
    """

    def __init__(self, router: Router, *, entrances: Entrances, handlers: Mapping[Any, Any]) -> None:
        self._entrances = entrances
        self._app: ASGIApp = ExceptionMiddleware(router, handlers)

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Handle one request."""
        place = self._entrances.locate(scope) if scope["type"] == "http" else None
        if place is not None and place.is_whole:
            route = place.entrance.route
            if isinstance(route, Route) and isinstance(route.app, Endpoint):
                # The place may be known to others as well.
                parameters = dict(place.child_scope["path_params"])
                if parameters:
                    scope = dict(scope)
                scope.update(place.child_scope, route=route, path_params=parameters)
                return route.app(scope, receive, send)
        return self._app(dict(scope), receive, send)
