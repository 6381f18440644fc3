"""The caller's tools and tool choice.

Rule 1: a caller's function is a declaration. The agent may ask for it, only the caller runs it.
Rule 2: a name means one thing: names are unique within a request, and none is a tool of the agent's.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

from agent_framework import FunctionTool

from agent_framework_hosting.errors import InvalidRequest

from .checks import anything, array, flag, is_object, json_object, members, name, text
from .refusals import missing, shown, unsupported_parameter, wrong_type, wrong_value

MAX_TOOLS = 128
"""Tools of one request, as OpenAI has it."""

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

_function = members(FUNCTION_MEMBERS, required=("name",))
_WITHOUT_EFFECT = ("strict", "async", "defer_loading", "output_schema", "allowed_callers")
_DIRECTLY = ["direct"]
_MODES = ("auto", "required", "none")


@dataclass(frozen=True, slots=True)
class ClientTools:
    """The caller's tools: as the response object shows them, and as the agent gets them.

    `without_effect` names what was asked for but has no counterpart in Agent Framework (`tools[0].strict`).
    """

    shown: list[dict[str, Any]]
    functions: list[FunctionTool]
    without_effect: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ToolChoice:
    """A tool choice: as the response object shows it, and as Agent Framework's option has it."""

    shown: Any
    option: Any


def read_tools(value: list[Any]) -> ClientTools:
    """Return the function tools of the `tools` field.

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
        tuple(
            f"tools[{index}].{key}"
            for index, tool in enumerate(tools)
            for key in _WITHOUT_EFFECT
            if tool.get(key) and tool[key] != _DIRECTLY
        ),
    )


def read_tool_choice(value: Any, names: Collection[str]) -> ToolChoice:
    """Return the choice that the `tool_choice` field makes among the caller's tools of these names.

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
    if kind == "function":
        chosen = _known(value.get("name"), "tool_choice.name", names)
        return ToolChoice({"type": "function", "name": chosen}, {"mode": "required", "required_function_name": chosen})
    if kind == "allowed_tools":
        return _allowed(value, names)
    if kind is None:
        raise missing("tool_choice.type")
    raise _hosted(kind, "tool_choice.type")


def refuse_clashes(client_tools: Iterable[FunctionTool], agent_tool_names: Collection[str]) -> None:
    """Refuse a caller's tool that is named like one of the agent's own.

    Raises:
        InvalidRequest: There is one; `param` says which.
    """
    for index, tool in enumerate(client_tools):
        if tool.name in agent_tool_names:
            raise InvalidRequest(
                f"The agent has a tool named '{tool.name}' already. Rename yours.",
                param=f"tools[{index}].name",
                code="invalid_value",
            )


def _read_tool(tool: Any, param: str) -> dict[str, Any]:
    kind = json_object(tool, param).get("type")
    if kind is None:
        raise missing(f"{param}.type")
    if kind != "function":
        raise _hosted(kind, f"{param}.type")
    if "function" in tool and "name" not in tool:
        raise missing(f"{param}.name", "A function's name, description and parameters lie beside its type.")
    return _function(tool, param)


def _hosted(kind: Any, param: str) -> InvalidRequest:
    what = f"'{shown(kind)}'" if isinstance(kind, str) else "another one"
    return unsupported_parameter(param, f"This server runs tools of type 'function' only, not {what}.")


def _shown(tool: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "function",
        "name": tool["name"],
        "description": tool.get("description"),
        "parameters": tool.get("parameters"),
        "strict": tool.get("strict"),
    }


def _declared(tool: dict[str, Any]) -> FunctionTool:
    return FunctionTool(
        name=tool["name"],
        description=tool.get("description", ""),
        func=None,
        input_model=tool.get("parameters") or {"type": "object", "properties": {}},
    )


def _allowed(value: dict[str, Any], names: Collection[str]) -> ToolChoice:
    mode = value.get("mode")
    if mode not in ("auto", "required"):
        raise wrong_value("tool_choice.mode", "be 'auto' or 'required'")
    chosen: list[str] = []
    for index, tool in enumerate(array(value.get("tools"), "tool_choice.tools")):
        param = f"tool_choice.tools[{index}]"
        if json_object(tool, param).get("type") != "function":
            raise _hosted(tool.get("type"), f"{param}.type")
        chosen.append(_known(tool.get("name"), f"{param}.name", names))
    if not chosen:
        raise wrong_value("tool_choice.tools", "name at least one tool")
    return ToolChoice(
        {"type": "allowed_tools", "mode": mode, "tools": [{"type": "function", "name": item} for item in chosen]},
        {"mode": mode, "allowed_tools": chosen},
    )


def _known(value: Any, param: str, names: Collection[str]) -> str:
    if name(value, param) not in names:
        raise wrong_value(param, "be the name of a tool in 'tools'")
    return value
