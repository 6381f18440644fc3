"""What most responses say alike: left out of what is kept of one, and put back when it is read.

Rules of this file:
1. The table belongs to the records that were written with it, and is never changed; another one gets its own number.
2. A release writes with a table only when the release before it reads it: replicas of both may share a database.
3. What is left out comes back equal to what was sent, of the same type, and in its place.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

NUMBER: Final = 1
"""Which table a record was written with."""

_USUAL: Final[Mapping[str, Any]] = {
    "incomplete_details": None,
    "error": None,
    "previous_response_id": None,
    "usage": None,
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
    "reasoning": {"effort": None, "summary": None},
    "safety_identifier": None,
    "store": True,
    "temperature": 1.0,
    "text": {"format": {"type": "text"}},
    "tool_choice": "auto",
    "tools": [],
    "top_logprobs": 0,
    "top_p": 1.0,
    "truncation": "disabled",
}
_NOTHING: Final = object()
_BEFORE: Final = ("id", "object", "created_at", "completed_at", "status", "incomplete_details", "error", "model")
WHOLE: Final[Mapping[str, Any]] = {
    **dict.fromkeys((*_BEFORE, "previous_response_id", "output", "usage")),
    **_USUAL,
}
"""What a response says that says nothing: what is usual, and `None` for what each has to say, in its order."""

_WHOLE: Final = msgspec.json.encode(WHOLE)


def without_usual(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a response says that most do not.

    Examples:
        >>> without_usual({"id": "resp_7", "store": True, "temperature": 0.5})
        {'id': 'resp_7', 'temperature': 0.5}
    """
    return {
        name: value
        for name, value in body.items()
        # Written out, since it is asked for every member. Most of what is usual is one and the same object. 1, 1.0 and
        # true are equal in Python, and not in JSON; nor are 0.0 and -0.0.
        if (known := _USUAL.get(name, _NOTHING)) is not value
        and (type(known) is not type(value) or known != value or (type(known) is float and str(known) != str(value)))
    }


def with_usual(said: Mapping[str, Any]) -> dict[str, Any]:
    """Return the whole response again."""
    return {**msgspec.json.decode(_WHOLE), **said}
