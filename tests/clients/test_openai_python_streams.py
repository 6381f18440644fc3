"""The official Python client against the served demo: streams, through the strict helper and byte by byte."""

from __future__ import annotations

import json
from typing import Any, cast

import pytest
from openai import AsyncOpenAI, OpenAI
from openai.types.responses import FunctionToolParam, ResponseTextDeltaEvent
from pydantic import BaseModel

from agent_framework_hosting.testing import ServerSentEvent, events_from

from .stream_rules import check_stream

F: FunctionToolParam = {"type": "function", "name": "f", "parameters": None, "strict": None}
G: FunctionToolParam = {"type": "function", "name": "g", "parameters": None, "strict": None}

QUESTIONS = {
    "text": "say hello to you",
    "one word": "say hello",
    "many deltas": "count to 300",
    "other scripts": "say déjà 日本語 \U0001f30d שלום",
    "breaks of lines": 'say a\nb\r\nc\u0085d\u2028e\u2029f \\ " </script>',
    "a tool of the agent's": "What is 6 * 7?",
    "two tools of the agent's": "What is 6 * 7 and how many words are in: one two",
    "a client tool": 'call f {"a": "a rather long argument, which comes in pieces"}',
    "parallel client tools": "call f {} and g {} and f {}",
    "both kinds of tools": 'call f {} and calculate {"expression": "1 + 1"}',
}


@pytest.mark.parametrize("asked", QUESTIONS.values(), ids=QUESTIONS)
def test_every_event_keeps_the_rules_and_the_sdks_types(client: OpenAI, asked: str) -> None:
    """And the end is the very object that the same question gets in one piece, ids and times aside."""
    with client.responses.with_streaming_response.create(model="demo", input=asked, tools=[F, G], stream=True) as raw:
        assert raw.headers["content-type"] == "text/event-stream; charset=utf-8"
        assert raw.request_id
        final = check_stream(raw.read())
    whole = client.responses.with_raw_response.create(model="demo", input=asked, tools=[F, G]).content
    assert without_identity(final) == without_identity(json.loads(whole))


def without_identity(value: Any) -> Any:
    """Return a response without what is new in each: ids and times."""
    if isinstance(value, dict):
        new = ("id", "call_id", "created_at", "completed_at")
        fields = cast("dict[str, Any]", value)
        return {key: without_identity(item) for key, item in fields.items() if key not in new}
    if isinstance(value, list):
        return [without_identity(item) for item in cast("list[Any]", value)]
    return value


@pytest.mark.parametrize("asked", ["say hello to you", 'call f {"a": 1} and calculate {"expression": "1 + 1"}'])
def test_the_rules_notice_each_event_that_is_missing(client: OpenAI, asked: str) -> None:
    """So that what they let pass means something."""
    with client.responses.with_streaming_response.create(model="demo", input=asked, tools=[F], stream=True) as raw:
        *events, done = events_from(raw.read())
    check_stream(written(events, done))
    for missing in range(len(events)):
        with pytest.raises((AssertionError, KeyError)):
            check_stream(written([*events[:missing], *events[missing + 1 :]], done))


def written(events: list[ServerSentEvent], done: ServerSentEvent) -> bytes:
    """Return the bytes of these events, numbered anew."""
    numbered = [
        f"event: {event.event}\ndata: {json.dumps(event.json() | {'sequence_number': number})}\n\n"
        for number, event in enumerate(events)
    ]
    return "".join([*numbered, f"data: {done.data}\n\n"]).encode()


def test_the_helper_gathers_text(client: OpenAI) -> None:
    with client.responses.stream(model="demo", input="count to 20") as stream:
        deltas = [event for event in stream if event.type == "response.output_text.delta"]
        final = stream.get_final_response()
    assert len(deltas) == 20
    assert "".join(event.delta for event in deltas) == deltas[-1].snapshot == final.output_text
    assert final.output_text == " ".join(str(number) for number in range(1, 21))
    assert final.usage is not None
    assert final.usage.output_tokens == 20


def test_the_helper_follows_a_tool_of_the_agents(client: OpenAI) -> None:
    with client.responses.stream(model="demo", input="What is 6 * 7?") as stream:
        kinds = [event.type for event in stream]
        final = stream.get_final_response()
    assert kinds.index("response.mcp_call.in_progress") < kinds.index("response.mcp_call.completed")
    assert [item.type for item in final.output] == ["mcp_call", "message"]
    assert final.output_text == "calculate answered: 6 * 7 = 42"


def test_the_helper_gathers_the_calls_of_client_tools(client: OpenAI) -> None:
    """The whole round trip streamed, with parallel calls."""
    with client.responses.stream(model="demo", input='call f {"a": 1} and g {"b": [2]}', tools=[F, G]) as stream:
        snapshots = {
            event.item_id: event.snapshot for event in stream if event.type == "response.function_call_arguments.delta"
        }
        asked = stream.get_final_response()
    calls = [item for item in asked.output if item.type == "function_call"]
    assert snapshots == {call.id: call.arguments for call in calls}
    assert [call.arguments for call in calls] == ['{"a": 1}', '{"b": [2]}']
    with client.responses.stream(
        model="demo",
        input=[{"type": "function_call_output", "call_id": call.call_id, "output": call.name} for call in calls],
        tools=[F, G],
        previous_response_id=asked.id,
    ) as stream:
        told = stream.get_final_response()
    assert told.output_text == "f answered: f\ng answered: g"


def test_the_helper_parses_structured_answers(client: OpenAI) -> None:
    class Point(BaseModel):
        x: int

    with client.responses.stream(model="demo", input='say {"x": 5}', text_format=Point) as stream:
        assert stream.get_final_response().output_parsed == Point(x=5)


def test_ten_streamed_turns_remember_the_first(client: OpenAI) -> None:
    """A turn can be continued as soon as its last event is there."""
    previous: str | None = None
    said: list[str] = []
    for turn in ["My name is Ada.", *["How many messages?"] * 8, "What is my name?"]:
        with client.responses.stream(model="demo", input=turn, previous_response_id=previous) as stream:
            said.append(stream.get_final_response().output_text)
            previous = stream.get_final_response().id
    assert said[1:9] == [f"With this one you have sent {count} messages." for count in range(2, 10)]
    assert said[9] == "Your name is Ada."


def test_a_cut_stream_ends_with_incomplete(client: OpenAI) -> None:
    with client.responses.with_streaming_response.create(
        model="demo", input="count to 9", max_output_tokens=3, stream=True
    ) as raw:
        final = check_stream(raw.read())
    assert (final["status"], final["incomplete_details"]) == ("incomplete", {"reason": "max_output_tokens"})


def test_a_stream_names_what_was_dropped(client: OpenAI) -> None:
    with client.responses.with_streaming_response.create(
        model="demo", input="say hello", instructions="Answer in French.", stream=True
    ) as raw:
        assert raw.headers["x-ignored-parameters"] == "instructions"


def test_a_stream_that_was_left_does_no_harm(client: OpenAI) -> None:
    """Its parent can be continued, and the client's connections stay usable."""
    first = client.responses.create(model="demo", input="My name is Ada.")
    with client.responses.stream(model="demo", input="count to 1000", previous_response_id=first.id) as stream:
        assert next(iter(stream)).type == "response.created"
    after = client.responses.create(model="demo", input="How many messages?", previous_response_id=first.id)
    assert after.output_text == "With this one you have sent 2 messages."


async def test_the_asynchronous_helper_gathers_text(async_client: AsyncOpenAI) -> None:
    async with async_client.responses.stream(model="demo", input="count to 20") as stream:
        deltas = [event.delta async for event in stream if event.type == "response.output_text.delta"]
        final = await stream.get_final_response()
    assert "".join(deltas) == final.output_text == " ".join(str(number) for number in range(1, 21))


async def test_plain_iteration_gives_the_same_events(async_client: AsyncOpenAI) -> None:
    stream = await async_client.responses.create(model="demo", input="say hello to you", stream=True)
    events = [event async for event in stream]
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert "".join(event.delta for event in events if isinstance(event, ResponseTextDeltaEvent)) == "hello to you"
    assert events[-1].type == "response.completed"
