"""The tools that an agent brings along, as far as they can be known before a run."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from agent_framework import FunctionTool


def tool_names(agent: Any) -> frozenset[str]:
    """Return the names of the agent's own tools, those of its connected MCP servers included."""
    return frozenset(tool.name for tool in _tools(agent))


def declared_names(agent: Any) -> frozenset[str]:
    """Return the names of those among them that have no implementation: whoever calls the agent answers them."""
    return frozenset(tool.name for tool in _tools(agent) if tool.declaration_only)


def asking_names(agent: Any) -> frozenset[str]:
    """Return the names of those that run only when a person has approved the call."""
    return frozenset(tool.name for tool in _tools(agent) if tool.approval_mode == "always_require")


def _tools(agent: Any) -> Iterable[FunctionTool]:
    options: Any = getattr(agent, "default_options", None) or {}
    for tool in options.get("tools") or ():
        if isinstance(tool, FunctionTool):
            yield tool
    for server in getattr(agent, "mcp_tools", None) or ():
        for tool in getattr(server, "functions", None) or ():
            if isinstance(tool, FunctionTool):
                yield tool
