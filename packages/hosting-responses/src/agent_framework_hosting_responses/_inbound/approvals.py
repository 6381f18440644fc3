"""Requests for approval among the input items, and their answers."""

from __future__ import annotations

from typing import Any

from agent_framework import Content

from agent_framework_hosting.parsing.checks import filled, flag, text
from agent_framework_hosting.parsing.refusals import missing

from .history import History


def read_request(history: History, item: dict[str, Any], at: str) -> None:
    """Read an `mcp_approval_request` item, which a client sends back as part of a whole history."""
    for key in ("name", "arguments", "server_label"):
        text(_required(item, key, at), f"{at}.{key}")
    history.request(filled(_required(item, "id", at), f"{at}.id"), at)


def read_answer(history: History, item: dict[str, Any], at: str) -> None:
    """Read an `mcp_approval_response` item.

    What was asked is not known here. Until `decisions.settle` has filled it in, the answer is one to nothing.
    """
    place = f"{at}.approval_request_id"
    request_id = filled(_required(item, "approval_request_id", at), place)
    approved = flag(_required(item, "approve", at), f"{at}.approve")
    reason = item.get("reason")
    marks = {"reason": text(reason, f"{at}.reason")} if reason is not None else None
    nothing = Content.from_function_call(request_id, "")
    answer = Content.from_function_approval_response(approved, request_id, nothing, additional_properties=marks)
    history.decide(request_id, answer, at)


def _required(item: dict[str, Any], key: str, at: str) -> Any:
    value = item.get(key)
    if value is None:
        raise missing(f"{at}.{key}")
    return value
