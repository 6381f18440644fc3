"""Streams of workflows: outputs and pauses as updates, in the shape of agents."""

# No `from __future__ import annotations`: Agent Framework reads the types of handlers while their class is made.
from collections.abc import Callable
from typing import Any

import pytest
from agent_framework import (
    AgentResponse,
    AgentResponseUpdate,
    Content,
    Executor,
    Message,
    Workflow,
    WorkflowBuilder,
    WorkflowContext,
    WorkflowEvent,
    WorkflowRunResult,
    handler,
)
from workflow_parts import Order, notebook, say

from agent_framework_hosting.channel import ChannelContext
from agent_framework_hosting.types import HostedRunResult
from agent_framework_hosting.workflows import as_agent_response

Connect = Callable[..., ChannelContext]

UPDATE = AgentResponseUpdate(contents=[Content.from_text("he")], role="assistant", message_id="m1")
REST = AgentResponseUpdate(contents=[Content.from_text("llo")], role="assistant", message_id="m1")
RESPONSE = AgentResponse(messages=[Message("assistant", ["one"]), Message("assistant", ["two"])])


class Speaker(Executor):
    """Yields what it was made with."""

    def __init__(self, *outputs: Any) -> None:
        super().__init__(id="speaker")
        self.outputs = outputs

    @handler
    async def speak(self, text: str, ctx: WorkflowContext[str, Any]) -> None:
        """Speak."""
        for output in self.outputs:
            await ctx.yield_output(output)


def speaking(*outputs: Any) -> Workflow:
    """Return a workflow that yields these outputs."""
    return WorkflowBuilder(start_executor=Speaker(*outputs), name="speaker").build()


@pytest.mark.parametrize(
    ("output", "texts"),
    [
        ("text", ["text"]),
        (5, ["5"]),
        (Content.from_text("content"), ["content"]),
        (Message("assistant", ["message"]), ["message"]),
        ([Message("assistant", ["a"]), Message("assistant", ["b"])], ["a", "b"]),
        (RESPONSE, ["one", "two"]),
        (UPDATE, ["he"]),
        (Order("tea", 2), ["Order(item='tea', count=2)"]),
    ],
)
async def test_outputs_become_updates(connect: Connect, output: Any, texts: list[str]) -> None:
    """Of an assistant, each with the event that it is made of; nothing else is sent."""
    stream = await connect(speaking(output)).run_stream(say("go"))
    updates = [update async for update in stream]
    assert [update.text for update in updates] == texts
    assert {update.role for update in updates} == {"assistant"}
    for update in updates:
        event: Any = update.raw_representation
        assert type(event) is WorkflowEvent
        assert type(event.data) is type(output)


async def test_updates_of_an_agent_pass_through(connect: Connect) -> None:
    """With their message ids, so that they are one message in the end; the workflow's own objects stay as they are."""
    stream = await connect(speaking(UPDATE, REST, "next")).run_stream(say("go"))
    final = await stream.get_final_response()
    assert [message.text for message in final.messages] == ["hello", "next"]
    assert UPDATE.raw_representation is None


async def test_a_pause_is_streamed_as_a_call_that_the_caller_answers(connect: Connect) -> None:
    """Named as Agent Framework names it."""
    stream = await connect(notebook()).run_stream(say("ask count"))
    [update] = [update async for update in stream]
    [call] = update.contents
    assert (call.type, call.name, call.user_input_request) == ("function_call", "request_info", True)
    assert call.arguments["request_event"]["data"] == "ask count"  # pyright: ignore[reportArgumentType, reportOptionalSubscript, reportCallIssue] - it is a mapping here


async def test_the_response_hook_gets_the_workflows_own_result(connect: Connect) -> None:
    """And has the last word on the final response."""
    seen: list[Any] = []

    def hook(result: HostedRunResult[Any], **_: Any) -> HostedRunResult[Any]:
        seen.append(result.result)
        return result.replace(result=AgentResponse(messages=[Message("assistant", ["shaped"])]))

    stream = await connect(speaking("raw")).run_stream(say("go"), response_hook=hook)
    assert (await stream.get_final_response()).text == "shaped"
    assert [type(result) for result in seen] == [WorkflowRunResult]


async def test_a_streamed_turn_counts_like_any_other(connect: Connect) -> None:
    """The session goes on after it, streamed or not."""
    context = connect(notebook())
    for text, expected in (("one", "one"), ("two", "one two")):
        stream = await context.run_stream(say(text))
        assert (await stream.get_final_response()).text == expected
    assert as_agent_response((await context.run(say("three"))).result).text == "one two three"


async def test_a_stream_that_fails_raises_and_the_session_goes_on(connect: Connect) -> None:
    """From its last finished turn."""
    context = connect(notebook())
    await context.run(say("one"))
    with pytest.raises(ValueError, match="nobody's business"):
        async for _ in await context.run_stream(say("fail")):
            pass
    assert (await context.run(say("two"))).result.get_outputs() == ["one two"]
