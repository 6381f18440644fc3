"""Errors as RFC 9457 has them: `application/problem+json`, with a code for programs and a place in the request."""

from __future__ import annotations

from http import HTTPStatus
from typing import Final

from starlette.responses import Response

from agent_framework_hosting.errors import ResponseTooLarge, RunCancelled
from agent_framework_hosting.ids import mint
from agent_framework_hosting.rendering.text import to_json
from agent_framework_hosting.web.error_objects import retry_headers
from agent_framework_hosting.web.errors import ErrorDescription, describe

from .vocabulary import Failure, Problem

MEDIA_TYPE: Final = "application/problem+json"

_PARAMS: Final = {"answered_already": "responses"}
"""Where the fault lies, for codes whose errors do not say so."""


def problem_response(description: ErrorDescription, *, request_id: bytes | None = None) -> Response:
    """Return the whole answer of an error."""
    known = request_id or mint("req_").encode()
    problem = Problem(
        # There is no page about each error, so what it means is what its status means.
        type="about:blank",
        title=HTTPStatus(description.status).phrase,
        status=description.status,
        detail=description.message,
        code=description.code,
        request_id=known.decode(),
        param=description.param or _PARAMS.get(description.code),
    )
    answer = Response(to_json(problem), status_code=description.status, media_type=MEDIA_TYPE)
    answer.raw_headers.append((b"x-request-id", known))
    answer.raw_headers.extend(retry_headers(description))
    return answer


def failure_of(error: Exception) -> Failure:
    """Return how the end of a stream tells of an error."""
    if isinstance(error, RunCancelled) and error.reason in ("drained", "interrupted"):
        return Failure(error.reason, describe(error).message)
    if isinstance(error, ResponseTooLarge):
        return Failure(error.code, error.message)
    description = describe(error)
    return Failure(description.code, description.message)
