"""The fields of a create request: which there are, what they may hold, and their names as options.

Fields are checked strictly: a value of a wrong type is never taken for another one, and a field that OpenAI does not
know is refused, as OpenAI does. Null counts as absent.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from agent_framework_hosting.parsing.checks import (
    Check,
    anything,
    array,
    array_of,
    filled,
    flag,
    integer,
    is_object,
    json_object,
    members,
    metadata,
    name,
    number,
    one_of,
    refused,
    text,
)
from agent_framework_hosting.parsing.refusals import missing, unknown_parameter, wrong_type, wrong_value
from agent_framework_hosting.parsing.schemas import object_of, of_kind, schema_of, takes

_MAX_INT = 2**31 - 1

INCLUDABLE: Final = (
    "file_search_call.results",
    "web_search_call.results",
    "web_search_call.action.sources",
    "message.input_image.image_url",
    "computer_call_output.output.image_url",
    "code_interpreter_call.outputs",
    "reasoning.encrypted_content",
    "message.output_text.logprobs",
)


def check_fields(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields that are not null, each checked and normalised.

    `input` and what lies within `tools` and `tool_choice` is left to the modules that read them.

    Raises:
        InvalidRequest: A field is unknown, malformed, or not offered; `param` names it.
    """
    fields: dict[str, Any] = {}
    for key, value in body.items():
        check = FIELDS.get(key)
        if check is None:
            raise unknown_parameter(key, _ELSEWHERE.get(key, ""))
        if value is not None:
            fields[key] = check(value, key)
    return fields


_ID: Final = {"type": "string", "minLength": 1}


@takes({"anyOf": [_ID, object_of({"id": _ID}, required=("id",), is_open=True)]})
def _conversation(value: Any, param: str) -> str:
    if is_object(value):
        return filled(value.get("id"), f"{param}.id")
    if not isinstance(value, str):
        raise wrong_type(value, param, "a conversation id or an object with one")
    return filled(value, param)


include: Final = array_of(one_of(*INCLUDABLE))
"""Takes a list of what can be included."""


@takes(lambda: {"oneOf": [of_kind(kind, schema_of(check)) for kind, check in _FORMATS.items()]})
def _format(value: Any, param: str) -> dict[str, Any]:
    kind = json_object(value, param).get("type")
    if kind is None:
        raise missing(f"{param}.type")
    check = _FORMATS.get(kind) if isinstance(kind, str) else None
    if check is None:
        raise wrong_value(f"{param}.type", "be 'text', 'json_object' or 'json_schema'")
    return check(value, param)


_plain_format = members({"type": anything})
_FORMATS: Final[Mapping[str, Check]] = {
    "text": _plain_format,
    "json_object": _plain_format,
    "json_schema": members(
        {"type": anything, "name": name, "schema": json_object, "description": text, "strict": flag},
        required=("name", "schema"),
    ),
}
_summary = one_of("auto", "concise", "detailed")
_not_offered = refused("This server does not offer it.")

FIELDS: Final[Mapping[str, Check]] = {
    "access_programs": json_object,
    "background": flag,
    "background_options": json_object,
    "context_management": _not_offered,
    "conversation": _conversation,
    "frequency_penalty": number(-2, 2),
    "image": json_object,
    "include": include,
    "input": anything,
    "instructions": text,
    "max_output_tokens": integer(1, _MAX_INT),
    "max_tool_calls": integer(1, _MAX_INT),
    "metadata": metadata,
    "model": filled,
    "moderation": _not_offered,
    "parallel_tool_calls": flag,
    "presence_penalty": number(-2, 2),
    "previous_response_id": filled,
    "prompt": refused("Prompts are not stored here; send 'instructions' or 'input'."),
    "prompt_cache_key": text,
    "prompt_cache_options": json_object,
    "prompt_cache_retention": one_of("in_memory", "in-memory", "24h"),
    "reasoning": members(
        {
            "effort": one_of("none", "minimal", "low", "medium", "high", "xhigh", "max"),
            "summary": _summary,
            "generate_summary": _summary,
            "context": one_of("auto", "current_turn", "all_turns"),
            "mode": filled,
        }
    ),
    "safety_identifier": text,
    "service_tier": one_of("auto", "default", "flex", "scale", "priority", "fast", "ultrafast"),
    "store": flag,
    "stream": flag,
    "stream_options": members({"include_obfuscation": flag}),
    "temperature": number(0, 2),
    "text": members({"format": _format, "verbosity": one_of("low", "medium", "high")}),
    "tool_choice": anything,
    "tools": array,
    "top_logprobs": integer(0, 20),
    "top_p": number(0, 1),
    "truncation": one_of("auto", "disabled"),
    "user": text,
}
"""Every field of the `openai` package's `ResponseCreateParams`, and the two penalties of Open Responses."""

_ELSEWHERE: Final = {
    "conversation_id": "Send 'conversation' or 'previous_response_id'.",
    "functions": "Send 'tools'.",
    "max_completion_tokens": "Send 'max_output_tokens'.",
    "max_tokens": "Send 'max_output_tokens'.",
    "messages": "Send 'input'.",
    "reasoning_effort": "Send 'reasoning.effort'.",
    "response_format": "Send 'text.format'.",
    "session_id": "Send 'previous_response_id'.",
    "verbosity": "Send 'text.verbosity'.",
}
"""Where callers who know another protocol find what they look for."""

OPTION_NAMES: Final[Mapping[str, str]] = {
    "frequency_penalty": "frequency_penalty",
    "include": "include",
    "instructions": "instructions",
    "max_output_tokens": "max_tokens",
    "max_tool_calls": "max_tool_calls",
    "metadata": "metadata",
    "model": "model",
    "parallel_tool_calls": "allow_multiple_tool_calls",
    "presence_penalty": "presence_penalty",
    "prompt_cache_key": "prompt_cache_key",
    "prompt_cache_options": "prompt_cache_options",
    "prompt_cache_retention": "prompt_cache_retention",
    "reasoning": "reasoning",
    "safety_identifier": "safety_identifier",
    "service_tier": "service_tier",
    "store": "store",
    "temperature": "temperature",
    "top_logprobs": "top_logprobs",
    "top_p": "top_p",
    "truncation": "truncation",
    "user": "user",
}
"""Fields that are options of Agent Framework as they stand, and what they are called there."""
