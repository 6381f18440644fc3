"""Answers to what was asked, as Agent Framework takes them: messages for an agent, `WorkflowAnswers` for a workflow."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from agent_framework import Content, Message
from msgspec import UNSET

from agent_framework_hosting.errors import InvalidRequest
from agent_framework_hosting.parsing.refusals import shown, wrong_value
from agent_framework_hosting.workflows import WorkflowAnswers

from .._waiting import Waiting
from ..vocabulary import Reply


def for_workflow(replies: Sequence[Reply]) -> WorkflowAnswers:
    """Return the answers to a workflow, which knows best whether they fit what it asks."""
    return WorkflowAnswers(
        {reply.request_id: reply.data if reply.approved is UNSET else reply.approved for reply in replies}
    )


def for_agent(replies: Sequence[Reply], waiting: Collection[Waiting]) -> list[Message]:
    """Return the answers to an agent, put into words by what it has left waiting.

    Raises:
        InvalidRequest: Nothing with that id is waiting in this session, or it wants another kind of answer.
    """
    known = {each.request_id: each for each in waiting}
    decisions: list[Content] = []
    results: list[Content] = []
    for index, reply in enumerate(replies):
        at = f"responses[{index}]"
        asked = known.get(reply.request_id)
        if asked is None:
            raise InvalidRequest(
                f"No request with the id '{shown(reply.request_id)}' is waiting for an answer in this session: it is "
                "unknown, or has been answered already.",
                param=f"{at}.request_id",
                code="request_not_found",
            )
        if asked.kind == "approval":
            decisions.append(_decision(reply, asked, at))
        else:
            results.append(_result(reply, asked, at))
    messages = [Message("user", decisions)] if decisions else []
    return [*messages, Message("tool", results)] if results else messages


def _decision(reply: Reply, asked: Waiting, at: str) -> Content:
    if reply.approved is UNSET:
        raise wrong_value(at, "have 'approved', true or false, since this request asks for an approval")
    call = Content.from_function_call(
        asked.call_id,
        asked.name,
        arguments=asked.arguments,
        id=asked.occurrence or None,
        hosted=asked.hosted,
        server_name=asked.server or None,
    )
    return Content.from_function_approval_response(reply.approved is True, asked.core_id, call)


def _result(reply: Reply, asked: Waiting, at: str) -> Content:
    if reply.data is UNSET:
        raise wrong_value(at, "have 'data', the result of the call")
    return Content.from_function_result(asked.call_id, result=reply.data)
