"""An answer to a request for approval is for the one who asked: found, checked, and put into the words of core."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from agent_framework import Content

from agent_framework_hosting.errors import AnsweredAlready, InvalidRequest
from agent_framework_hosting.parsing.refusals import shown

from .._waiting import Waiting
from .history import Decision


def settle(decisions: Mapping[str, Decision], waiting: Collection[Waiting]) -> tuple[Waiting, ...]:
    """Fill in what was asked, and return what is waiting with the answers.

    Args:
        decisions: The answers, by the id of the `mcp_approval_request` item.
        waiting: What the conversation has left waiting.

    Raises:
        InvalidRequest: Nothing of that id is waiting for an answer.
        AnsweredAlready: It was answered in an earlier turn.
    """
    known = {call.request: call for call in waiting if call.request}
    for request_id, decision in decisions.items():
        call = known.get(request_id)
        if call is None:
            raise unknown(request_id, decision)
        if call.decided is not None:
            raise AnsweredAlready(param=f"{decision.at}.approval_request_id")
        _fill_in(decision.content, call)
    return tuple(
        call.answered(approved=decisions[call.request].content.approved is True) if call.request in decisions else call
        for call in waiting
    )


def unknown(request_id: str, decision: Decision) -> InvalidRequest:
    """Say that nothing of that id is waiting for an answer."""
    return InvalidRequest(
        f"No approval request with id '{shown(request_id)}' is waiting for an answer in this conversation. Continue "
        "with 'previous_response_id' from the response that asked, or from a later one of the same conversation.",
        param=f"{decision.at}.approval_request_id",
        code="approval_request_not_found",
    )


def _fill_in(answer: Content, call: Waiting) -> None:
    answer.id = call.request_id
    answer.function_call = Content.from_function_call(
        call.call_id,
        call.name,
        arguments=call.arguments,
        id=call.occurrence or None,
        hosted=call.server is not None,
        server_name=call.server or None,
    )
