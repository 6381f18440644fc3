"""Errors in the words of the OpenAI API."""

from __future__ import annotations

from typing import Final

from agent_framework_hosting.web.error_objects import ErrorObjects

error_response: Final = ErrorObjects(
    codes={
        "unauthenticated": "invalid_api_key",
        "queue_full": "rate_limit_exceeded",
        "answered_already": "approval_already_answered",
        "run_failed": "server_error",
        "hook_failed": "server_error",
        "internal_error": "server_error",
        "interrupted": "completion_interrupted",
        "response_too_large": "server_error",
    },
    params={"answered_already": "messages"},
)
"""Says an error as every client of the API understands it."""
