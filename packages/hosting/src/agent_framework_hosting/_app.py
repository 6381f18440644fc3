"""Contributions become one Starlette app: mounting, the readiness probe, and answers for what is not there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import Lifespan

from ._admission import Admission
from ._guard import TrustedIsolationHeaders, UntrustedIsolationHeaders
from ._lifespan import NamedContribution
from ._mount import Mounts
from .ids import mint
from .web.errors import describe

READINESS: Final = "/readiness"
_SERVER_SIDE: Final = 500


def build_app(
    contributions: Sequence[NamedContribution],
    *,
    admission: Admission,
    lifespan: Lifespan[Any],
    trust_isolation_headers: bool,
) -> Starlette:
    """Return the app that serves all contributions."""

    async def readiness(_: Request) -> Response:
        if admission.draining:
            return PlainTextResponse("draining", status_code=503)
        return PlainTextResponse("ok")

    guard = TrustedIsolationHeaders if trust_isolation_headers else UntrustedIsolationHeaders
    return Starlette(
        routes=[Route(READINESS, readiness, methods=["GET"]), *mounted(contributions)],
        middleware=[Middleware(guard)],
        exception_handlers={HTTPException: _not_served, Exception: _failed},
        lifespan=lifespan,
    )


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
    message = messages.get(error.status_code, error.detail)
    return _json_error(error.status_code, codes.get(error.status_code, "error"), message, error.headers)


async def _failed(_: Request, error: Exception) -> Response:
    description = describe(error)
    return _json_error(description.status, description.code, description.message, None)


def _json_error(status: int, code: str, message: str, headers: Any) -> Response:
    kind = "invalid_request_error" if status < _SERVER_SIDE else "server_error"
    body = msgspec.json.encode({"error": {"message": message, "type": kind, "param": None, "code": code}})
    answer = Response(body, status_code=status, headers=headers, media_type="application/json")
    answer.headers["x-request-id"] = mint("req_")
    return answer
