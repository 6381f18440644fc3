"""The caller's tools and tool choice as values; `tools`, which reads them, is loaded with the first."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Final

import msgspec
from agent_framework import FunctionTool

from agent_framework_hosting.parsing.checks import is_object


class ClientTools(msgspec.Struct, frozen=True):
    """The caller's tools: as the response object shows them, and as the agent gets them.

    `custom` holds the names of those that are custom tools; `without_effect` names what was asked for but has no
    counterpart in Agent Framework (`tools[0].strict`).
    """

    shown: list[dict[str, Any]]
    functions: list[FunctionTool]
    custom: frozenset[str] = frozenset()
    without_effect: tuple[str, ...] = ()

    @property
    def kinds(self) -> dict[str, str]:
        """What each tool is, by its name: `function` or `custom`."""
        return {tool.name: "custom" if tool.name in self.custom else "function" for tool in self.functions}


class ToolChoice(msgspec.Struct, frozen=True):
    """A tool choice: as the response object shows it, and as Agent Framework's option has it."""

    shown: Any
    option: Any

    def forbidden(self, names: Collection[str]) -> frozenset[str]:
        """Return those of the caller's tools that must not be called."""
        if self.option == "none":
            return frozenset(names)
        allowed = self.option.get("allowed_tools") if is_object(self.option) else None
        return frozenset() if allowed is None else frozenset(names) - {*allowed}


NO_TOOLS: Final = ClientTools([], [])
"""What a request has that brings no tools: one for all of them, which is never changed."""
