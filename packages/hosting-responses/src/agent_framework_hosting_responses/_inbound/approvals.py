"""Requests for approval among the input items, and their answers."""

from __future__ import annotations

from typing import Any, Final

from agent_framework import Content

from agent_framework_hosting.parsing.checks import filled, flag, some_members, text

from .history import History

REQUEST: Final = some_members(
    {"name": text, "arguments": text, "server_label": text, "id": filled},
    required=("name", "arguments", "server_label", "id"),
)
"""The members of an `mcp_approval_request` item."""

ANSWER: Final = some_members(
    {"approval_request_id": filled, "approve": flag, "reason": text}, required=("approval_request_id", "approve")
)
"""The members of an `mcp_approval_response` item."""


def read_request(history: History, item: dict[str, Any], at: str) -> None:
    """Read an `mcp_approval_request` item, which a client sends back as part of a whole history."""
    history.request(item["id"], at)


def read_answer(history: History, item: dict[str, Any], at: str) -> None:
    """Read an `mcp_approval_response` item.

    What was asked is not known here. Until `decisions.settle` has filled it in, the answer is one to nothing.
    """
    request_id, reason = item["approval_request_id"], item.get("reason")
    marks = {"reason": reason} if reason is not None else None
    nothing = Content.from_function_call(request_id, "")
    answer = Content.from_function_approval_response(item["approve"], request_id, nothing, additional_properties=marks)
    history.decide(request_id, answer, at)
