"""What the response object repeats of the request; where the request says nothing, it has OpenAI's values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from .client_tools import ClientTools, ToolChoice

_AS_IT_IS: Final = frozenset(
    {
        "background",
        "frequency_penalty",
        "instructions",
        "max_output_tokens",
        "max_tool_calls",
        "metadata",
        "parallel_tool_calls",
        "presence_penalty",
        "prompt_cache_key",
        "safety_identifier",
        "store",
        "temperature",
        "top_logprobs",
        "top_p",
        "truncation",
        "user",
    }
)
"""Fields that are repeated as they were sent."""

UNSAID: Final = frozenset({"include", "input", "model", "previous_response_id", "stream"})
"""Fields of which nothing is repeated, among those that most requests have."""

_REASONING: Final[dict[str, Any]] = {"effort": None, "summary": None}
"""What a request that says something of its reasoning may have left out."""


def echo(fields: Mapping[str, Any], tools: ClientTools, choice: ToolChoice | None) -> dict[str, Any]:
    """Return the request's share of a response object, beside the model and the response that it continues.

    `service_tier` has none: it says what was done, not what was wished for.
    """
    shown: dict[str, Any] = {}
    for key, value in fields.items():
        if key in _AS_IT_IS:
            shown[key] = value
        elif key == "conversation":
            shown[key] = {"id": value}
        elif key == "reasoning":
            shown[key] = _REASONING | value
        elif key == "text":
            shown[key] = _text(value)
    if choice is not None:
        shown["tool_choice"] = choice.shown
    if tools.shown:
        shown["tools"] = tools.shown
    return shown


def _text(text: Mapping[str, Any]) -> dict[str, Any]:
    wanted = text.get("format", {"type": "text"})
    if wanted["type"] == "json_schema":
        wanted = {"description": None, "strict": False, **wanted}
    return {**text, "format": wanted}
