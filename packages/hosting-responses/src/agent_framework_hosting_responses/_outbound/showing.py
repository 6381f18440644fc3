"""What a client gets to see of an answer."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Showing:
    """The channel's choices for one response.

    Args:
        client_tools: Names of the tools that the client brought, and must answer itself.
        custom_tools: Those of them that are custom tools, which are given a text instead of arguments.
        server_label: Under which name the agent's own tools are shown.
        show_tool_calls: Whether the agent's own tool calls are shown at all.
        encrypted_reasoning: Whether the client asked for `reasoning.encrypted_content`.
    """

    client_tools: frozenset[str] = frozenset()
    custom_tools: frozenset[str] = frozenset()
    server_label: str = "agent"
    show_tool_calls: bool = True
    encrypted_reasoning: bool = False
