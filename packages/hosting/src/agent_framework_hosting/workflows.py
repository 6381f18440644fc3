"""Workflows: what they ask in the middle of a run, how it is answered, and their results as an agent's response.

A workflow that asks something (`ctx.request_info(...)`) pauses: its result names what is asked, and a later request in
the same session answers it, with `WorkflowAnswers` or with messages that hold the answers as function results.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeGuard, cast

# Every channel reads results with this module, and most hosts serve no workflow: the types that Agent Framework loads
# only when somebody asks for them stand by their full names.
import agent_framework
from agent_framework import AgentResponse, AgentResponseUpdate

from ._alike import alike
from ._kinds import is_a
from .errors import RunError
from .types import HostedRunResult

REQUEST_INFO: Final = "request_info"
"""The name of the function call that stands for something a workflow asks: `WorkflowAgent` has the same."""


@alike
@dataclass(frozen=True, slots=True)
class WorkflowAnswers:
    """The input of a request that answers what a paused workflow asks.

    Args:
        answers: The answers by the ids of what was asked (see `pending_requests`). Each has to fit the type that the
            workflow expects; JSON text is read when that type is another one than `str`. What an agent inside the
            workflow asks is answered with `True` or `False` for an approval, and with the result for a call.

    Example:
        >>> WorkflowAnswers({"3f1c": True}).answers["3f1c"]
        True
    """

    answers: Mapping[str, Any]


def is_workflow(target: object) -> TypeGuard[agent_framework.Workflow]:
    """Whether a target is a `Workflow`; loads nothing of Agent Framework's to say so.

    Example:
        >>> is_workflow(print)
        False
    """
    return is_a(target, "Workflow")


def is_workflow_result(result: object) -> TypeGuard[agent_framework.WorkflowRunResult]:
    """Whether a result is a `WorkflowRunResult`; loads nothing of Agent Framework's to say so.

    Example:
        >>> is_workflow_result("text")
        False
    """
    return is_a(result, "WorkflowRunResult")


def pending_requests(result: agent_framework.WorkflowRunResult) -> dict[str, agent_framework.WorkflowEvent[Any]]:
    """Return what a run asked before it paused, by id; an event's `data` and `response_type` say what is wanted.

    Example:
        >>> from agent_framework import WorkflowRunResult
        >>> pending_requests(WorkflowRunResult([]))
        {}
    """
    return {event.request_id: event for event in result.get_request_info_events()}


def shown(result: HostedRunResult[Any], *, by: str) -> AgentResponse[Any] | agent_framework.WorkflowRunResult:
    """Return what a channel is to show of a result: this is where hooks and agents come in untyped.

    Args:
        result: What the pipeline gave.
        by: The channel's name, for the error.

    Raises:
        RunError: It is nothing that a channel can show; the message says who has to mend it.

    Example:
        >>> shown(HostedRunResult("text", session=None), by="Pigeon")
        Traceback (most recent call last):
        ...
        agent_framework_hosting.errors.RunError: The Pigeon channel can show an AgentResponse or a WorkflowRunResult, \
not str. Look at what the response hook, or else the agent's run(), returns.
    """
    answer = result.result
    if not isinstance(answer, AgentResponse) and not is_workflow_result(answer):
        raise RunError(
            f"The {by} channel can show an AgentResponse or a WorkflowRunResult, not {type(answer).__name__}. "
            "Look at what the response hook, or else the agent's run(), returns."
        )
    return cast("AgentResponse[Any] | agent_framework.WorkflowRunResult", answer)


def shown_response(result: HostedRunResult[Any], *, by: str) -> AgentResponse[Any]:
    """Return what a channel that shows agents' responses alone is to show; see `shown` and `as_agent_response`."""
    answer: Any = result.result
    if isinstance(result.result, AgentResponse):
        return answer
    return as_agent_response(shown(result, by=by))


def as_agent_response(result: agent_framework.WorkflowRunResult | AgentResponse[Any]) -> AgentResponse[Any]:
    """Return a workflow's result as an agent's response: its outputs as messages, its pauses as function calls.

    An `AgentResponse` is returned as it is.

    Example:
        >>> from agent_framework import WorkflowEvent, WorkflowRunResult
        >>> as_agent_response(WorkflowRunResult([WorkflowEvent("output", data="done", executor_id="end")])).text
        'done'
    """
    if isinstance(result, AgentResponse):
        return result
    return AgentResponse.from_updates([update for event in result for update in updates_of(event)])


def updates_of(event: agent_framework.WorkflowEvent[Any]) -> list[AgentResponseUpdate]:
    """Return what an event adds to the answer; the event itself is each update's `raw_representation`.

    Outputs and pauses are shown. Everything else (states, supersteps, intermediate outputs) adds nothing.
    """
    # Loaded with the first result of a workflow.
    from . import _workflow_events

    if event.type == "output":
        return _workflow_events.updates_of_output(event)
    if event.type == "request_info":
        return [_workflow_events.update_that_asks(event)]
    return []
