"""The demo's agent with its offline model, run as any Agent Framework agent is run."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from time import monotonic
from typing import Any

import pytest
from agent_framework import Agent, AgentResponse, AgentResponseUpdate, Content, FunctionTool, Message
from pydantic import BaseModel

from agent_framework_hosting_responses._demo._agent import build_agent
from agent_framework_hosting_responses._demo._settings import DemoSettings, OfflineModel
from agent_framework_hosting_responses._demo._tools import local_tools

WEATHER = FunctionTool(
    name="get_weather",
    description="Get the weather of a city.",
    input_model={"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
)
NEWS = FunctionTool(name="get_news", description="Get the news.", input_model={"type": "object", "properties": {}})


@pytest.fixture
def agent() -> Agent[Any]:
    return offline_agent()


def offline_agent() -> Agent[Any]:
    return build_agent(DemoSettings(model=OfflineModel()))


def contents(response: AgentResponse[Any], kind: str) -> list[Content]:
    return [content for message in response.messages for content in message.contents if content.type == kind]


def calls(response: AgentResponse[Any]) -> list[tuple[str | None, object]]:
    return [(call.name, json.loads(str(call.arguments))) for call in contents(response, "function_call")]


def results_for(response: AgentResponse[Any], *results: str) -> Message:
    """What a client sends after it has run the functions that the model called."""
    asked = contents(response, "function_call")
    return Message(
        "tool",
        [
            Content.from_function_result(call.call_id or "", result=result)
            for call, result in zip(asked, results, strict=True)
        ],
    )


# -- plain turns


async def test_a_greeting_is_answered_by_an_honest_offline_model(agent: Agent[Any]) -> None:
    response = await agent.run("Hello!")
    assert "I am an offline demo model" in response.text
    assert response.finish_reason == "stop"


async def test_a_stream_brings_the_same_answer_word_by_word(agent: Agent[Any]) -> None:
    stream = agent.run("say one two  three\nfour", stream=True)
    words = [update.text async for update in stream if update.text]
    final = await stream.get_final_response()
    assert words == ["one ", "two  ", "three\n", "four"]
    assert final.text == (await agent.run("say one two  three\nfour")).text == "one two  three\nfour"


async def test_a_streamed_message_keeps_its_ids_and_two_messages_differ(agent: Agent[Any]) -> None:
    async def ids() -> set[tuple[str | None, str | None]]:
        return {(update.response_id, update.message_id) async for update in agent.run("count to 9", stream=True)}

    first, second = await ids(), await ids()
    assert len(first) == len(second) == 1
    assert first != second


@pytest.mark.parametrize("stream", [False, True])
async def test_usage_counts_words_and_grows_with_the_conversation(agent: Agent[Any], *, stream: bool) -> None:
    session = agent.create_session()
    inputs: list[int] = []
    for _ in range(3):
        response = await finished(agent, "say one two three", session=session, stream=stream)
        usage = response.usage_details or {}
        assert usage.get("output_token_count") == 3
        assert usage.get("total_token_count") == (usage.get("input_token_count") or 0) + 3
        inputs.append(usage.get("input_token_count") or 0)
    assert inputs[1] - inputs[0] == inputs[2] - inputs[1] == len(["say", "one", "two", "three", "one", "two", "three"])


async def test_a_delay_spaces_the_words_of_a_stream_only() -> None:
    agent = build_agent(DemoSettings(model=OfflineModel(word_delay=0.02)))
    started = monotonic()
    await agent.run("count to 3", stream=True).get_final_response()
    assert monotonic() - started >= 0.04
    patient = build_agent(DemoSettings(model=OfflineModel(word_delay=3600)))
    assert (await patient.run("count to 3")).text == "1 2 3"


async def test_the_maximum_of_tokens_cuts_the_answer(agent: Agent[Any]) -> None:
    options: Any = {"max_tokens": 4}
    response = await agent.run("count to 30", options=options)
    assert response.text.split() == ["1", "2", "3", "4"]
    assert response.finish_reason == "length"


# -- the local tools


@pytest.mark.parametrize("stream", [False, True])
async def test_a_local_tool_is_really_run_by_the_tool_loop(agent: Agent[Any], *, stream: bool) -> None:
    response = await finished(agent, "What is 6 * 7?", stream=stream)
    assert calls(response) == [("calculate", {"expression": "6 * 7"})]
    assert [result.result for result in contents(response, "function_result")] == ["6 * 7 = 42"]
    assert response.text == "calculate answered: 6 * 7 = 42"


async def test_the_time_comes_from_the_clock(agent: Agent[Any]) -> None:
    before = datetime.now(UTC).replace(microsecond=0)
    text = (await agent.run("What time is it in Tokyo?")).text
    told = datetime.strptime(text, "current_time answered: %Y-%m-%d %H:%M:%S UTC%z in Asia/Tokyo")
    assert before <= told <= datetime.now(UTC)


async def test_two_questions_in_one_are_answered_by_two_tools_side_by_side(agent: Agent[Any]) -> None:
    response = await agent.run("How much is 12*12, and how many words are in: to be or not to be")
    assert response.text == "calculate answered: 12*12 = 144\ncount_words answered: 6 words"
    assert [len(message.contents) for message in response.messages if message.role == "tool"] == [2]


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("Calculate 1/0", "This cannot be calculated: division by zero."),
        ("Calculate 9**9**9", "This cannot be calculated: the result is too large."),
        ("What time is it in Atlantis?", "There is no time zone 'Atlantis'; a name looks like Europe/Paris."),
        ("How many words are in: one", "1 word"),
    ],
)
async def test_what_a_tool_cannot_do_it_says(agent: Agent[Any], question: str, answer: str) -> None:
    assert (await agent.run(question)).text.endswith(f"answered: {answer}")


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("Europe/Paris", "2026-07-01 14:00:00 UTC+0200 in Europe/Paris"),
        ("paris", "2026-07-01 14:00:00 UTC+0200 in Europe/Paris"),
        ("new york", "2026-07-01 08:00:00 UTC-0400 in America/New_York"),
        ("utc", "2026-07-01 12:00:00 UTC+0000 in UTC"),
        ("../../etc/passwd", "There is no time zone '../../etc/passwd'; a name looks like Europe/Paris."),
        ("Europe", "There is no time zone 'Europe'; a name looks like Europe/Paris."),
        ("\x00", "There is no time zone '\\x00'; a name looks like Europe/Paris."),
    ],
)
async def test_a_zone_is_known_by_its_name_and_by_its_city(name: str, told: str) -> None:
    noon = datetime(2026, 7, 1, 12, tzinfo=UTC)
    current_time = local_tools(now=lambda: noon)[0]
    assert await current_time.invoke(arguments={"timezone": name}, skip_parsing=True) == told


# -- memory


async def test_a_session_remembers_and_sessions_do_not_mix(agent: Agent[Any]) -> None:
    ada, eve = agent.create_session(), agent.create_session()
    await agent.run("My name is Ada.", session=ada)
    await agent.run("My name is Eve.", session=eve)
    await agent.run("What is 2 + 2?", session=ada)
    assert (await agent.run("What is my name?", session=ada)).text == "Your name is Ada."
    assert (await agent.run("What is my name?", session=eve)).text == "Your name is Eve."
    assert (await agent.run("What did I say first?", session=ada)).text == 'First you said: "My name is Ada."'
    assert (await agent.run("What is my name?")).text == "You have not told me your name yet."


async def test_the_same_conversation_gets_the_same_answers() -> None:
    questions = ["Hello!", "My name is Ada.", "What is 6 * 7?", "call get_weather {}", "What did I say before?"]

    async def converse() -> list[tuple[str, list[tuple[str | None, object]]]]:
        agent = offline_agent()
        session = agent.create_session()
        answers = [await agent.run(question, session=session) for question in questions]
        return [(answer.text, calls(answer)) for answer in answers]

    assert await converse() == await converse()


# -- functions that the client declares


@pytest.mark.parametrize("stream", [False, True])
async def test_a_declared_function_is_called_by_name_and_its_result_is_used(agent: Agent[Any], *, stream: bool) -> None:
    session = agent.create_session()
    asked = await finished(agent, 'call get_weather {"city":"Paris"}', session=session, tools=[WEATHER], stream=stream)
    assert calls(asked) == [("get_weather", {"city": "Paris"})]
    assert asked.text == ""
    assert asked.finish_reason == "tool_calls"
    answer = await finished(agent, results_for(asked, "21 degrees"), session=session, tools=[WEATHER], stream=stream)
    assert answer.text == "get_weather answered: 21 degrees"
    assert calls(answer) == []


async def test_several_declared_functions_are_called_side_by_side(agent: Agent[Any]) -> None:
    session = agent.create_session()
    text = 'call get_weather {"city":"Paris"} and get_news {} and get_weather {"city":"Oslo"}'
    asked = await agent.run(text, session=session, tools=[WEATHER, NEWS])
    assert calls(asked) == [("get_weather", {"city": "Paris"}), ("get_news", {}), ("get_weather", {"city": "Oslo"})]
    assert len({call.call_id for call in contents(asked, "function_call")}) == 3
    answer = await agent.run(results_for(asked, "sun", "none", "snow"), session=session, tools=[WEATHER, NEWS])
    assert answer.text == "get_weather answered: sun\nget_news answered: none\nget_weather answered: snow"


async def test_without_parallel_calls_the_second_one_waits_for_the_first(agent: Agent[Any]) -> None:
    session = agent.create_session()
    how: dict[str, Any] = {"tools": [WEATHER, NEWS], "options": {"allow_multiple_tool_calls": False}}
    first = await agent.run('call get_weather {"city":"Oslo"} and get_news', session=session, **how)
    assert calls(first) == [("get_weather", {"city": "Oslo"})]
    second = await agent.run(results_for(first, "snow"), session=session, **how)
    assert calls(second) == [("get_news", {})]
    answer = await agent.run(results_for(second, "none"), session=session, **how)
    assert answer.text == "get_weather answered: snow\nget_news answered: none"


async def test_a_declared_function_beside_a_local_tool_gets_both_results_into_the_answer(agent: Agent[Any]) -> None:
    session = agent.create_session()
    text = 'call calculate {"expression": "6*7"} and get_weather {"city": "Oslo"}'
    asked = await agent.run(text, session=session, tools=[WEATHER])
    clients = [call for call in contents(asked, "function_call") if call.name == "get_weather"]
    result = Content.from_function_result(clients[0].call_id or "", result="snow")
    answer = await agent.run(Message("tool", [result]), session=session, tools=[WEATHER])
    assert sorted(answer.text.splitlines()) == ["calculate answered: 6*7 = 42", "get_weather answered: snow"]


async def test_streamed_arguments_come_in_pieces_of_one_call(agent: Agent[Any]) -> None:
    wanted = '{"city":"Llanfairpwllgwyngyllgogerychwyrndrobwllllantysiliogogogoch"}'
    stream = agent.run(f"call get_weather {wanted}", tools=[WEATHER], stream=True)
    updates: Sequence[AgentResponseUpdate] = [update async for update in stream]
    pieces = [content for update in updates for content in update.contents if content.type == "function_call"]
    streamed = [piece for piece in pieces if not piece.user_input_request]
    assert len(streamed) > 1
    assert "".join(str(piece.arguments) for piece in streamed) == wanted
    assert len({piece.call_id for piece in pieces}) == 1


# -- tool choice


@pytest.mark.parametrize("choice", ["required", {"mode": "required", "required_function_name": "get_weather"}])
async def test_a_required_function_is_called_without_being_asked_for(agent: Agent[Any], choice: object) -> None:
    options: Any = {"tool_choice": choice}
    response = await agent.run("Paris", tools=[WEATHER], options=options)
    assert calls(response) == [("get_weather", {"city": "Paris"})]


async def test_a_required_local_tool_is_run_once_and_then_answered_from(agent: Agent[Any]) -> None:
    options: Any = {"tool_choice": {"mode": "required", "required_function_name": "count_words"}}
    response = await agent.run("to be or not to be", options=options)
    assert response.text == "count_words answered: 6 words"
    assert len(calls(response)) == 1


async def test_allowed_tools_leave_the_others_out(agent: Agent[Any]) -> None:
    options: Any = {"tool_choice": {"mode": "required", "allowed_tools": ["get_news"]}}
    assert calls(await agent.run("Paris", tools=[WEATHER, NEWS], options=options)) == [("get_news", {})]


async def test_with_tools_forbidden_nothing_is_called(agent: Agent[Any]) -> None:
    options: Any = {"tool_choice": "none"}
    response = await agent.run("What is 6 * 7?", options=options)
    assert calls(response) == []
    assert "tool_choice is none" in response.text


async def finished(agent: Agent[Any], message: str | Message, *, stream: bool, **arguments: Any) -> AgentResponse[Any]:
    """Run a turn to its end, streamed or not."""
    if stream:
        return await agent.run(message, stream=True, **arguments).get_final_response()
    return await agent.run(message, **arguments)


# -- structured answers


class Point(BaseModel):
    x: int
    name: str


SCHEMA = {"type": "object", "properties": {"x": {"type": "integer"}}, "required": ["x"]}


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
async def test_an_answer_has_the_form_of_a_model(agent: Agent[Any], stream: bool) -> None:
    wanted: Any = {"response_format": Point}
    if stream:
        response = await agent.run("Go to 3", options=wanted, stream=True).get_final_response()
    else:
        response = await agent.run("Go to 3", options=wanted)
    assert response.value == Point(x=3, name="Go to 3")


@pytest.mark.parametrize(
    ("wanted", "value"),
    [
        ({"type": "json_schema", "json_schema": {"name": "point", "schema": SCHEMA}}, {"x": 3}),
        ({"type": "json_schema", "name": "point", "schema": SCHEMA}, {"x": 3}),
        (SCHEMA, {"x": 3}),
        ({"type": "json_object"}, {"answer": "Go to 3"}),
    ],
    ids=["nested", "flat", "bare", "any object"],
)
async def test_an_answer_has_the_form_of_a_schema(agent: Agent[Any], wanted: Any, value: Any) -> None:
    response = await agent.run("Go to 3", options={"response_format": wanted})
    assert json.loads(response.text) == value


async def test_a_format_of_plain_text_changes_nothing(agent: Agent[Any]) -> None:
    wanted: Any = {"response_format": {"type": "text"}}
    assert (await agent.run("say hello", options=wanted)).text == "hello"
