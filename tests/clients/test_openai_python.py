"""The official Python client against the served demo: answers, conversations, tools."""

from __future__ import annotations

from typing import Any

import anyio
import pytest
from openai import AsyncOpenAI, BadRequestError, OpenAI
from openai.types.responses import FunctionToolParam, Response, ResponseFunctionToolCall, ResponseInputItemParam
from pydantic import BaseModel

F: FunctionToolParam = {
    "type": "function",
    "name": "f",
    "description": "Something that only the client can do.",
    "parameters": {"type": "object", "properties": {"a": {"type": "integer"}}},
    "strict": False,
}
G: FunctionToolParam = {"type": "function", "name": "g", "parameters": None, "strict": None}


def calls_of(response: Response) -> list[ResponseFunctionToolCall]:
    """Return the calls that the client has to answer."""
    return [item for item in response.output if isinstance(item, ResponseFunctionToolCall)]


def answer(call: ResponseFunctionToolCall, output: str) -> ResponseInputItemParam:
    return {"type": "function_call_output", "call_id": call.call_id, "output": output}


def again(response: Response) -> list[Any]:
    """Return all output items as input, in the way in which the SDK's documentation does it."""
    return [item.model_dump(exclude_unset=True) for item in response.output]


def types_of(response: Response) -> list[str]:
    return [item.type for item in response.output]


@pytest.mark.parametrize("asked", ["say hello", "What is 6 * 7?", 'call f {"a": 1} and g {}'])
def test_an_answer_fits_the_sdks_types_strictly(client: OpenAI, asked: str) -> None:
    raw = client.responses.with_raw_response.create(model="demo", input=asked, tools=[F, G])
    response = Response.model_validate_json(raw.content, strict=True)
    assert (response.object, response.status, response.model) == ("response", "completed", "demo")
    assert response.completed_at is not None
    assert response.completed_at >= response.created_at


def test_an_answer_says_what_was_asked_for(client: OpenAI) -> None:
    response = client.responses.create(model="demo", input="say hello to you")
    assert response.output_text == "hello to you"
    assert response.id.startswith("resp_")
    assert types_of(response) == ["message"]


def test_every_answer_has_a_request_id_of_its_own(client: OpenAI) -> None:
    ask = client.responses.with_raw_response
    first, second = (ask.create(model="demo", input="say hello").request_id for _ in range(2))
    assert first
    assert second
    assert first != second


def test_the_answer_repeats_the_request(client: OpenAI) -> None:
    response = client.responses.create(
        model="any-name", input="say hello", temperature=0.25, metadata={"k": "v"}, tools=[F], max_output_tokens=99
    )
    assert (response.model, response.temperature, response.metadata) == ("any-name", 0.25, {"k": "v"})
    assert response.max_output_tokens == 99
    assert [tool.to_dict() for tool in response.tools] == [F]


def test_usage_is_counted_and_adds_up(client: OpenAI) -> None:
    usage = client.responses.create(model="demo", input="count to 7").usage
    assert usage is not None
    assert usage.output_tokens == 7
    assert usage.input_tokens > 0
    assert usage.total_tokens == usage.input_tokens + usage.output_tokens


def test_usage_of_all_model_calls_of_a_turn_is_summed(client: OpenAI) -> None:
    """An agent that runs a tool asks its model twice."""
    plain = client.responses.create(model="demo", input="say 6 * 7").usage
    with_tool = client.responses.create(model="demo", input="What is 6 * 7?").usage
    assert plain is not None
    assert with_tool is not None
    assert with_tool.input_tokens > 2 * plain.input_tokens


def test_an_answer_that_was_cut_is_incomplete(client: OpenAI) -> None:
    response = client.responses.create(model="demo", input="count to 9", max_output_tokens=3)
    assert response.status == "incomplete"
    assert response.incomplete_details is not None
    assert response.incomplete_details.reason == "max_output_tokens"
    assert response.output_text.split() == ["1", "2", "3"]


def test_what_was_dropped_is_named(client: OpenAI) -> None:
    raw = client.responses.with_raw_response.create(model="demo", input="say hello", instructions="Answer in French.")
    assert raw.headers["x-ignored-parameters"] == "instructions"
    assert raw.parse().output_text == "hello"


def test_structured_answers_are_parsed(client: OpenAI) -> None:
    class Point(BaseModel):
        x: int

    response = client.responses.parse(model="demo", input='say {"x": 5}', text_format=Point)
    assert response.output_parsed == Point(x=5)


def test_the_path_without_version_answers_alike(client: OpenAI) -> None:
    bare = client.with_options(base_url=str(client.base_url).removesuffix("/v1/"))
    first = bare.responses.create(model="demo", input="My name is Ada.")
    second = client.responses.create(model="demo", input="What is my name?", previous_response_id=first.id)
    assert second.output_text == "Your name is Ada."


def test_ten_turns_remember_the_first(client: OpenAI) -> None:
    response = client.responses.create(model="demo", input="My name is Ada.")
    for turn in range(2, 10):
        response = client.responses.create(model="demo", input=f"say {turn}", previous_response_id=response.id)
        assert response.output_text == str(turn)
    tenth = client.responses.create(model="demo", input="What is my name?", previous_response_id=response.id)
    assert tenth.output_text == "Your name is Ada."
    assert tenth.previous_response_id == response.id
    for asked, told in {
        "How many messages?": "With this one you have sent 11 messages.",
        "What did I say first?": 'First you said: "My name is Ada."',
    }.items():
        fork = client.responses.create(model="demo", input=asked, previous_response_id=tenth.id)
        assert fork.output_text == told


def test_two_forks_do_not_see_each_other(client: OpenAI) -> None:
    root = client.responses.create(model="demo", input="My name is Ada.")
    left = client.responses.create(model="demo", input="My name is Grace.", previous_response_id=root.id)
    right = client.responses.create(model="demo", input="say right", previous_response_id=root.id)
    for parent, name in ((left, "Grace"), (right, "Ada"), (root, "Ada"), (left, "Grace")):
        asked = client.responses.create(model="demo", input="What is my name?", previous_response_id=parent.id)
        assert asked.output_text == f"Your name is {name}."


async def test_conversations_side_by_side_are_not_mixed_up(async_client: AsyncOpenAI) -> None:
    """Ten of three turns each, all at once."""
    remembered: dict[int, str] = {}

    async def converse(number: int) -> None:
        first = await async_client.responses.create(model="demo", input=f"note {number}")
        second = await async_client.responses.create(model="demo", input="say on", previous_response_id=first.id)
        third = await async_client.responses.create(
            model="demo", input="What did I say first?", previous_response_id=second.id
        )
        remembered[number] = third.output_text

    async with anyio.create_task_group() as group:
        for number in range(10):
            group.start_soon(converse, number)
    assert remembered == {number: f'First you said: "note {number}"' for number in range(10)}


def test_a_response_that_was_not_stored_cannot_be_continued(client: OpenAI) -> None:
    first = client.responses.create(model="demo", input="My name is Ada.", store=False)
    assert first.output_text.startswith("Nice to meet you, Ada.")
    with pytest.raises(BadRequestError) as refused:
        client.responses.create(model="demo", input="What is my name?", previous_response_id=first.id)
    assert (refused.value.code, refused.value.param) == ("previous_response_not_found", "previous_response_id")


def test_a_turn_that_is_not_stored_still_knows_what_it_continues(client: OpenAI) -> None:
    """And leaves no trace there."""
    first = client.responses.create(model="demo", input="My name is Ada.")
    aside = client.responses.create(model="demo", input="What is my name?", previous_response_id=first.id, store=False)
    assert aside.output_text == "Your name is Ada."
    after = client.responses.create(model="demo", input="How many messages?", previous_response_id=first.id)
    assert after.output_text == "With this one you have sent 2 messages."


def test_a_tool_of_the_agents_is_shown_with_its_result(client: OpenAI) -> None:
    """As a call that nobody has to answer."""
    response = client.responses.create(model="demo", input="What is 6 * 7?")
    call = response.output[0]
    assert call.type == "mcp_call"
    assert (call.name, call.arguments, call.output) == ("calculate", '{"expression": "6 * 7"}', "6 * 7 = 42")
    assert (call.status, call.error) == ("completed", None)
    assert response.output_text == "calculate answered: 6 * 7 = 42"
    after = client.responses.create(model="demo", input="say on", previous_response_id=response.id)
    assert after.output_text == "on"


def test_a_client_tool_makes_a_round_trip(client: OpenAI) -> None:
    asked = client.responses.create(model="demo", input='Please call f {"a": 1}.', tools=[F])
    (call,) = calls_of(asked)
    assert types_of(asked) == ["function_call"]
    assert (call.name, call.arguments, call.status) == ("f", '{"a": 1}', "completed")
    told = client.responses.create(model="demo", input=[answer(call, "blue")], tools=[F], previous_response_id=asked.id)
    assert told.output_text == "f answered: blue"
    after = client.responses.create(model="demo", input="How many messages?", previous_response_id=told.id)
    assert after.output_text == "With this one you have sent 2 messages."


def test_parallel_client_tools_are_answered_in_any_order(client: OpenAI) -> None:
    asked = client.responses.create(model="demo", input='call f {"a": 1} and g {} and f {"a": 2}', tools=[F, G])
    calls = calls_of(asked)
    assert [(call.name, call.arguments) for call in calls] == [("f", '{"a": 1}'), ("g", "{}"), ("f", '{"a": 2}')]
    assert len({call.call_id for call in calls}) == 3
    answers = [answer(call, f"answer {number}") for number, call in enumerate(calls)]
    told = client.responses.create(
        model="demo", input=[answers[2], answers[0], answers[1]], tools=[F, G], previous_response_id=asked.id
    )
    assert sorted(told.output_text.splitlines()) == [
        "f answered: answer 0",
        "f answered: answer 2",
        "g answered: answer 1",
    ]


def test_calls_come_one_at_a_time_when_asked_so(client: OpenAI) -> None:
    asked = client.responses.create(model="demo", input="call f {} and g {}", tools=[F, G], parallel_tool_calls=False)
    (first,) = calls_of(asked)
    then = client.responses.create(
        model="demo",
        input=[answer(first, "one")],
        tools=[F, G],
        parallel_tool_calls=False,
        previous_response_id=asked.id,
    )
    (second,) = calls_of(then)
    assert (first.name, second.name) == ("f", "g")


def test_a_tool_can_be_insisted_on(client: OpenAI) -> None:
    asked = client.responses.create(
        model="demo", input="say hello", tools=[F, G], tool_choice={"type": "function", "name": "g"}
    )
    assert [call.name for call in calls_of(asked)] == ["g"]


def test_tools_can_be_forbidden(client: OpenAI) -> None:
    asked = client.responses.create(model="demo", input="call f {}", tools=[F], tool_choice="none")
    assert types_of(asked) == ["message"]


def test_one_parent_can_be_answered_twice(client: OpenAI) -> None:
    """Two clients that answer the same calls are forks like any others."""
    asked = client.responses.create(model="demo", input="call f {}", tools=[F])
    (call,) = calls_of(asked)
    for output in ("red", "blue"):
        told = client.responses.create(
            model="demo", input=[answer(call, output)], tools=[F], previous_response_id=asked.id
        )
        assert told.output_text == f"f answered: {output}"


@pytest.mark.parametrize("asked", ["say hello", "What is 6 * 7?", "count the words in: one two three"])
def test_all_that_was_sent_is_taken_back_as_input(client: OpenAI, asked: str) -> None:
    """A client that keeps the history itself sends back every item as it came."""
    first = client.responses.create(model="demo", input=asked, store=False)
    history: list[Any] = [{"role": "user", "content": asked}, *again(first)]
    second = client.responses.create(
        model="demo", input=[*history, {"role": "user", "content": "How many messages?"}], store=False
    )
    assert second.output_text == "With this one you have sent 2 messages."


def test_a_tool_loop_needs_nothing_of_the_server(client: OpenAI) -> None:
    """Calls, their outputs and a tool of the agent's, all in a history that the client keeps."""
    history: list[Any] = [{"role": "user", "content": "My name is Ada."}]

    def send() -> Response:
        response = client.responses.create(model="demo", input=history, tools=[F, G], store=False)
        history.extend(again(response))
        return response

    send()
    history.append({"role": "user", "content": 'call f {"a": 1} and g {}'})
    history.extend(answer(call, call.name.upper()) for call in calls_of(send()))
    assert send().output_text == "f answered: F\ng answered: G"
    history.append({"role": "user", "content": "What is 2 + 3?"})
    assert types_of(send()) == ["mcp_call", "message"]
    history.append({"role": "user", "content": "What is my name?"})
    assert send().output_text == "Your name is Ada."
    assert [item["type"] for item in history if "type" in item] == [
        "message",
        "function_call",
        "function_call",
        "function_call_output",
        "function_call_output",
        "message",
        "mcp_call",
        "message",
        "message",
    ]
