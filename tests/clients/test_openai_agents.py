"""The OpenAI Agents SDK for Python against the served demo."""

from __future__ import annotations

from typing import Any

import pytest
from agents import (
    Agent,
    ModelSettings,
    OpenAIResponsesModel,
    RunConfig,
    Runner,
    RunResult,
    RunResultStreaming,
    function_tool,
)
from openai import AsyncOpenAI

QUIET = RunConfig(tracing_disabled=True)


class Desk:
    """An agent of the SDK's with two function tools; remembers what these were given."""

    def __init__(self, client: AsyncOpenAI) -> None:
        self.given: list[str] = []

        @function_tool
        def f(a: int) -> str:
            """Do f."""
            self.given.append(f"f {a}")
            return f"F{a}"

        @function_tool
        def g() -> str:
            """Do g."""
            self.given.append("g")
            return "G"

        self.agent = Agent[None](
            name="desk", instructions="Be kind.", model=OpenAIResponsesModel("demo", client), tools=[f, g]
        )

    async def run(self, asked: Any, **options: Any) -> RunResult:
        return await Runner.run(self.agent, asked, run_config=QUIET, **options)

    async def stream(self, asked: Any, **options: Any) -> tuple[RunResultStreaming, list[str]]:
        """Return the result, and what it was made of in the order of its coming: raw events and items."""
        result = Runner.run_streamed(self.agent, asked, run_config=QUIET, **options)
        seen: list[str] = []
        async for event in result.stream_events():
            if event.type == "raw_response_event":
                seen.append(event.data.type)
            elif event.type == "run_item_stream_event":
                seen.append(event.name)
        return result, seen


@pytest.fixture
def desk(async_client: AsyncOpenAI) -> Desk:
    return Desk(async_client)


def items_of(result: RunResult | RunResultStreaming) -> list[str]:
    return [item.type for item in result.new_items]


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


async def test_the_sdk_can_chain_inside_a_run(desk: Desk) -> None:
    """With its own chaining on, the outputs of the tools are sent alone, behind the previous response."""
    result = await desk.run('call f {"a": 1} and g {}', auto_previous_response_id=True)
    assert result.final_output == "f answered: F1\ng answered: G"


@pytest.mark.parametrize("stored", [True, False], ids=["stored", "not stored"])
async def test_function_tools_run_in_the_client(desk: Desk, stored: bool) -> None:
    desk.agent.model_settings = ModelSettings(store=stored)
    result = await desk.run('call f {"a": 1} and g {} and f {"a": 2}')
    assert result.final_output == "f answered: F1\ng answered: G\nf answered: F2"
    assert sorted(desk.given) == ["f 1", "f 2", "g"]
    assert items_of(result) == ["tool_call_item"] * 3 + ["tool_call_output_item"] * 3 + ["message_output_item"]
    assert result.context_wrapper.usage.requests == 2


async def test_function_tools_run_one_at_a_time_when_asked_so(desk: Desk) -> None:
    desk.agent.model_settings = ModelSettings(parallel_tool_calls=False)
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
    assert items_of(result) == ["tool_call_item", "message_output_item"]
    assert desk.given == []


async def test_a_tool_of_the_servers_breaks_no_streamed_run(desk: Desk) -> None:
    result, seen = await desk.stream("What is 6 * 7?")
    assert result.final_output == "calculate answered: 6 * 7 = 42"
    assert [name for name in seen if name.startswith("response.mcp_call.")] == [
        "response.mcp_call.in_progress",
        "response.mcp_call.completed",
    ]
    assert "tool_called" in seen
