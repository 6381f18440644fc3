"""What the events of a workflow add to an answer."""

from __future__ import annotations

import copy
from typing import Any, cast

import msgspec
from agent_framework import AgentResponse, AgentResponseUpdate, Content, Message, WorkflowAgent, WorkflowEvent

from .ids import mint


def updates_of_output(event: WorkflowEvent[Any]) -> list[AgentResponseUpdate]:
    """Return what an output adds."""
    data = event.data
    if isinstance(data, AgentResponseUpdate):
        # The workflow still holds the update itself.
        passed = copy.copy(data)
        passed.author_name = data.author_name or event.executor_id
        passed.raw_representation = event
        return [passed]
    if isinstance(data, AgentResponse):
        return _updates_of_response(event, cast("AgentResponse[Any]", data))
    if isinstance(data, Message):
        return [_said(event, data)]
    if isinstance(data, list) and data and all(isinstance(item, Message) for item in cast("list[Any]", data)):
        return [_said(event, message) for message in cast("list[Message]", data)]
    return [_update(event, _contents(data))]


def update_that_asks(event: WorkflowEvent[Any]) -> AgentResponseUpdate:
    """Return what a pause adds: a function call."""
    return _update(event, [_asked(event)], author=event.source_executor_id)


def _updates_of_response(event: WorkflowEvent[Any], response: AgentResponse[Any]) -> list[AgentResponseUpdate]:
    updates = [_said(event, message) for message in response.messages]
    if response.usage_details and updates:
        updates[-1].contents = [*updates[-1].contents, Content.from_usage(response.usage_details)]
    return updates


def _said(event: WorkflowEvent[Any], message: Message) -> AgentResponseUpdate:
    author = message.author_name or event.executor_id
    return _update(event, list(message.contents), role=message.role, author=author)


def _update(
    event: WorkflowEvent[Any],
    contents: list[Content],
    *,
    role: Any = "assistant",
    author: str | None = None,
) -> AgentResponseUpdate:
    return AgentResponseUpdate(
        contents=contents,
        role=role,
        author_name=author or event.executor_id,
        # Outputs that follow each other are messages of their own.
        message_id=mint("msg_"),
        raw_representation=event,
    )


def _contents(data: Any) -> list[Content]:
    if isinstance(data, Content):
        return [data]
    if isinstance(data, list) and data and all(isinstance(item, Content) for item in cast("list[Any]", data)):
        return list(cast("list[Content]", data))
    return [Content.from_text("" if data is None else str(cast("object", data)))]


def _asked(event: WorkflowEvent[Any]) -> Content:
    # As Agent Framework's own WorkflowAgent shows it.
    data = event.data
    if isinstance(data, Content) and data.user_input_request and data.type != "text":
        return data
    arguments = WorkflowAgent.RequestInfoFunctionArgs(request_id=event.request_id, request_event=event).to_dict()
    arguments["request_event"]["data"] = _plain(data)
    call = Content.from_function_call(
        call_id=event.request_id, name=WorkflowAgent.REQUEST_INFO_FUNCTION_NAME, arguments=arguments
    )
    call.user_input_request = True
    return call


def _plain(data: Any) -> Any:
    """Return what is asked as values that JSON can carry."""
    for method in ("model_dump", "to_dict"):
        dump = getattr(data, method, None)
        if callable(dump):
            data = dump()
            break
    return msgspec.to_builtins(data, str_keys=True, enc_hook=str)
