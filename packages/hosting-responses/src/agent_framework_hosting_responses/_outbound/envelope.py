"""The response object: 31 keys that are always there, whatever happened.

Rules of this file:
1. A key that was not set is `null`, or OpenAI's default where the protocol does not allow `null`.
2. What the request asked for is echoed; what it left out is never guessed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple, get_args

import msgspec

from agent_framework_hosting.rendering.text import clean, clean_json, to_json

from .._usual import WHOLE, without_usual
from .wire import members
from .words import ErrorCode, ResponseStatus

ERROR_CODES: Final = frozenset(get_args(ErrorCode))
"""The codes that a response's `error` may carry."""

_ECHOED: Final = dict.fromkeys(
    (
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
)
"""What is repeated of the request, in its order; the last four are there only if they were sent."""

_OF_STATE: Final = {name: value for name, value in WHOLE.items() if name not in _ECHOED and name != "service_tier"}
_OF_REQUEST: Final = {name: value for name, value in WHOLE.items() if name not in _OF_STATE}


_TAIL: Final = to_json(_OF_REQUEST)[1:]
"""What stands behind the usage of a response that was asked for nothing unusual, to its end."""


class Body(NamedTuple):
    """A response object in one state.

    Args:
        json: All of it, as it is sent: JSON on one line.
        kept: What is kept of it, which is all but what is usual; the output in it is JSON already.
    """

    json: bytes
    kept: dict[str, Any]


class Head:
    """All that is the same in every state of a response; `body` fills in the rest.

    Args:
        response_id: The response's id.
        created_at: When it was asked for, in seconds.
        model: What answers.
        previous_response_id: The response that it continues.
        echo: Fields of the request in the shape in which a response shows them; others than those that it shows are
            ignored.
    """

    __slots__ = ("_asked", "_said", "_tail")

    def __init__(
        self,
        *,
        response_id: str,
        created_at: int,
        model: str,
        previous_response_id: str | None = None,
        echo: Mapping[str, Any] | None = None,
    ) -> None:
        said = {"id": response_id, "object": "response", "created_at": created_at, "completed_at": None, "model": model}
        if previous_response_id is not None:
            said["previous_response_id"] = previous_response_id
        self._said: dict[str, Any] = clean_json(said)
        unusual = without_usual(echo) if echo else {}
        asked = {name: value for name, value in unusual.items() if name in _ECHOED and value is not None}
        if len(asked) > 1:
            asked = {name: asked[name] for name in _ECHOED if name in asked}
        self._asked: dict[str, Any] = clean_json(asked) if asked else asked
        self._tail = to_json({**_OF_REQUEST, **self._asked})[1:] if asked else _TAIL

    def body(
        self,
        *,
        status: ResponseStatus,
        output: bytes = b"[]",
        usage: Mapping[str, Any] | None = None,
        completed_at: int | None = None,
        incomplete_reason: str | None = None,
        error: Mapping[str, Any] | None = None,
    ) -> Body:
        """Return the response object in one state; `output` is JSON on one line already."""
        kept = {**self._said, "status": status, "output": msgspec.Raw(output)}
        if status == "completed":
            kept["completed_at"] = completed_at
        if incomplete_reason is not None:
            kept["incomplete_details"] = {"reason": incomplete_reason}
        if error is not None:
            kept["error"] = error
        if usage is not None:
            kept["usage"] = usage
        json = b"{%b%b" % (members({**_OF_STATE, **kept}), self._tail)
        kept.update(self._asked)
        return Body(json, kept)


def error_object(code: str, message: str, reason: str | None = None) -> dict[str, Any]:
    """Return a response's `error`; a code that the protocol does not know becomes `server_error`.

    `reason` says more closely why, in a word that the protocol has no room for among its codes.
    """
    error = {"code": code if code in ERROR_CODES else "server_error", "message": clean(message)}
    return error if reason is None else {**error, "reason": reason}
