"""Every way into an app, and who says there who is calling."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from starlette.routing import BaseRoute

from ._alike import alike
from .channel import ErrorRenderer

HOST: Final = "host"
"""Who authenticates unless somebody else is named: `auth=`, or the app around the host."""

NOBODY: Final = "nobody"
"""Who authenticates at the host's public probes."""


@alike
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
