"""Contributions become one Starlette app: mounting, the readiness probe, and answers for what is not there."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractContextManager
from typing import Any, Final

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import HTTPConnection, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import Lifespan

from ._admission import Admission
from ._authentication import Authentication
from ._disabled import DisabledChannels
from ._guard import TrustedIsolationHeaders, UntrustedIsolationHeaders
from ._lifespan import NamedContribution
from ._mount import Mounts, contribution_of, normal_path, refuse_shared
from .auth.authenticator import Authenticate
from .channel import Channel, ChannelContext
from .entrances import HOST, NOBODY, Entrance
from .errors import HostError, StateUnavailable, Unavailable
from .web.error_objects import error_response
from .web.errors import ErrorDescription, describe

READINESS: Final = "/readiness"


def build_app(
    entrances: Sequence[Entrance],
    *,
    lifespan: Lifespan[Any],
    authenticate: Authenticate | None,
    authentication_timeout: float,
    trust_isolation_headers: bool,
    disabled: Collection[str],
) -> Starlette:
    """Return the app that serves all entrances."""
    guard = TrustedIsolationHeaders if trust_isolation_headers else UntrustedIsolationHeaders
    authentication = Middleware(
        Authentication, authenticate=authenticate, entrances=entrances, timeout=authentication_timeout
    )
    app = Starlette(
        routes=[entrance.route for entrance in entrances],
        middleware=[
            Middleware(guard),
            authentication,
            Middleware(DisabledChannels, entrances=entrances, disabled=disabled),
        ],
        # `Exception` alone would give the same answers, but Starlette raises what it handles so a second time.
        exception_handlers={HTTPException: _not_served, HostError: _failed, Exception: _failed},
        lifespan=lifespan,
    )
    # A redirect to the path with or without its slash would name whatever host the request claims to be for.
    app.router.redirect_slashes = False
    return app


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


def mounted(contributions: Sequence[NamedContribution]) -> list[Entrance]:
    """Return the routes of all contributions at their full paths.

    Raises:
        ConfigurationError: Two routes want one path.
    """
    mounts = Mounts(reserved={READINESS: "the host's readiness probe"})
    # The most particular path first, so that a channel at the root leaves the others their paths.
    for each in sorted(contributions, key=lambda each: len(each.path), reverse=True):
        render = each.contribution.render_error
        # A channel whose other routes take every path below its own means its webhooks to be reached all the same.
        for verified in each.contribution.verified_routes:
            own = Entrance(
                route=verified.route, channel=each.name, authenticated_by=verified.verifier, render_error=render
            )
            mounts.add(own, prefix=each.path)
        for route in each.contribution.routes:
            mounts.add(Entrance(route=route, channel=each.name, render_error=render), prefix=each.path)
    for each in contributions:
        for sibling in each.contribution.siblings:
            authenticated_by = HOST if sibling.verifier is None else sibling.verifier
            entrance = Entrance(
                route=sibling.route,
                channel=each.name,
                authenticated_by=authenticated_by,
                render_error=each.contribution.render_error,
            )
            mounts.add_sibling(entrance, shared_as=sibling.shared_as)
    return mounts.entrances


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
    answer = error_response(description)
    answer.headers.update(error.headers or {})
    return answer


async def _failed(request: HTTPConnection, error: Exception) -> Response:
    if request.scope["type"] != "http":
        raise error
    return error_response(describe(error))
