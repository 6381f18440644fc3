"""The response object: 31 keys that are always there, whatever happened.

Rules of this file:
1. A key that was not set is `null`, or OpenAI's default where the protocol does not allow `null`.
2. What the request asked for is echoed; what it left out is never guessed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, get_args

from agent_framework_hosting.rendering.text import clean, clean_json

from .._defaults import default_fields
from .words import ErrorCode, ResponseStatus

ERROR_CODES: Final = frozenset(get_args(ErrorCode))
"""The codes that a response's `error` may carry."""

_ECHOED: Final = (
    "background",
    "instructions",
    "max_output_tokens",
    "max_tool_calls",
    "metadata",
    "parallel_tool_calls",
    "presence_penalty",
    "frequency_penalty",
    "prompt_cache_key",
    "reasoning",
    "safety_identifier",
    "store",
    "temperature",
    "text",
    "tool_choice",
    "tools",
    "top_logprobs",
    "top_p",
    "truncation",
    "user",
    "conversation",
    "prompt_cache_retention",
    "prompt_cache_options",
)
"""What is repeated of the request; the last four are there only if they were sent."""


def response_head(
    *,
    response_id: str,
    created_at: int,
    model: str,
    previous_response_id: str | None = None,
    echo: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return all that is the same in every state of the response; `response_body` fills in the rest.

    `echo` holds fields in the shape in which a response shows them; others than those that it shows are ignored.
    """
    head: dict[str, Any] = {
        "id": response_id,
        "object": "response",
        "created_at": created_at,
        "completed_at": None,
        "status": None,
        "incomplete_details": None,
        "error": None,
        "model": model,
        "previous_response_id": previous_response_id,
        "output": [],
        "usage": None,
        **default_fields(),
    }
    if echo is not None:
        for name in _ECHOED:
            if name in echo and (value := echo[name]) is not None:
                head[name] = value
    return clean_json(head)


def response_body(
    head: Mapping[str, Any],
    *,
    status: ResponseStatus,
    output: list[dict[str, Any]],
    usage: Mapping[str, Any] | None = None,
    completed_at: int | None = None,
    incomplete_reason: str | None = None,
    error: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return the response object in one state."""
    return {
        **head,
        "status": status,
        "completed_at": completed_at if status == "completed" else None,
        "incomplete_details": None if incomplete_reason is None else {"reason": incomplete_reason},
        "error": error,
        "output": output,
        "usage": usage,
    }


def error_object(code: str, message: str, reason: str | None = None) -> dict[str, Any]:
    """Return a response's `error`; a code that the protocol does not know becomes `server_error`.

    `reason` says more closely why, in a word that the protocol has no room for among its codes.
    """
    error = {"code": code if code in ERROR_CODES else "server_error", "message": clean(message)}
    return error if reason is None else {**error, "reason": reason}
