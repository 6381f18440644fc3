"""The caller's tools and tool choice.

Rule 1: a caller's function is a declaration. The agent may ask for it, only the caller runs it.
Rule 2: a name means one thing: names are unique within a request, and none is a tool of the agent's.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Final

from agent_framework import FunctionTool

from agent_framework_hosting.errors import InvalidRequest
from agent_framework_hosting.parsing.checks import anything, array, flag, is_object, json_object, members, name, text
from agent_framework_hosting.parsing.refusals import missing, shown, unsupported_parameter, wrong_type, wrong_value

MAX_TOOLS: Final = 128
"""Tools of one request, as OpenAI has it."""

NAME_PLACE: Final = "tools[{}].function.name"
"""Where a tool's name stands."""

_MODES: Final = ("auto", "required", "none")
_FUNCTION: Final = members(
    {"name": name, "description": text, "parameters": json_object, "strict": flag}, required=("name",)
)
_TOOL: Final = members({"type": anything, "function": _FUNCTION}, required=("function",))


@dataclass(frozen=True, slots=True)
class ClientTools:
    """The caller's tools as the agent gets them, and places of what has no counterpart in Agent Framework."""

    functions: list[FunctionTool]
    without_effect: tuple[str, ...] = ()

    @property
    def names(self) -> frozenset[str]:
        """What they are called."""
        return frozenset(tool.name for tool in self.functions)


def read_tools(value: list[Any], *, own: Collection[str] = ()) -> ClientTools:
    """Return the functions of the `tools` field.

    Args:
        value: The field.
        own: Names that are the server's own words, which a client may declare for its framework's sake. The agent does
            not get those.

    Raises:
        InvalidRequest: A tool is malformed, of another kind, or named like an earlier one.
    """
    if len(value) > MAX_TOOLS:
        raise wrong_value("tools", f"have at most {MAX_TOOLS} tools")
    tools = [_read_tool(tool, f"tools[{index}]") for index, tool in enumerate(value)]
    names: set[str] = set()
    for index, tool in enumerate(tools):
        if tool["name"] in names:
            raise wrong_value(NAME_PLACE.format(index), "differ from the names of the other tools")
        names.add(tool["name"])
    return ClientTools(
        [_declared(tool) for tool in tools if tool["name"] not in own],
        tuple(f"tools[{index}].function.strict" for index, tool in enumerate(tools) if tool.get("strict")),
    )


def read_tool_choice(value: Any, names: Collection[str]) -> Any:
    """Return the option that the `tool_choice` field asks for, given the names of the caller's tools.

    Raises:
        InvalidRequest: The choice is malformed, or names a tool that is not in `tools`.
    """
    if isinstance(value, str):
        if value not in _MODES:
            raise wrong_value("tool_choice", "be 'auto', 'required', 'none' or an object")
        return value
    if not is_object(value):
        raise wrong_type(value, "tool_choice", "a string or an object")
    kind = value.get("type")
    if kind is None:
        raise missing("tool_choice.type")
    if kind == "allowed_tools":
        return _allowed(value.get("allowed_tools"), names)
    if kind != "function":
        raise _not_offered(kind, "tool_choice.type")
    return {"mode": "required", "required_function_name": _chosen(value, "tool_choice", names)}


def _read_tool(tool: Any, param: str) -> dict[str, Any]:
    kind = json_object(tool, param).get("type")
    if kind is None:
        raise missing(f"{param}.type")
    if kind != "function":
        raise _not_offered(kind, f"{param}.type")
    if "function" not in tool and "name" in tool:
        raise missing(f"{param}.function", "A tool's name, description and parameters lie within 'function'.")
    return _TOOL(tool, param)["function"]


def _not_offered(kind: Any, param: str) -> InvalidRequest:
    what = f"'{shown(kind)}'" if isinstance(kind, str) else "another one"
    return unsupported_parameter(
        param, f"This server takes tools of type 'function', not {what}. A function of one text can stand for others."
    )


def _declared(tool: dict[str, Any]) -> FunctionTool:
    parameters: dict[str, Any] = tool.get("parameters") or {"type": "object", "properties": {}}
    return FunctionTool(name=tool["name"], description=tool.get("description", ""), func=None, input_model=parameters)


def _allowed(value: Any, names: Collection[str]) -> dict[str, Any]:
    param = "tool_choice.allowed_tools"
    if value is None:
        raise missing(param)
    mode = json_object(value, param).get("mode")
    if mode not in ("auto", "required"):
        raise wrong_value(f"{param}.mode", "be 'auto' or 'required'")
    chosen: list[str] = []
    for index, tool in enumerate(array(value.get("tools"), f"{param}.tools")):
        at = f"{param}.tools[{index}]"
        if json_object(tool, at).get("type") != "function":
            raise _not_offered(tool.get("type"), f"{at}.type")
        chosen.append(_chosen(tool, at, names))
    if not chosen:
        raise wrong_value(f"{param}.tools", "name at least one tool")
    return {"mode": mode, "allowed_tools": chosen}


def _chosen(holder: dict[str, Any], param: str, names: Collection[str]) -> str:
    if holder.get("function") is None:
        raise missing(f"{param}.function")
    function = json_object(holder["function"], f"{param}.function")
    if name(function.get("name"), f"{param}.function.name") not in names:
        raise wrong_value(f"{param}.function.name", "be the name of a function in 'tools'")
    return function["name"]
