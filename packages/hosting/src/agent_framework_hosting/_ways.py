"""Which of an app's entrances a request comes to."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile
from typing import Final

import msgspec
from starlette.routing import BaseRoute, Match, Mount, Route, WebSocketRoute
from starlette.types import Scope

from .entrances import Entrance
from .web.endpoint import Endpoint


class Place(msgspec.Struct, frozen=True, eq=False):
    """What a request comes to.

    Args:
        entrance: The entrance.
        child_scope: The keys of the scope there.
        is_whole: Whether it takes the request's method.
        endpoint: What answers, where that tells all its errors itself and needs nothing of Starlette's.
    """

    entrance: Entrance
    child_scope: Scope
    is_whole: bool
    endpoint: Endpoint | None = None


_PLACE: Final = "agent_framework_hosting.place"
_METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


class Entrances:
    """All ways into an app, and which of them a request comes to, by the rules of Starlette's router.

    Args:
        entrances: All of them, in the router's order.
    """

    def __init__(self, entrances: Sequence[Entrance]) -> None:
        self._all = tuple(entrances)
        self._foreseen = self._foresee()

    def find(self, scope: Scope) -> Entrance | None:
        """Return the entrance that a request comes to; `None` when there is none."""
        place = self.locate(scope)
        return None if place is None else place.entrance

    def locate(self, scope: Scope) -> Place | None:
        """Return the same with all that the router finds out.

        Several on the way ask for it. What comes to a path without parameters was found when the app was made; what is
        found for others stays in the scope, for as long as nothing is another there that a route looks at.
        """
        if not scope.get("root_path") and not scope.get("path_params"):
            place = self._foreseen.get((scope["type"], scope.get("method"), scope["path"]))
            if place is not None:
                return place
        told = (scope["type"], scope.get("method"), scope["path"], scope.get("root_path"), scope.get("path_params"))
        known = scope.get(_PLACE)
        if known is not None and known[0] is self and known[1] is scope["headers"] and known[2] == told:
            return known[3]
        place = self._located(scope)
        scope[_PLACE] = (self, scope["headers"], told, place)
        return place

    def _located(self, scope: Scope) -> Place | None:
        nearly: Place | None = None
        for entrance in self._all:
            match, child_scope = entrance.route.matches(scope)
            if match is Match.FULL:
                return Place(entrance, child_scope, True, _endpoint_of(entrance.route))
            if match is Match.PARTIAL and nearly is None:
                nearly = Place(entrance, child_scope, False)
        return nearly

    def _foresee(self) -> dict[tuple[str, str | None, str], Place]:
        """Return where requests come to by type, method and path, for paths without parameters."""
        found: dict[tuple[str, str | None, str], Place] = {}
        # A route of another kind, such as one for a name of the host, may look at more, and what is behind it depends.
        for entrance in takewhile(lambda each: type(each.route) in (Route, WebSocketRoute, Mount), self._all):
            if not _is_plain(entrance.route):
                continue
            kind, known = "websocket" if isinstance(entrance.route, WebSocketRoute) else "http", None
            for method in (None,) if kind == "websocket" else _METHODS:
                place = self._located({"type": kind, "method": method, "path": entrance.path, "headers": []})
                if place is not None and place.entrance is entrance and place.is_whole:
                    # The method says whether a route takes a request, and nothing of what it comes to there.
                    found[kind, method, entrance.path] = known = known or place
        return found


def _endpoint_of(route: BaseRoute) -> Endpoint | None:
    return route.app if isinstance(route, Route) and isinstance(route.app, Endpoint) else None


def _is_plain(route: BaseRoute) -> bool:
    return isinstance(route, (Route, WebSocketRoute)) and not route.param_convertors
