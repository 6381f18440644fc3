"""Every way into an app, and who says there who is calling."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from starlette.routing import BaseRoute, Match
from starlette.types import Scope

from .channel import ErrorRenderer

HOST: Final = "host"
"""Who authenticates unless somebody else is named: `auth=`, or the app around the host."""

NOBODY: Final = "nobody"
"""Who authenticates at the host's public probes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entrance:
    """One route of an app.

    Args:
        route: The Starlette route, at its full path.
        channel: The name of the channel that brought it; `None` for the host's own.
        authenticated_by: `"host"`, `"nobody"`, or the channel's own verifier by name.
        render_error: How the channel says errors.
        body_types: What the bodies of its requests may be; `None` for anything.
    """

    route: BaseRoute
    channel: str | None = None
    authenticated_by: str = HOST
    render_error: ErrorRenderer | None = None
    body_types: tuple[str, ...] | None = None

    @property
    def path(self) -> str:
        """The route's full path; a host-based route has none."""
        return getattr(self.route, "path", "")

    @property
    def methods(self) -> frozenset[str] | None:
        """The HTTP methods that it answers; `None` for all, and for WebSockets."""
        methods: Any = getattr(self.route, "methods", None)
        return frozenset(methods) if methods else None


class Place(NamedTuple):
    """What a request comes to: an entrance, the keys of the scope there, and whether it takes the request's method."""

    entrance: Entrance
    child_scope: Scope
    is_whole: bool


_PLACE: Final = "agent_framework_hosting.place"


def find(entrances: Sequence[Entrance], scope: Scope) -> Entrance | None:
    """Return the entrance that a request comes to, by the rules of Starlette's router; `None` when there is none."""
    place = locate(entrances, scope)
    return None if place is None else place.entrance


def locate(entrances: Sequence[Entrance], scope: Scope) -> Place | None:
    """Return the same with all that the router finds out.

    Several on the way ask for it, so what was found stays in the scope: for as long as nothing is another there that a
    route looks at.
    """
    told = (scope["type"], scope.get("method"), scope["path"], scope.get("root_path"), scope.get("path_params"))
    known = scope.get(_PLACE)
    if known is not None and known[0] is entrances and known[1] is scope["headers"] and known[2] == told:
        return known[3]
    place = _located(entrances, scope)
    scope[_PLACE] = (entrances, scope["headers"], told, place)
    return place


def _located(entrances: Sequence[Entrance], scope: Scope) -> Place | None:
    nearly: Place | None = None
    for entrance in entrances:
        match, child_scope = entrance.route.matches(scope)
        if match is Match.FULL:
            return Place(entrance, child_scope, True)
        if match is Match.PARTIAL and nearly is None:
            nearly = Place(entrance, child_scope, False)
    return nearly
