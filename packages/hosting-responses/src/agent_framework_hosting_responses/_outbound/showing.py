"""What is known of a response before the agent says anything: what it is called, and what a client gets to see."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from .._waiting import Waiting


class Showing(msgspec.Struct, kw_only=True, gc=False):
    """The channel's choices for one response.

    Args:
        response_id: What the ids of its items are made of.
        client_tools: Names of the tools that the client brought, and must answer itself.
        custom_tools: Those of them that are custom tools, which are given a text instead of arguments.
        forbidden_tools: Those that must not be called in this turn, whatever the model does.
        approval_tools: Names of the agent's tools that it asks for before it runs them.
        server_label: Under which name the agent's own tools are shown.
        show_tool_calls: Whether the agent's own tool calls are shown at all.
        encrypted_reasoning: Whether the client asked for `reasoning.encrypted_content`.
        include: What else the client asked for that is left out otherwise, in the words of the protocol's `include`.
        waiting: The calls that earlier turns left waiting; their results may come now.
    """

    response_id: str
    client_tools: frozenset[str] = frozenset()
    custom_tools: frozenset[str] = frozenset()
    forbidden_tools: frozenset[str] = frozenset()
    approval_tools: frozenset[str] = frozenset()
    server_label: str = "agent"
    show_tool_calls: bool = True
    encrypted_reasoning: bool = False
    include: frozenset[str] = frozenset()
    waiting: tuple[Waiting, ...] = ()


class ResponseFields(Showing, kw_only=True, gc=False):
    """What a response knows about itself before the agent says anything, and what of it is shown.

    Args:
        created_at: When it was asked for, in seconds.
        model: What answers.
        previous_response_id: The response that it continues.
        echo: The request's fields that it repeats, in the shape in which it shows them; others than those that a
            response has are ignored.
    """

    created_at: int
    model: str
    previous_response_id: str | None = None
    echo: Mapping[str, Any] | None = None
