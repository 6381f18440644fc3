"""What the response object repeats of the request, with OpenAI's values where the request says nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from .tools import ClientTools, ToolChoice

_DEFAULTS: Final[Mapping[str, Any]] = {
    "background": False,
    "frequency_penalty": 0.0,
    "instructions": None,
    "max_output_tokens": None,
    "max_tool_calls": None,
    "model": None,
    "parallel_tool_calls": True,
    "presence_penalty": 0.0,
    "previous_response_id": None,
    "prompt_cache_key": None,
    "safety_identifier": None,
    "store": True,
    "temperature": 1.0,
    "top_logprobs": 0,
    "top_p": 1.0,
    "truncation": "disabled",
    "user": None,
}


def echo(fields: Mapping[str, Any], tools: ClientTools, choice: ToolChoice | None) -> dict[str, Any]:
    """Return the request's share of a response object; `model` is null when the caller named none.

    `service_tier` is always `default`: it says what was done, not what was wished for.
    """
    shown = {**_DEFAULTS}
    shown.update((key, value) for key, value in fields.items() if key in _DEFAULTS)
    if "conversation" in fields:
        shown["conversation"] = {"id": fields["conversation"]}
    shown["metadata"] = fields.get("metadata", {})
    shown["reasoning"] = {"effort": None, "summary": None, **fields.get("reasoning", {})}
    shown["service_tier"] = "default"
    shown["text"] = _text(fields.get("text", {}))
    shown["tool_choice"] = "auto" if choice is None else choice.shown
    shown["tools"] = tools.shown
    return shown


def _text(text: Mapping[str, Any]) -> dict[str, Any]:
    wanted = text.get("format", {"type": "text"})
    if wanted["type"] == "json_schema":
        wanted = {"description": None, "strict": False, **wanted}
    return {**text, "format": wanted}
