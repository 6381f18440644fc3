"""The caller's tools and tool choice.

Rule 1: a caller's function is a declaration. The agent may ask for it, only the caller runs it.
Rule 2: a name means one thing: names are unique within a request, and none is a tool of the agent's.
Rule 3: a custom tool is a function of one text to the agent. The form of that text cannot be enforced, so that a
        grammar is refused.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from copy import deepcopy
from typing import Any, Final

from agent_framework import FunctionTool

from agent_framework_hosting.errors import InvalidRequest
from agent_framework_hosting.parsing.checks import anything, array, flag, is_object, json_object, members, name, text
from agent_framework_hosting.parsing.refusals import missing, shown, unsupported_parameter, wrong_type, wrong_value
from agent_framework_hosting.parsing.schemas import object_of, of_kind, schema_of, takes

from .client_tools import ClientTools, ToolChoice

MAX_TOOLS = 128
"""Tools of one request, as OpenAI has it."""


@takes({"type": "object", "properties": {"type": {"const": "text"}}, "required": ["type"]})
def _format(value: Any, param: str) -> dict[str, Any]:
    kind = json_object(value, param).get("type")
    if kind is None:
        raise missing(f"{param}.type")
    if kind == "grammar":
        raise unsupported_parameter(
            f"{param}.type", "This server cannot hold the agent to a grammar. Use 'text', and describe the form."
        )
    if kind != "text":
        raise wrong_value(f"{param}.type", "be 'text'")
    return {"type": "text"}


FUNCTION_MEMBERS = {
    "type": anything,
    "name": name,
    "description": text,
    "parameters": json_object,
    "strict": flag,
    "async": flag,
    "defer_loading": flag,
    "allowed_callers": array,
    "output_schema": json_object,
}
"""What OpenAI knows of a function tool."""

CUSTOM_MEMBERS = {
    "type": anything,
    "name": name,
    "description": text,
    "format": _format,
    "async": flag,
    "defer_loading": flag,
    "allowed_callers": array,
}
"""What OpenAI knows of a custom tool."""

CUSTOM_INPUT: Final = "input"
"""The argument in which the agent gives a custom tool its text."""

_CHECKS: Final = {
    "function": members(FUNCTION_MEMBERS, required=("name",)),
    "custom": members(CUSTOM_MEMBERS, required=("name",)),
}
_CUSTOM_PARAMETERS: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {CUSTOM_INPUT: {"type": "string", "description": "What the tool is given, as free text."}},
    "required": [CUSTOM_INPUT],
    "additionalProperties": False,
}
_WITHOUT_EFFECT = ("strict", "async", "defer_loading", "output_schema", "allowed_callers")
_DIRECTLY = ["direct"]
_MODES = ("auto", "required", "none")
_ALLOWED_MODES = ("auto", "required")


def tool_schema() -> dict[str, Any]:
    """Return what an element of `tools` may be."""
    return {"oneOf": [of_kind(kind, schema_of(check)) for kind, check in _CHECKS.items()]}


def choice_schema() -> dict[str, Any]:
    """Return what `tool_choice` may be; that its names are those of the caller's tools, no schema can say."""
    named = [of_kind(kind, object_of({"name": schema_of(name)}, required=("name",), is_open=True)) for kind in _CHECKS]
    some = {"type": "array", "minItems": 1, "items": {"oneOf": named}}
    several = object_of({"mode": {"enum": [*_ALLOWED_MODES]}, "tools": some}, required=("mode", "tools"), is_open=True)
    return {"anyOf": [{"enum": [*_MODES]}, *named, of_kind("allowed_tools", several)]}


def read_tools(value: list[Any]) -> ClientTools:
    """Return the functions and custom tools of the `tools` field.

    Raises:
        InvalidRequest: A tool is malformed, of a kind that OpenAI itself would run, or named like an earlier one.
    """
    if len(value) > MAX_TOOLS:
        raise wrong_value("tools", f"have at most {MAX_TOOLS} tools")
    tools = [_read_tool(tool, f"tools[{index}]") for index, tool in enumerate(value)]
    names: set[str] = set()
    for index, tool in enumerate(tools):
        if tool["name"] in names:
            raise wrong_value(f"tools[{index}].name", "differ from the names of the other tools")
        names.add(tool["name"])
    return ClientTools(
        [_shown(tool) for tool in tools],
        [_declared(tool) for tool in tools],
        frozenset(tool["name"] for tool in tools if tool["type"] == "custom"),
        tuple(
            f"tools[{index}].{key}"
            for index, tool in enumerate(tools)
            for key in _WITHOUT_EFFECT
            if tool.get(key) and tool[key] != _DIRECTLY
        ),
    )


def custom_arguments(given: str) -> str:
    """Return the arguments of the function that a custom tool is to the agent."""
    return json.dumps({CUSTOM_INPUT: given}, ensure_ascii=False)


def read_tool_choice(value: Any, kinds: Mapping[str, str]) -> ToolChoice:
    """Return the choice that the `tool_choice` field makes among the caller's tools, given what kind each is.

    Raises:
        InvalidRequest: The choice is malformed, or names a tool that is not in `tools`.
    """
    if isinstance(value, str):
        if value not in _MODES:
            raise wrong_value("tool_choice", "be 'auto', 'required', 'none' or an object")
        return ToolChoice(value, value)
    if not is_object(value):
        raise wrong_type(value, "tool_choice", "a string or an object")
    kind = value.get("type")
    if kind is None:
        raise missing("tool_choice.type")
    if kind == "allowed_tools":
        return _allowed(value, kinds)
    if isinstance(kind, str) and kind in _CHECKS:
        chosen = _known(value.get("name"), "tool_choice.name", kind, kinds)
        return ToolChoice({"type": kind, "name": chosen}, {"mode": "required", "required_function_name": chosen})
    raise _hosted(kind, "tool_choice.type")


def _read_tool(tool: Any, param: str) -> dict[str, Any]:
    kind = json_object(tool, param).get("type")
    if kind is None:
        raise missing(f"{param}.type")
    check = _CHECKS.get(kind) if isinstance(kind, str) else None
    if check is None:
        raise _hosted(kind, f"{param}.type")
    if kind in tool and "name" not in tool:
        raise missing(f"{param}.name", f"A {kind} tool's name and description lie beside its type.")
    return check(tool, param)


def _hosted(kind: Any, param: str) -> InvalidRequest:
    what = f"'{shown(kind)}'" if isinstance(kind, str) else "another one"
    return unsupported_parameter(param, f"This server takes tools of type 'function' and 'custom', not {what}.")


def _shown(tool: dict[str, Any]) -> dict[str, Any]:
    if tool["type"] == "custom":
        description = {"description": tool["description"]} if "description" in tool else {}
        return {"type": "custom", "name": tool["name"], **description, "format": {"type": "text"}}
    return {
        "type": "function",
        "name": tool["name"],
        "description": tool.get("description"),
        "parameters": tool.get("parameters"),
        "strict": tool.get("strict"),
    }


def _declared(tool: dict[str, Any]) -> FunctionTool:
    parameters: dict[str, Any] = tool.get("parameters") or {"type": "object", "properties": {}}
    if tool["type"] == "custom":
        parameters = deepcopy(_CUSTOM_PARAMETERS)
    return FunctionTool(
        name=tool["name"],
        description=tool.get("description", ""),
        func=None,
        input_model=parameters,
    )


def _allowed(value: dict[str, Any], kinds: Mapping[str, str]) -> ToolChoice:
    mode = value.get("mode")
    if mode not in _ALLOWED_MODES:
        raise wrong_value("tool_choice.mode", "be 'auto' or 'required'")
    chosen: list[dict[str, str]] = []
    for index, tool in enumerate(array(value.get("tools"), "tool_choice.tools")):
        param = f"tool_choice.tools[{index}]"
        kind = json_object(tool, param).get("type")
        if not isinstance(kind, str) or kind not in _CHECKS:
            raise _hosted(kind, f"{param}.type")
        chosen.append({"type": kind, "name": _known(tool.get("name"), f"{param}.name", kind, kinds)})
    if not chosen:
        raise wrong_value("tool_choice.tools", "name at least one tool")
    return ToolChoice(
        {"type": "allowed_tools", "mode": mode, "tools": chosen},
        {"mode": mode, "allowed_tools": [tool["name"] for tool in chosen]},
    )


def _known(value: Any, param: str, kind: str, kinds: Mapping[str, str]) -> str:
    if kinds.get(name(value, param)) != kind:
        raise wrong_value(param, f"be the name of a {kind} tool in 'tools'")
    return value
