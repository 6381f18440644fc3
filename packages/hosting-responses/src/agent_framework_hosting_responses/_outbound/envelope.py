"""The response object: 31 keys that are always there, whatever happened.

Rules of this file:
1. A key that was not set is `null`, or OpenAI's default where the protocol does not allow `null`.
2. What the request asked for is echoed; what it left out is never guessed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, get_args

import msgspec

from agent_framework_hosting.rendering.text import clean, clean_json, clean_with_json, to_json

from .._usual import WHOLE, without_usual
from .showing import ResponseFields
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

_OF_REQUEST: Final = {name: value for name, value in WHOLE.items() if name in _ECHOED or name == "service_tier"}

_TAIL: Final = to_json(_OF_REQUEST)[1:]
"""What stands behind the usage of a response that was asked for nothing unusual, to its end."""

# All in the order of `WHOLE`, in which a response is put together again from what is kept.
_BEGIN: Final = b'{"id":%b,"object":"response","created_at":%d,"completed_at":'
_MIDDLE: Final = b'"model":%b,"previous_response_id":%b,"output":'
_WHOLE: Final = b'%b%b,"status":"%b","incomplete_details":%b,"error":%b,%b%b,"usage":%b,%b'
_NULL: Final = b"null"
_NOTHING: Final[Mapping[str, Any]] = {}


class Body(msgspec.Struct, frozen=True):
    """A response object in one state.

    Args:
        json: All of it, as it is sent: JSON on one line.
        kept: What is kept of it, which is all but what is usual; the output in it is JSON already.
    """

    json: bytes
    kept: dict[str, Any]


class Head:
    """All that is the same in every state of a response; `body` fills in the rest. Its `response_id` is clean."""

    __slots__ = ("_asked", "_begin", "_created_at", "_middle", "_model", "_previous", "_tail", "response_id")

    def __init__(self, fields: ResponseFields) -> None:
        self.response_id, named = clean_with_json(fields.response_id)
        self._created_at = created_at = fields.created_at
        self._model, answering = clean_with_json(fields.model)
        self._previous, previous = None, _NULL
        if fields.previous_response_id is not None:
            self._previous, previous = clean_with_json(fields.previous_response_id)
        self._begin = _BEGIN % (named, created_at)
        self._middle = _MIDDLE % (answering, previous)
        self._asked: Mapping[str, Any] = _asked(fields.echo) if fields.echo else _NOTHING
        self._tail = to_json({**_OF_REQUEST, **self._asked})[1:] if self._asked else _TAIL

    def json(self, status: ResponseStatus) -> bytes:
        """Return the response object before anything was said, as it is sent."""
        return _WHOLE % (self._begin, _NULL, status.encode(), _NULL, _NULL, self._middle, b"[]", _NULL, self._tail)

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
        kept: dict[str, Any] = {"id": self.response_id, "object": "response", "created_at": self._created_at}
        kept["completed_at"], kept["model"] = None, self._model
        if self._previous is not None:
            kept["previous_response_id"] = self._previous
        kept["status"], kept["output"] = status, msgspec.Raw(output)
        completed, details, problem, counts = _NULL, _NULL, _NULL, _NULL
        if status == "completed" and completed_at is not None:
            kept["completed_at"], completed = completed_at, b"%d" % completed_at
        if incomplete_reason is not None:
            kept["incomplete_details"] = reason = {"reason": incomplete_reason}
            details = to_json(reason)
        if error is not None:
            kept["error"], problem = error, to_json(error)
        if usage is not None:
            kept["usage"], counts = usage, to_json(usage)
        if self._asked:
            kept.update(self._asked)
        begin, middle, tail = self._begin, self._middle, self._tail
        json = _WHOLE % (begin, completed, status.encode(), details, problem, middle, output, counts, tail)
        return Body(json, kept)


def _asked(echo: Mapping[str, Any]) -> dict[str, Any]:
    """Return what was asked for that is unusual, clean, and in its order."""
    unusual = without_usual(echo)
    asked = {name: value for name, value in unusual.items() if name in _ECHOED and value is not None}
    if len(asked) > 1:
        asked = {name: asked[name] for name in _ECHOED if name in asked}
    return clean_json(asked) if asked else asked


def error_object(code: str, message: str, reason: str | None = None) -> dict[str, Any]:
    """Return a response's `error`; a code that the protocol does not know becomes `server_error`.

    `reason` says more closely why, in a word that the protocol has no room for among its codes.
    """
    error = {"code": code if code in ERROR_CODES else "server_error", "message": clean(message)}
    return error if reason is None else {**error, "reason": reason}
