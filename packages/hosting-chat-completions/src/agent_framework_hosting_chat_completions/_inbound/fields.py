"""The fields of a request: which there are, what they may hold, and their names as options.

A field that is known is checked strictly: a value of a wrong type is never taken for another one. Null counts as
absent. Fields that OpenAI does not know are sent by many front ends, so that the channel decides about them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, Literal, NamedTuple, TypeAlias

from agent_framework_hosting.errors import InvalidRequest
from agent_framework_hosting.parsing.checks import (
    Check,
    anything,
    array,
    filled,
    flag,
    integer,
    is_list,
    json_object,
    members,
    metadata,
    name,
    number,
    one_of,
    refused,
    text,
)
from agent_framework_hosting.parsing.refusals import missing, unknown_parameter, unsupported_parameter, wrong_value

UnknownFields: TypeAlias = Literal["ignore", "refuse"]
"""What becomes of fields that OpenAI does not know: named in `x-ignored-parameters`, or answered with 400."""

_MAX_INT: Final = 2**31 - 1
_MOST_STOPS: Final = 4
_NAMEABLE: Final = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_UNNAMEABLE: Final = "?"
"""Stands in a header for names that no header can carry."""


class Fields(NamedTuple):
    """The fields that are known and not null, each checked, and the names of those that are not known."""

    known: dict[str, Any]
    unknown: tuple[str, ...]


def check_fields(body: Mapping[str, Any], *, unknown_fields: UnknownFields) -> Fields:
    """Return the fields of a body; `messages` and what lies within the tools is left to the modules that read them.

    Raises:
        InvalidRequest: A field is malformed, not offered, or not known and to be refused; `param` names it.
    """
    known: dict[str, Any] = {}
    unknown: list[str] = []
    for key, value in body.items():
        check = FIELDS.get(key)
        if check is None:
            if unknown_fields == "refuse":
                raise unknown_parameter(key, _ELSEWHERE.get(key, ""))
            unknown.append(key if _NAMEABLE.fullmatch(key) else _UNNAMEABLE)
        elif value is not None:
            known[key] = check(value, key)
    _refuse_contradictions(known)
    return Fields(known, tuple(unknown))


def _refuse_contradictions(fields: Mapping[str, Any]) -> None:
    if "max_tokens" in fields and "max_completion_tokens" in fields:
        raise InvalidRequest(
            "'max_tokens' and 'max_completion_tokens' are mutually exclusive: send the latter.",
            param="max_tokens",
            code="mutually_exclusive_parameters",
        )
    if "stream_options" in fields and not fields.get("stream"):
        raise wrong_value("stream_options", "be left out unless 'stream' is true")
    if fields.get("top_logprobs") and not fields.get("logprobs"):
        raise wrong_value("top_logprobs", "be left out unless 'logprobs' is true")


def _stop(value: Any, param: str) -> Any:
    if not is_list(value):
        return text(value, param)
    if len(value) > _MOST_STOPS:
        raise wrong_value(param, f"have at most {_MOST_STOPS} sequences")
    return [filled(item, f"{param}[{index}]") for index, item in enumerate(value)]


def _modalities(value: Any, param: str) -> list[Any]:
    for index, item in enumerate(array(value, param)):
        if text(item, f"{param}[{index}]") != "text":
            raise unsupported_parameter(f"{param}[{index}]", "This server answers in text.")
    return value


def _one(value: Any, param: str) -> int:
    if integer(1, 128)(value, param) != 1:
        raise unsupported_parameter(param, "This server gives one answer to a request. Leave it out, or send 1.")
    return 1


def _biases(value: Any, param: str) -> dict[str, Any]:
    return {key: number(-100, 100)(item, f"{param}.{key}") for key, item in json_object(value, param).items()}


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
        {
            "type": anything,
            "json_schema": members(
                {"name": name, "schema": json_object, "description": text, "strict": flag}, required=("name",)
            ),
        },
        required=("json_schema",),
    ),
}
_prediction = members({"type": one_of("content"), "content": anything}, required=("type", "content"))

FIELDS: Final[Mapping[str, Check]] = {
    "audio": refused("This server answers in text."),
    "frequency_penalty": number(-2, 2),
    "function_call": refused("It has been replaced by 'tool_choice'."),
    "functions": refused("They have been replaced by 'tools': send each as {'type': 'function', 'function': ...}."),
    "logit_bias": _biases,
    "logprobs": flag,
    "max_completion_tokens": integer(1, _MAX_INT),
    "max_tokens": integer(1, _MAX_INT),
    "messages": anything,
    "metadata": metadata,
    "modalities": _modalities,
    "model": filled,
    "moderation": refused("This server does not offer it."),
    "n": _one,
    "parallel_tool_calls": flag,
    "prediction": _prediction,
    "presence_penalty": number(-2, 2),
    "prompt_cache_key": text,
    "prompt_cache_options": json_object,
    "prompt_cache_retention": one_of("in_memory", "in-memory", "24h"),
    "reasoning_effort": one_of("none", "minimal", "low", "medium", "high", "xhigh", "max"),
    "response_format": _format,
    "safety_identifier": text,
    "seed": integer(-(2**63), 2**63 - 1),
    "service_tier": one_of("auto", "default", "flex", "scale", "priority", "fast"),
    "stop": _stop,
    "store": flag,
    "stream": flag,
    "stream_options": members({"include_usage": flag, "include_obfuscation": flag}),
    "temperature": number(0, 2),
    "tool_choice": anything,
    "tools": array,
    "top_logprobs": integer(0, 20),
    "top_p": number(0, 1),
    "user": text,
    "verbosity": one_of("low", "medium", "high"),
    "web_search_options": refused("The agent has its own tools."),
}
"""Every field of the `openai` package's `CompletionCreateParams`."""

_ELSEWHERE: Final = {
    "conversation": "This API keeps no conversation; send all 'messages'.",
    "input": "Send 'messages'.",
    "instructions": "Send a message of the role 'developer'.",
    "max_output_tokens": "Send 'max_completion_tokens'.",
    "previous_response_id": "This API keeps no conversation; send all 'messages'.",
    "prompt": "Send 'messages'.",
    "reasoning": "Send 'reasoning_effort'.",
    "text": "Send 'response_format'.",
}
"""Where callers who know another protocol find what they look for."""

OPTION_NAMES: Final[Mapping[str, str]] = {
    "frequency_penalty": "frequency_penalty",
    "logit_bias": "logit_bias",
    "logprobs": "logprobs",
    "max_completion_tokens": "max_tokens",
    "max_tokens": "max_tokens",
    "metadata": "metadata",
    "model": "model",
    "parallel_tool_calls": "allow_multiple_tool_calls",
    "prediction": "prediction",
    "presence_penalty": "presence_penalty",
    "prompt_cache_key": "prompt_cache_key",
    "prompt_cache_options": "prompt_cache_options",
    "prompt_cache_retention": "prompt_cache_retention",
    "reasoning_effort": "reasoning_effort",
    "response_format": "response_format",
    "safety_identifier": "safety_identifier",
    "seed": "seed",
    "service_tier": "service_tier",
    "stop": "stop",
    "store": "store",
    "temperature": "temperature",
    "top_logprobs": "top_logprobs",
    "top_p": "top_p",
    "user": "user",
    "verbosity": "verbosity",
}
"""Fields that are options of Agent Framework as they stand, and what they are called there."""
