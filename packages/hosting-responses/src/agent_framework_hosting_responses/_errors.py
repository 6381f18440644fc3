"""Errors in the words of the OpenAI API."""

from __future__ import annotations

from typing import Final

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


def failure_code(description: ErrorDescription) -> str:
    """Return the code for a response that failed after its stream began, out of those that the clients' types know."""
    if description.status == _TOO_MUCH:
        return "rate_limit_exceeded"
    return "server_error" if description.status >= _SERVER_SIDE else "invalid_prompt"
