"""The tools that an agent brings along, as far as they can be known before a run, and names that mean one thing."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any, Final

from agent_framework import FunctionTool

from ..errors import InvalidRequest

_NONE: Final[frozenset[str]] = frozenset()


def tool_names(agent: Any) -> frozenset[str]:
    """Return the names of the agent's own tools, those of its connected MCP servers included."""
    return frozenset([tool.name for tool in own_tools(agent)])


def declared_names(tools: Sequence[FunctionTool]) -> frozenset[str]:
    """Return the names of those that have no implementation: whoever calls the agent answers them."""
    return frozenset([tool.name for tool in tools if tool.declaration_only]) if tools else _NONE


def asking_names(tools: Sequence[FunctionTool]) -> frozenset[str]:
    """Return the names of those that run only when a person has approved the call."""
    return frozenset([tool.name for tool in tools if tool.approval_mode == "always_require"]) if tools else _NONE


def refuse_clashes(
    client_tools: Iterable[FunctionTool], agent_tool_names: Collection[str], *, place: str = "tools[{}].name"
) -> None:
    """Refuse a caller's tool that is named like one of the agent's own.

    `place` is where the name of a tool stands in the protocol's requests, with `{}` for the tool's index.

    Raises:
        InvalidRequest: There is one; `param` says which.
    """
    for index, tool in enumerate(client_tools):
        if tool.name in agent_tool_names:
            raise InvalidRequest(
                f"The agent has a tool named '{tool.name}' already. Rename yours.",
                param=place.format(index),
                code="invalid_value",
            )


def own_tools(agent: Any) -> Sequence[FunctionTool]:
    """Return the agent's own tools, as far as they can be known now: an MCP server's appear when it is connected."""
    options: Any = getattr(agent, "default_options", None)
    tools: Sequence[Any] = (options.get("tools") or ()) if options else ()
    for server in getattr(agent, "mcp_tools", None) or ():
        tools = (*tools, *(getattr(server, "functions", None) or ()))
    return [tool for tool in tools if isinstance(tool, FunctionTool)] if tools else ()
