"""What a response object says of a request that says nothing, in the order of the object."""

from __future__ import annotations

from typing import Any, Final

# One for all responses, which are read and never changed.
_TEXT: Final[dict[str, Any]] = {"format": {"type": "text"}}


def default_fields() -> dict[str, Any]:
    """Return the fields that a response repeats of its request, at OpenAI's values, for the caller to change.

    Example:
        >>> default_fields()["truncation"]
        'disabled'
    """
    return {
        "service_tier": "default",
        "background": False,
        "instructions": None,
        "max_output_tokens": None,
        "max_tool_calls": None,
        "metadata": {},
        "parallel_tool_calls": True,
        "presence_penalty": 0.0,
        "frequency_penalty": 0.0,
        "prompt_cache_key": None,
        "reasoning": None,
        "safety_identifier": None,
        "store": True,
        "temperature": 1.0,
        "text": _TEXT,
        "tool_choice": "auto",
        "tools": [],
        "top_logprobs": 0,
        "top_p": 1.0,
        "truncation": "disabled",
    }
