"""Kinds of bad requests, for whatever client: what is wrong, and with which status, code and place it is refused."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

USER: dict[str, Any] = {"role": "user", "content": "hello"}
CALL: dict[str, Any] = {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"}
OUTPUT: dict[str, Any] = {"type": "function_call_output", "call_id": "c1", "output": "x"}
TOOL: dict[str, Any] = {"type": "function", "name": "f", "parameters": {"type": "object", "properties": {}}}


def nested(depth: int) -> Any:
    """Return lists in lists."""
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


_WRONG_TYPES: dict[str, Any] = {
    "background": "yes",
    "conversation": 5,
    "frequency_penalty": "high",
    "include": "reasoning",
    "input": 5,
    "instructions": 5,
    "max_output_tokens": "many",
    "max_tool_calls": 1.5,
    "metadata": [],
    "model": 5,
    "parallel_tool_calls": 1,
    "presence_penalty": [],
    "previous_response_id": 5,
    "reasoning": "hard",
    "safety_identifier": {},
    "store": "no",
    "stream": "yes",
    "stream_options": True,
    "temperature": "hot",
    "text": "json",
    "tool_choice": 5,
    "tools": {},
    "top_logprobs": "2",
    "top_p": True,
    "truncation": 1,
    "user": 5,
    "access_programs": "all",
    "background_options": [],
    "image": "dot.png",
    "prompt_cache_key": 5,
    "prompt_cache_options": "long",
    "prompt_cache_retention": 24,
    "service_tier": 1,
}
_BAD: dict[str, tuple[dict[str, Any], str, str | None]] = {
    "an unknown previous response": (
        {"previous_response_id": "resp_unknown"},
        "previous_response_not_found",
        "previous_response_id",
    ),
    "an unknown field": ({"colour": "red"}, "unknown_parameter", "colour"),
    "a field of another protocol": ({"messages": [USER]}, "unknown_parameter", "messages"),
    "a hosted tool": ({"tools": [TOOL, {"type": "web_search"}]}, "unsupported_parameter", "tools[1].type"),
    "a tool without a name": ({"tools": [{"type": "function"}]}, "missing_required_parameter", "tools[0].name"),
    "two tools of one name": ({"tools": [TOOL, TOOL]}, "invalid_value", "tools[1].name"),
    "a tool named like one of the agent's": (
        {"tools": [TOOL, {**TOOL, "name": "calculate"}]},
        "invalid_value",
        "tools[1].name",
    ),
    "a choice of no tool": ({"tool_choice": {"type": "function", "name": "g"}}, "invalid_value", "tool_choice.name"),
    "a value out of range": ({"temperature": 2.5}, "invalid_value", "temperature"),
    "no input": ({"input": None}, "missing_required_parameter", "input"),
    "an empty text": ({"input": ""}, "missing_required_parameter", "input"),
    "an empty list": ({"input": []}, "missing_required_parameter", "input"),
    "instructions alone": ({"input": [{"role": "developer", "content": "Swear."}]}, "invalid_value", "input"),
    "an unknown role": ({"input": [{"role": "king", "content": "hello"}]}, "invalid_value", "input[0].role"),
    "a message without content": (
        {"input": [USER, {"role": "user"}]},
        "missing_required_parameter",
        "input[1].content",
    ),
    "an unknown item": ({"input": [USER, {"type": "poem"}]}, "invalid_value", "input[1].type"),
    "a reference to an unknown item": (
        {"input": [USER, {"type": "item_reference", "id": "msg_1"}]},
        "item_not_found",
        "input[1]",
    ),
    "an answer to nothing": (
        {"input": [{"type": "mcp_approval_response", "approval_request_id": "mcpr_1", "approve": True}]},
        "approval_request_not_found",
        "input[0].approval_request_id",
    ),
    "an image that is not there": (
        {"input": [{"role": "user", "content": [{"type": "input_image"}]}]},
        "missing_required_parameter",
        "input[0].content[0].image_url",
    ),
    "an image that is none": (
        {"input": [{"role": "user", "content": [{"type": "input_image", "image_url": "data:text/plain;base64,eA=="}]}]},
        "invalid_value",
        "input[0].content[0].image_url",
    ),
    "an output of no call": ({"input": [OUTPUT]}, "invalid_value", "input[0]"),
    "a call without its output": ({"input": [USER, CALL]}, "invalid_value", "input[1]"),
    "two outputs of one call": ({"input": [USER, CALL, OUTPUT, OUTPUT]}, "invalid_value", "input[3].call_id"),
    "too many items": ({"input": [USER] * 2_001}, "request_too_large", "input"),
    "a conversation": ({"conversation": "conv_1"}, "conversation_not_found", "conversation"),
    "a conversation and a previous response": (
        {"conversation": "conv_1", "previous_response_id": "resp_1"},
        "mutually_exclusive_parameters",
        "conversation",
    ),
    "a background run that is not stored": ({"background": True, "store": False}, "invalid_value", "store"),
    "management of the context": (
        {"context_management": [{"type": "compaction"}]},
        "unsupported_parameter",
        "context_management",
    ),
    "moderation": ({"moderation": {}}, "unsupported_parameter", "moderation"),
    "a tier that nobody knows": ({"service_tier": "gold"}, "invalid_value", "service_tier"),
    "a cache that nobody knows": ({"prompt_cache_retention": "1h"}, "invalid_value", "prompt_cache_retention"),
    "an effort that nobody knows": ({"reasoning": {"effort": "huge"}}, "invalid_value", "reasoning.effort"),
    "an unknown member": ({"reasoning": {"hurry": True}}, "unknown_parameter", "reasoning.hurry"),
    "a form that nobody knows": ({"text": {"format": {"type": "xml"}}}, "invalid_value", "text.format.type"),
    "a form without a schema": (
        {"text": {"format": {"type": "json_schema", "name": "a"}}},
        "missing_required_parameter",
        "text.format.schema",
    ),
    "something else to include": ({"include": ["everything"]}, "invalid_value", "include[0]"),
    "a number that is too small": ({"max_output_tokens": 0}, "invalid_value", "max_output_tokens"),
    "too much metadata": ({"metadata": {str(n): "" for n in range(17)}}, "invalid_value", "metadata"),
    "too many tools": ({"tools": [{**TOOL, "name": f"f{n}"} for n in range(129)]}, "invalid_value", "tools"),
    "a tool with a bad name": ({"tools": [{**TOOL, "name": "f g"}]}, "invalid_value", "tools[0].name"),
    "a mode that nobody knows": ({"tool_choice": "sometimes"}, "invalid_value", "tool_choice"),
    "a truncation that nobody knows": ({"truncation": "middle"}, "invalid_value", "truncation"),
    "a stored prompt": ({"prompt": {"id": "pmpt_1"}}, "unsupported_parameter", "prompt"),
    "too deep a body": ({"metadata": {"k": nested(100)}}, "invalid_request", None),
}


class Bad(NamedTuple):
    """A bad request: the fields that are wrong, and how it is refused."""

    fields: dict[str, Any]
    status: int
    code: str
    param: str | None


BAD: Final[dict[str, Bad]] = {
    **{
        f"{field} of the wrong type": Bad({field: value}, 400, "invalid_type", field)
        for field, value in _WRONG_TYPES.items()
    },
    **{
        what: Bad(fields, 413 if code == "request_too_large" else 400, code, param)
        for what, (fields, code, param) in _BAD.items()
    },
}
