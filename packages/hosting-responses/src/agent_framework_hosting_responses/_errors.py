"""Errors in the words of the OpenAI API."""

from __future__ import annotations

from typing import Final

import msgspec

from agent_framework_hosting.web.error_objects import ErrorObjects
from agent_framework_hosting.web.errors import ErrorDescription

_SERVER_SIDE: Final = 500
_TOO_MUCH: Final = 429

error_response: Final = ErrorObjects(
    codes={
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
    },
    params={
        "unknown_parent": "previous_response_id",
        "not_forkable": "previous_response_id",
        "answered_already": "input",
    },
)
"""Says an error as every client of the API understands it."""


class Failure(msgspec.Struct, frozen=True):
    """Why a response failed, as its `error` says it.

    Args:
        code: One of the codes that the clients' types know.
        message: For the person who reads it.
        reason: The code that the same refusal has where it is an answer of its own; nothing when it is no refusal.
    """

    code: str
    message: str
    reason: str | None = None


def failure_of(description: ErrorDescription) -> Failure:
    """Return why a response failed after it was accepted, or its stream began."""
    if description.status >= _SERVER_SIDE:
        return Failure("server_error", description.message)
    code = "rate_limit_exceeded" if description.status == _TOO_MUCH else "invalid_prompt"
    return Failure(code, description.message, error_response.code(description))
