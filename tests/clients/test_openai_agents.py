"""The OpenAI Agents SDK for Python against the served demo."""

from __future__ import annotations

from base64 import b64encode
from typing import TYPE_CHECKING

import pytest
from openai import AsyncOpenAI
from pydantic import BaseModel

if TYPE_CHECKING:
    from .desk import Desk


@pytest.fixture
def desk(async_client: AsyncOpenAI) -> Desk:
    """Return an agent of the SDK's whose model is the demo."""
    from .desk import Desk

    return Desk(async_client)


async def test_a_run_answers(desk: Desk) -> None:
    result = await desk.run("count to 5")
    assert result.final_output == "1 2 3 4 5"
    usage = result.context_wrapper.usage
    assert (usage.requests, usage.output_tokens) == (1, 5)


async def test_a_streamed_run_answers(desk: Desk) -> None:
    result, seen = await desk.stream("count to 5")
    assert result.final_output == "1 2 3 4 5"
    assert seen.count("response.output_text.delta") == 5
    assert seen[-2:] == ["response.completed", "message_output_created"]


async def test_turns_go_on_by_the_list_of_inputs(desk: Desk) -> None:
    result = await desk.run("My name is Ada.")
    for asked in ("say on", "What is 6 * 7?", "What is my name?"):
        result = await desk.run([*result.to_input_list(), {"role": "user", "content": asked}])
    assert result.final_output == "Your name is Ada."


async def test_turns_go_on_by_the_previous_response(desk: Desk) -> None:
    result = await desk.run("My name is Ada.")
    for asked in ("say on", "What is 6 * 7?", 'call f {"a": 1}', "What is my name?"):
        result = await desk.run(asked, previous_response_id=result.last_response_id)
    assert result.final_output == "Your name is Ada."


async def test_streamed_turns_go_on_by_the_previous_response(desk: Desk) -> None:
    previous: str | None = None
    for count in range(1, 5):
        result, _ = await desk.stream("How many messages?", previous_response_id=previous)
        assert str(result.final_output).startswith(f"With this one you have sent {count} message")
        previous = result.last_response_id


async def test_turns_go_on_in_a_conversation(desk: Desk, async_client: AsyncOpenAI) -> None:
    made = (await async_client.conversations.create()).id
    result = await desk.run("My name is Ada.", conversation_id=made)
    for asked in ("say on", 'call f {"a": 1}', "What is my name?"):
        result, _ = await desk.stream(asked, conversation_id=made)
    assert result.final_output == "Your name is Ada."
    items = [item async for item in async_client.conversations.items.list(made, order="asc")]
    assert [item.type for item in items].count("function_call_output") == 1


async def test_turns_go_on_in_the_sdks_own_session_which_is_a_conversation(
    desk: Desk, async_client: AsyncOpenAI
) -> None:
    from agents import OpenAIConversationsSession

    session = OpenAIConversationsSession(openai_client=async_client)
    for asked in ("My name is Ada.", "say on", "What is my name?"):
        result = await desk.run(asked, session=session)
    assert result.final_output == "Your name is Ada."
    assert len(await session.get_items()) == 6


async def test_the_sdk_can_chain_inside_a_run(desk: Desk) -> None:
    """With its own chaining on, the outputs of the tools are sent alone, behind the previous response."""
    result = await desk.run('call f {"a": 1} and g {}', auto_previous_response_id=True)
    assert result.final_output == "f answered: F1\ng answered: G"


@pytest.mark.parametrize("stored", [True, False], ids=["stored", "not stored"])
async def test_function_tools_run_in_the_client(desk: Desk, stored: bool) -> None:
    desk.set(store=stored)
    result = await desk.run('call f {"a": 1} and g {} and f {"a": 2}')
    assert result.final_output == "f answered: F1\ng answered: G\nf answered: F2"
    assert sorted(desk.given) == ["f 1", "f 2", "g"]
    assert desk.items_of(result) == ["tool_call_item"] * 3 + ["tool_call_output_item"] * 3 + ["message_output_item"]
    assert result.context_wrapper.usage.requests == 2


async def test_function_tools_run_one_at_a_time_when_asked_so(desk: Desk) -> None:
    desk.set(parallel_tool_calls=False)
    result = await desk.run('call f {"a": 1} and g {}')
    assert result.final_output == "f answered: F1\ng answered: G"
    assert desk.given == ["f 1", "g"]
    assert result.context_wrapper.usage.requests == 3


async def test_function_tools_run_in_a_streamed_run(desk: Desk) -> None:
    result, seen = await desk.stream('call f {"a": 1} and g {}')
    assert result.final_output == "f answered: F1\ng answered: G"
    assert [name for name in seen if name.startswith("tool_")] == [*["tool_called"] * 2, *["tool_output"] * 2]
    assert sorted(desk.given) == ["f 1", "g"]


async def test_a_tool_of_the_servers_breaks_no_run(desk: Desk) -> None:
    """The SDK would end the run over a call of a function that it does not know."""
    result = await desk.run("What is 6 * 7?")
    assert result.final_output == "calculate answered: 6 * 7 = 42"
    assert desk.items_of(result) == ["tool_call_item", "message_output_item"]
    assert desk.given == []


async def test_a_tool_of_the_servers_breaks_no_streamed_run(desk: Desk) -> None:
    result, seen = await desk.stream("What is 6 * 7?")
    assert result.final_output == "calculate answered: 6 * 7 = 42"
    assert [name for name in seen if name.startswith("response.mcp_call.")] == [
        "response.mcp_call.in_progress",
        "response.mcp_call.completed",
    ]
    assert "tool_called" in seen


class Point(BaseModel):
    x: int
    name: str


async def test_an_answer_is_read_into_a_class(desk: Desk) -> None:
    desk.answer_as(Point)
    assert (await desk.run("Go to 3")).final_output == Point(x=3, name="Go to 3")
    result, _ = await desk.stream("Go to 3")
    assert result.final_output == Point(x=3, name="Go to 3")


async def test_an_image_reaches_the_agent(desk: Desk, dot: bytes) -> None:
    image = {"type": "input_image", "image_url": f"data:image/png;base64,{b64encode(dot).decode()}", "detail": "auto"}
    result = await desk.run([{"role": "user", "content": [{"type": "input_text", "text": "What is this?"}, image]}])
    assert str(result.final_output).startswith("You sent an image (image/png, 70 bytes).")
    result = await desk.run([*result.to_input_list(), {"role": "user", "content": "How many messages?"}])
    assert result.final_output == "With this one you have sent 2 messages."


async def test_a_streamed_run_may_be_in_the_background(desk: Desk, async_client: AsyncOpenAI) -> None:
    """Each of its requests is accepted, and followed: the SDK reads the stream, whoever runs it."""
    desk.set(extra_args={"background": True})
    result, seen = await desk.stream('call f {"a": 1} and g {}')
    assert result.final_output == "f answered: F1\ng answered: G"
    assert seen[:3] == ["response.created", "response.queued", "response.in_progress"]
    kept = await async_client.responses.retrieve(result.last_response_id or "")
    assert (kept.background, kept.output_text) == (True, result.final_output)


async def test_a_run_that_is_not_streamed_does_not_wait_for_the_background(desk: Desk) -> None:
    """The SDK takes the first answer for the last one; it polls nothing."""
    desk.set(extra_args={"background": True})
    result = await desk.run("count to 5")
    assert (result.final_output, result.new_items) == ("", [])
