"""Contributions become one Starlette app: mounting, the readiness probe, and answers for what is not there."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractContextManager
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import HTTPConnection, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Mount, Route, WebSocketRoute
from starlette.types import ASGIApp, Lifespan, Receive, Scope, Send

from ._admission import Admission
from ._arrival import arriving, handed_to
from ._authentication import Authentication
from ._authority import parse_origin
from ._disabled import DisabledChannels
from ._doorway import Doorway
from ._drain import WebSockets
from ._guard import Guard
from ._headers import forget_headers
from ._isolation_headers import IsolationHeaders
from ._lifespan import NamedContribution
from ._load import Load
from ._mount import Mounts, contribution_of, normal_path, refuse_shared
from ._routing import Routing
from ._telemetry.requests import Place, Requests
from ._telemetry.telemetry import Telemetry
from ._ways import Entrances
from .channel import SiblingRoute
from .door import Door
from .entrances import HOST, NOBODY, Entrance
from .errors import HostError, StateUnavailable, Unavailable
from .limits import Limits
from .web.error_objects import error_response
from .web.errors import ErrorDescription, describe, noted

if TYPE_CHECKING:
    from .channel import Channel, ChannelContext

READINESS: Final = "/readiness"
LIVENESS: Final = "/livez"

_KINDS: Final = ("websocket", "http")


def build_app(
    entrances: Sequence[Entrance],
    *,
    lifespan: Lifespan[Any],
    doorway: Doorway,
    limits: Limits,
    disabled: Collection[str],
    telemetry: Telemetry,
    sockets: WebSockets,
) -> Starlette:
    """Return the app that serves all entrances."""
    door, ways = doorway.door, Entrances(entrances)
    app = _App(
        door,
        partial(_way_in, doorway=doorway, entrances=ways, limits=limits, disabled=disabled, sockets=sockets),
        routes=[_exact(entrance.route) for entrance in entrances],
        middleware=[
            Middleware(Requests, telemetry=telemetry, place_of=partial(_place, ways), answer=_answer_to),
            *_proxies_of(door),
        ],
        exception_handlers={HTTPException: _not_served, HostError: _failed},
        lifespan=lifespan,
    )
    # A redirect to the path with or without its slash would name whatever host the request claims to be for.
    app.router.redirect_slashes = False
    return app


def _proxies_of(door: Door) -> list[Middleware]:
    if not door.names_proxies:
        return []
    from ._proxies import NamedProxies

    return [Middleware(NamedProxies, door=door)]


def _exact(route: BaseRoute) -> BaseRoute:
    # Starlette's patterns end with `$`, which also matches before a line break: a path with one would be that without.
    if isinstance(route, (Route, WebSocketRoute, Mount)):
        route.path_regex = re.compile(re.sub(r"\$$", r"\\Z", route.path_regex.pattern))
    return route


class _App(Starlette):
    """Lets pages of other origins read every answer, also that to an error which nothing further in has caught."""

    def __init__(self, door: Door, way_in: Callable[[Routing], ASGIApp], **options: Any) -> None:
        super().__init__(**options)
        self._door = door
        self._way_in = way_in

    def build_middleware_stack(self) -> ASGIApp:
        """Return all that handles a request."""
        app = self._way_in(Routing(self.router, handlers=self.exception_handlers))
        # Without Starlette's own outermost one: the first of these answers whatever was not answered, and logs it.
        for layer in reversed(self.user_middleware):
            app = layer.cls(app, *layer.args, **layer.kwargs)
        if not self._door.allow_origins:
            return app
        from starlette.middleware.cors import CORSMiddleware

        return CORSMiddleware(
            app,
            # It compares texts, and browsers have one for each origin.
            allow_origins=[str(parse_origin(origin) or origin) for origin in self._door.allow_origins],
            allow_methods=["*"],
            allow_headers=["*"],
            expose_headers=["*"],
            allow_private_network=True,
        )


def contributions_of(
    channels: Sequence[Channel],
    context: ChannelContext,
    *,
    handled_by: Callable[[str], AbstractContextManager[None]],
) -> list[NamedContribution]:
    """Return what the channels bring, each asked once, while what it handles is told to be its own."""
    contributions: list[NamedContribution] = []
    for channel in channels:
        with handled_by(channel.name):
            contribution = contribution_of(channel, context)
        contributions.append(NamedContribution(channel.name, normal_path(channel), contribution))
    refuse_shared((each.name, each.contribution) for each in contributions)
    return contributions


def readiness_probe(admission: Admission, *, is_well: Callable[[], bool], stores_well: Callable[[], bool]) -> Entrance:
    """Return the public probe that tells whether the host takes work, and whether what it stands on is able to."""

    async def readiness(_: Request) -> Response:
        try:
            admission.check()
        except Unavailable as error:
            return PlainTextResponse(error.code, status_code=error.status)
        if not is_well():
            return PlainTextResponse("target_failed", status_code=503)
        if not stores_well():
            return PlainTextResponse(StateUnavailable.code, status_code=StateUnavailable.status)
        return PlainTextResponse("ok")

    return Entrance(route=Route(READINESS, readiness, methods=["GET"]), authenticated_by=NOBODY)


def liveness_probe() -> Entrance:
    """Return the public probe that tells that the process answers at all, also while it drains."""

    async def livez(_: Request) -> Response:
        return PlainTextResponse("ok")

    return Entrance(route=Route(LIVENESS, livez, methods=["GET"]), authenticated_by=NOBODY)


def mounted(contributions: Sequence[NamedContribution]) -> list[Entrance]:
    """Return the routes of all contributions at their full paths.

    Raises:
        ConfigurationError: Two routes want one path.
    """
    mounts = Mounts(reserved={READINESS: "the host's readiness probe", LIVENESS: "the host's liveness probe"})
    # The most particular path first, so that a channel at the root leaves the others their paths.
    for each in sorted(contributions, key=lambda each: len(each.path), reverse=True):
        render = each.contribution.render_error
        types = None if each.contribution.body_types is None else tuple(each.contribution.body_types)
        # A channel whose other routes take every path below its own means its webhooks to be reached all the same.
        for verified in each.contribution.verified_routes:
            own = Entrance(
                route=verified.route, channel=each.name, authenticated_by=verified.verifier, render_error=render
            )
            mounts.add(own, prefix=each.path)
        for route in each.contribution.routes:
            entrance = Entrance(route=route, channel=each.name, render_error=render, body_types=types)
            mounts.add(entrance, prefix=each.path)
    for each in contributions:
        for sibling in each.contribution.siblings:
            mounts.add_sibling(_beside(each, sibling), shared_as=sibling.shared_as)
    return mounts.entrances


def _way_in(
    routing: Routing,
    *,
    doorway: Doorway,
    entrances: Entrances,
    limits: Limits,
    disabled: Collection[str],
    sockets: WebSockets,
) -> ASGIApp:
    """Return the routes with all that a request passes before them; from the outside to the inside, read it upwards."""
    door, trusted = doorway.door, doorway.trusts_headers
    if trusted is None and not door.names_proxies:
        trusted = False
    load = Load(DisabledChannels(routing.enter, disabled=disabled).enter, limits=limits)
    known = Authentication(load.enter, doorway=doorway, entrances=entrances, timeout=limits.authentication_timeout)
    step = IsolationHeaders(known.enter, entrances=entrances, trusted=trusted).enter
    beyond: ASGIApp = routing
    if door.middleware:
        for kind in _KINDS:
            beyond = arriving(kind, step, entrances=entrances, otherwise=beyond)
        beyond = _read_anew(beyond)
        for layer in reversed(door.middleware):
            beyond = layer.cls(beyond, *layer.args, **layer.kwargs)
        step = handed_to(beyond)
    step = Guard(step, door=door).enter
    others = sockets.middleware(arriving("websocket", step, entrances=entrances, otherwise=beyond))
    return arriving("http", step, entrances=entrances, otherwise=others)


def _read_anew(app: ASGIApp) -> ASGIApp:
    """Return the app for behind middleware of others, which may have changed headers in place."""

    # Async, and not what returns the next one's: the ASGI middleware of OpenTelemetry, for one, takes an app that is no
    # coroutine function for one of ASGI 2, and calls it with the scope alone.
    async def read_anew(scope: Scope, receive: Receive, send: Send) -> None:
        forget_headers(scope)
        await app(scope, receive, send)

    return read_anew


def _place(entrances: Entrances, scope: Scope) -> Place:
    entrance = entrances.find(scope)
    if entrance is None:
        return Place(None, None)
    is_probe = entrance.channel is None and entrance.authenticated_by == NOBODY
    return Place(entrance.path or None, entrance.channel, is_probe=is_probe)


def _answer_to(error: Exception) -> ASGIApp:
    return error_response(describe(error))


def _beside(each: NamedContribution, sibling: SiblingRoute) -> Entrance:
    types = each.contribution.body_types
    is_hosts = sibling.verifier is None
    return Entrance(
        route=sibling.route,
        channel=each.name,
        authenticated_by=HOST if sibling.verifier is None else sibling.verifier,
        render_error=each.contribution.render_error,
        body_types=tuple(types) if is_hosts and types is not None else None,
    )


async def _not_served(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    codes = {404: "not_found", 405: "method_not_allowed"}
    messages = {
        404: f"There is nothing at {request.url.path}.",
        405: f"{request.method} is not offered at {request.url.path}.",
    }
    status = error.status_code
    description = ErrorDescription(status, codes.get(status, "error"), messages.get(status, error.detail))
    answer = error_response(noted(description) if status in codes else description)
    answer.headers.update(error.headers or {})
    return answer


async def _failed(request: HTTPConnection, error: Exception) -> Response:
    if request.scope["type"] != "http":
        raise error
    return error_response(describe(error))
