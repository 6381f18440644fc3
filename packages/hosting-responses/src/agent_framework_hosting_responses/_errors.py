"""Errors in the words of the OpenAI API."""

from __future__ import annotations

from typing import Final

import msgspec
from starlette.responses import Response

from agent_framework_hosting.ids import mint
from agent_framework_hosting.web.errors import ErrorDescription

_CODES: Final = {
    "unknown_parent": "previous_response_not_found",
    "unauthenticated": "invalid_api_key",
    "queue_full": "rate_limit_exceeded",
    "not_forkable": "previous_response_not_latest",
    "answered_already": "approval_already_answered",
    "run_failed": "server_error",
    "hook_failed": "server_error",
    "internal_error": "server_error",
    "interrupted": "response_interrupted",
    "response_too_large": "server_error",
}
_PARAMS: Final = {
    "unknown_parent": "previous_response_id",
    "not_forkable": "previous_response_id",
    "answered_already": "input",
}
_TYPES: Final = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}
_SERVER_SIDE: Final = 500
_CONFLICT: Final = 409
"""A status that official clients answer by sending the request again."""


def error_body(description: ErrorDescription) -> bytes:
    """Return the error object that every client of the API understands; all four keys are always there."""
    kind = "server_error" if description.status >= _SERVER_SIDE else "invalid_request_error"
    return msgspec.json.encode(
        {
            "error": {
                "message": description.message,
                "type": _TYPES.get(description.status, kind),
                "param": description.param or _PARAMS.get(description.code),
                "code": _CODES.get(description.code, description.code),
            }
        }
    )


def error_headers(description: ErrorDescription) -> list[tuple[bytes, bytes]]:
    """Return the headers that tell official clients whether, and when, to send the request again."""
    headers: list[tuple[bytes, bytes]] = []
    if description.retry_after is not None:
        headers.append((b"retry-after", str(description.retry_after).encode()))
    if not description.may_retry and (description.status >= _SERVER_SIDE or description.status == _CONFLICT):
        # The agent may have acted already: the clients' automatic second attempt would act twice.
        headers.append((b"x-should-retry", b"false"))
    return headers


def error_response(description: ErrorDescription, *, request_id: bytes | None = None) -> Response:
    """Return the whole answer."""
    answer = Response(error_body(description), status_code=description.status, media_type="application/json")
    told = [(b"x-request-id", request_id or mint("req_").encode()), *error_headers(description)]
    answer.raw_headers.extend(told)
    return answer


def failure_code(description: ErrorDescription) -> str:
    """Return the code for a response that failed after its stream began, out of those that the clients' types know."""
    if description.code == "queue_full":
        return "rate_limit_exceeded"
    return "server_error" if description.status >= _SERVER_SIDE else "invalid_prompt"
