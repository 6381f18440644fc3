"""The scripted chat client: a real agent on it runs core's own tool loop."""

from __future__ import annotations

import asyncio
from typing import Annotated

import pytest
from agent_framework import Agent, ChatResponseUpdate, Content, FunctionTool, Message
from agent_framework.exceptions import ChatClientException

from agent_framework_hosting.testing import ChatCall, Finish, Gate, ScriptedChatClient, ScriptExhausted, recall


def add(a: Annotated[int, "first"], b: int) -> int:
    """Add two numbers."""
    return a + b


def call_add(call_id: str = "call_1") -> Content:
    return Content.from_function_call(call_id, "add", arguments={"a": 2, "b": 3})


async def answer_of(agent: Agent, text: str, *, stream: bool) -> str:
    if stream:
        return (await agent.run(text, stream=True).get_final_response()).text
    return (await agent.run(text)).text


@pytest.mark.parametrize("stream", [False, True])
async def test_a_real_agent_runs_its_real_tool_loop(stream: bool) -> None:
    """The tool is called with the scripted arguments, and its result is in the next request."""
    client = ScriptedChatClient(call_add(), lambda call: f"It is {call.messages[-1].contents[0].result}.")
    assert await answer_of(Agent(client, tools=[add]), "2 + 3?", stream=stream) == "It is 5."
    first, second = client.calls
    assert [message.role for message in second.messages] == ["user", "assistant", "tool"]
    assert (first.tools, first.stream, second.stream) == (["add"], stream, stream)


async def test_arguments_may_come_in_pieces() -> None:
    """As a model streams them."""
    client = ScriptedChatClient(
        [
            Content.from_function_call("c1", "add", arguments='{"a": 2,'),
            Content.from_function_call("c1", "", arguments=' "b": 40}'),
        ],
        lambda call: str(call.messages[-1].contents[0].result),
    )
    assert await answer_of(Agent(client, tools=[add]), "2 + 40?", stream=True) == "42"


async def test_several_tools_are_called_in_one_turn() -> None:
    """Both results come back before the next request."""
    client = ScriptedChatClient([call_add("c1"), call_add("c2")], "done")
    await Agent(client, tools=[add]).run("hi")
    results = [content for message in client.calls[1].messages for content in message.contents if content.result]
    assert [result.call_id for result in results] == ["c1", "c2"]


async def test_a_declared_tool_is_left_to_the_caller() -> None:
    """A tool without a body ends the run with the call in the answer."""
    declared = FunctionTool(name="add", description="adds", func=None, input_model={"type": "object", "properties": {}})
    client = ScriptedChatClient(call_add())
    response = await Agent(client, tools=[declared]).run("hi")
    assert [content.name for content in response.messages[-1].contents] == ["add"]
    assert len(client.calls) == 1


async def test_requests_are_recorded_with_their_options() -> None:
    """What the agent adds (instructions) and what the caller gives (temperature) both reach the client."""
    client = ScriptedChatClient()
    await Agent(client, instructions="Be brief.").run("hi", options={"temperature": 0.5})
    (call,) = client.calls
    assert (call.options["instructions"], call.options["temperature"], call.tools) == ("Be brief.", 0.5, [])
    assert call.seen[-1] == "hi"


async def test_the_agent_remembers_across_turns() -> None:
    """The real history provider feeds the scripted client."""
    agent = Agent(ScriptedChatClient(every=recall))
    session = agent.create_session()
    answers = [(await agent.run(text, session=session)).text for text in ("one", "two")]
    assert answers == ["one", "one | two"]


@pytest.mark.parametrize("stream", [False, True])
async def test_usage_and_finish_reason_reach_the_response(stream: bool) -> None:
    """They are steps like any other."""
    agent = Agent(ScriptedChatClient(["so", Content.from_usage({"output_token_count": 7}), Finish("length")]))
    response = await (agent.run("hi", stream=True).get_final_response() if stream else agent.run("hi"))
    assert (response.finish_reason, response.usage_details) == ("length", {"output_token_count": 7})


async def test_a_turn_says_by_itself_why_it_finished() -> None:
    """`tool_calls` after a function call, else `stop`, as services do."""
    client = ScriptedChatClient("hello", call_add())
    reasons = [(await client.get_response([Message("user", ["hi"])])).finish_reason for _ in range(2)]
    assert reasons == ["stop", "tool_calls"]


async def test_ready_updates_pass_untouched() -> None:
    """For everything that has no step of its own."""
    ready = ChatResponseUpdate(contents=[Content.from_text("x")], role="assistant", message_id="m1", response_id="r1")
    response = await ScriptedChatClient([ready]).get_response([Message("user", ["hi"])])
    assert (response.response_id, response.messages[0].message_id) == ("r1", "m1")


@pytest.mark.parametrize("stream", [False, True])
async def test_exceptions_reach_the_agents_caller(stream: bool) -> None:
    """After what was sent before, and onto the record."""
    client = ScriptedChatClient(["some", ChatClientException("down")])
    with pytest.raises(ChatClientException, match="down"):
        await answer_of(Agent(client), "hi", stream=stream)
    assert client.calls[0].failed
    assert client.calls[0].updates[0].text == "some"


async def test_options_are_validated_as_by_core() -> None:
    """A temperature beyond all bounds fails as it would with a real client."""
    with pytest.raises(ValueError, match="temperature"):
        await ScriptedChatClient().get_response([Message("user", ["hi"])], options={"temperature": 9})


async def test_closing_the_agents_stream_closes_the_clients() -> None:
    """The record of the request tells that its reader left."""
    client = ScriptedChatClient(["one", "two"])
    stream = Agent(client).run("hi", stream=True)
    await anext(aiter(stream))
    await stream.close()
    assert client.calls[0].closed
    assert client.active == 0


async def test_a_gate_holds_a_request() -> None:
    """The test decides when the model goes on; the count of active requests follows."""
    gate = Gate()
    client = ScriptedChatClient(every=[gate, "ok"])
    answers = [asyncio.ensure_future(Agent(client).run("hi")) for _ in range(2)]
    await gate.wait_reached(2)
    assert (client.active, client.most_active) == (2, 2)
    gate.open()
    assert [(await answer).text for answer in answers] == ["ok", "ok"]


async def test_a_request_beyond_the_script_fails_and_says_so() -> None:
    """A tool loop that goes round once too often is found out."""
    client = ScriptedChatClient(call_add())
    with pytest.raises(ScriptExhausted, match="call number 2"):
        await Agent(client, tools=[add]).run("hi")


async def test_records_read_well_in_a_failing_assertion() -> None:
    """Index, outcome, and what the model saw."""
    client = ScriptedChatClient()
    await client.get_response([Message("user", ["hi"])])
    assert repr(client) == "<ScriptedChatClient 'scripted-model' calls=1 active=0>"
    assert repr(client.calls[0]) == "<ChatCall 0 finished stream=False seen=['hi']>"
    assert isinstance(client.calls[0], ChatCall)
