"""Contributions become one Starlette app: mounting, the readiness probe, and answers for what is not there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import HTTPConnection, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import Lifespan

from ._admission import Admission
from ._guard import TrustedIsolationHeaders, UntrustedIsolationHeaders
from ._lifespan import NamedContribution
from ._mount import Mounts
from .errors import HostError, Unavailable
from .web.errors import ErrorDescription, describe, error_response

READINESS: Final = "/readiness"


def build_app(
    contributions: Sequence[NamedContribution],
    *,
    admission: Admission,
    is_well: Callable[[], bool],
    lifespan: Lifespan[Any],
    trust_isolation_headers: bool,
) -> Starlette:
    """Return the app that serves all contributions."""

    async def readiness(_: Request) -> Response:
        try:
            admission.check()
        except Unavailable as error:
            return PlainTextResponse(error.code, status_code=error.status)
        if not is_well():
            return PlainTextResponse("target_failed", status_code=503)
        return PlainTextResponse("ok")

    guard = TrustedIsolationHeaders if trust_isolation_headers else UntrustedIsolationHeaders
    app = Starlette(
        routes=[Route(READINESS, readiness, methods=["GET"]), *mounted(contributions)],
        middleware=[Middleware(guard)],
        # `Exception` alone would give the same answers, but Starlette raises what it handles so a second time.
        exception_handlers={HTTPException: _not_served, HostError: _failed, Exception: _failed},
        lifespan=lifespan,
    )
    # A redirect to the path with or without its slash would name whatever host the request claims to be for.
    app.router.redirect_slashes = False
    return app


def mounted(contributions: Sequence[NamedContribution]) -> list[BaseRoute]:
    """Return the routes of all contributions at their full paths.

    Raises:
        ConfigurationError: Two routes want one path.
    """
    mounts = Mounts(reserved={READINESS: "the host's readiness probe"})
    # The most particular path first, so that a channel at the root leaves the others their paths.
    for each in sorted(contributions, key=lambda each: len(each.path), reverse=True):
        for route in each.contribution.routes:
            mounts.add(route, prefix=each.path, channel=each.name)
    for each in contributions:
        for sibling in each.contribution.siblings:
            mounts.add_sibling(sibling, channel=each.name)
    return mounts.routes


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
    return error_response(description, headers=error.headers)


async def _failed(request: HTTPConnection, error: Exception) -> Response:
    if request.scope["type"] != "http":
        raise error
    return error_response(describe(error))
