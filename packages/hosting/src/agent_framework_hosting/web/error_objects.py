"""Errors as JSON objects of a message, a type, a param and a code: the shape that clients of model APIs read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from starlette.responses import Response

from .._handled import request_id as current_request_id
from .._late import late, listed
from ..rendering.text import to_json
from .errors import ErrorDescription

if TYPE_CHECKING:
    from ._types import ErrorBody, ErrorObject, RenderError

__all__ = ["ErrorBody", "ErrorObject", "ErrorObjects", "RenderError", "error_response"]

_TYPES: Final = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}
_SERVER_SIDE: Final = 500
_CONFLICT: Final = 409
"""A status that clients answer by sending the request again."""

if not TYPE_CHECKING:
    __getattr__ = late(globals(), {"ErrorBody": "_types", "ErrorObject": "_types", "RenderError": "_types"})
    __dir__ = listed(globals(), __all__)


class ErrorObjects:
    """Renders errors as objects, in a protocol's own words where it has some.

    Args:
        codes: What the protocol calls some of the host's neutral codes.
        params: Where in the protocol's requests the fault lies, for codes whose errors do not say so.

    Example:
        >>> from agent_framework_hosting.web.errors import ErrorDescription
        >>> render = ErrorObjects(codes={"queue_full": "rate_limit_exceeded"})
        >>> render.body(ErrorDescription(429, "queue_full", "Later."))
        b'{"error":{"message":"Later.","type":"rate_limit_error","param":null,"code":"rate_limit_exceeded"}}'
    """

    def __init__(self, *, codes: Mapping[str, str] | None = None, params: Mapping[str, str] | None = None) -> None:
        self._codes = codes or {}
        self._params = params or {}

    def code(self, description: ErrorDescription) -> str:
        """Return what the protocol calls the error."""
        return self._codes.get(description.code, description.code)

    def body(self, description: ErrorDescription) -> bytes:
        """Return the object; all of its four keys are always there."""
        kind = "server_error" if description.status >= _SERVER_SIDE else "invalid_request_error"
        error: ErrorObject = {
            "message": description.message,
            "type": _TYPES.get(description.status, kind),
            "param": description.param or self._params.get(description.code),
            "code": self.code(description),
        }
        body: ErrorBody = {"error": error}
        return to_json(body)

    def __call__(self, description: ErrorDescription, *, request_id: bytes | None = None) -> Response:
        """Return the whole answer."""
        answer = Response(self.body(description), status_code=description.status, media_type="application/json")
        answer.raw_headers.append((b"x-request-id", request_id or current_request_id().encode()))
        answer.raw_headers.extend(retry_headers(description))
        return answer


error_response: Final = ErrorObjects()
"""The answer of a path that has no protocol of its own to say it in."""


def retry_headers(description: ErrorDescription) -> list[tuple[bytes, bytes]]:
    """Return the headers that tell clients whether, and when, to send the request again."""
    headers: list[tuple[bytes, bytes]] = []
    if description.retry_after is not None:
        headers.append((b"retry-after", str(description.retry_after).encode()))
    if not description.may_retry and (description.status >= _SERVER_SIDE or description.status == _CONFLICT):
        # The agent may have acted already: the clients' automatic second attempt would act twice.
        headers.append((b"x-should-retry", b"false"))
    return headers
