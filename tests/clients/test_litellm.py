"""LiteLLM's `responses()` against the served demo."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import AsyncGenerator, Generator
from typing import Any, Literal

import pytest
from openai import BadRequestError, OpenAI
from pydantic import BaseModel

pytestmark = [
    pytest.mark.timeout(300),  # the first test waits for the import
    # LiteLLM's own: its log meets a usage of its own kind; and what it would filter itself, had it the last word here.
    pytest.mark.filterwarnings("ignore:Pydantic serializer warnings:UserWarning"),
    pytest.mark.filterwarnings("ignore:.*using the `ReadOnly` qualifier:UserWarning"),
]
WAYS = ["whole", "streamed"]
Way = Literal["whole", "streamed"]
F = {
    "type": "function",
    "name": "f",
    "description": "Something that only the client can do.",
    "parameters": {"type": "object", "properties": {"a": {"type": "integer"}}},
    "strict": False,
}
G: dict[str, Any] = {
    "type": "function",
    "name": "g",
    "parameters": {"type": "object", "properties": {}},
    "strict": False,
}


class Point(BaseModel):
    """A point with a name."""

    x: int
    name: str


@pytest.fixture(scope="module")
def module() -> Generator[Any]:
    """Return the module that imports LiteLLM; it calls nobody but the demo, and reads no `.env`."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LITELLM_LOCAL_MODEL_COST_MAP", "True")
        patch.setenv("LITELLM_MODE", "PRODUCTION")
        from . import lite

        yield lite


@pytest.fixture(scope="module")
def lite(module: Any, demo: str) -> Any:
    """Return the demo as LiteLLM reaches it."""
    return module.Lite(demo)


@pytest.fixture
async def async_lite(lite: Any) -> AsyncGenerator[Any]:
    """Close what LiteLLM keeps for the event loop of a test."""
    yield lite
    await lite.close()


def calls_of(response: Any) -> list[Any]:
    return [item for item in response.output if item.type == "function_call"]


def answer(call: Any, output: str) -> dict[str, str]:
    return {"type": "function_call_output", "call_id": call.call_id, "output": output}


@pytest.mark.parametrize("way", WAYS)
def test_an_answer_has_text_usage_and_a_status(lite: Any, way: Way) -> None:
    response = lite.ask("count to 5", way=way)
    assert (response.output_text, response.status) == ("1 2 3 4 5", "completed")
    assert response.usage.output_tokens == 5


@pytest.mark.parametrize("way", WAYS)
async def test_an_answer_comes_asynchronously(async_lite: Any, way: Way) -> None:
    assert (await async_lite.ask_async("count to 5", way=way)).output_text == "1 2 3 4 5"


def test_a_stream_comes_in_pieces(lite: Any) -> None:
    events = lite.events("count to 5")
    kinds = [event.type.value for event in events]
    assert (kinds[0], kinds[-1]) == ("response.created", "response.completed")
    assert [event.delta for event in events if event.type == "response.output_text.delta"] == [
        *("1 ", "2 ", "3 ", "4 ", "5")
    ]


@pytest.mark.parametrize("way", WAYS)
def test_an_answer_that_was_cut_says_so(lite: Any, way: Way) -> None:
    response = lite.ask("count to 30", max_output_tokens=20, way=way)
    assert (response.status, response.incomplete_details.reason) == ("incomplete", "max_output_tokens")


@pytest.mark.parametrize("way", WAYS)
def test_the_clients_tools_are_called_and_answered_behind_the_response(lite: Any, way: Way) -> None:
    asked = lite.ask('call f {"a": 1} and g {}', tools=[F, G], way=way)
    calls = calls_of(asked)
    assert [(call.name, call.arguments) for call in calls] == [("f", '{"a": 1}'), ("g", "{}")]
    outputs = [answer(call, call.name.upper()) for call in calls]
    told = lite.ask(outputs, tools=[F, G], previous_response_id=asked.id, way=way)
    assert told.output_text == "f answered: F\ng answered: G"


@pytest.mark.parametrize("way", WAYS)
def test_the_clients_tools_are_called_and_answered_in_a_history(module: Any, lite: Any, way: Way) -> None:
    asked = lite.ask(question := 'call f {"a": 1} and g {}', tools=[F, G], way=way)
    outputs = [answer(call, call.name.upper()) for call in calls_of(asked)]
    history = [{"role": "user", "content": question}, *module.again(asked), *outputs]
    assert lite.ask(history, tools=[F, G], way=way).output_text == "f answered: F\ng answered: G"


@pytest.mark.parametrize("way", WAYS)
def test_an_answer_fits_a_class(lite: Any, way: Way) -> None:
    response = lite.ask("Go to 3", text_format=Point, way=way)
    assert Point.model_validate_json(response.output_text) == Point(x=3, name="Go to 3")


def test_an_answer_fits_a_schema(lite: Any) -> None:
    schema = {"type": "object", "properties": {"x": {"type": "integer"}}, "required": ["x"]}
    wanted = {"format": {"type": "json_schema", "name": "point", "schema": schema}}
    assert json.loads(lite.ask("Go to 3", text=wanted).output_text) == {"x": 3}


@pytest.mark.parametrize("way", WAYS)
def test_turns_go_on_by_the_previous_response(lite: Any, way: Way) -> None:
    response = lite.ask("My name is Ada.", way=way)
    for turn in ("say on", "What is 6 * 7?", "What is my name?"):
        response = lite.ask(turn, previous_response_id=response.id, way=way)
    assert response.output_text == "Your name is Ada."


@pytest.mark.parametrize("way", WAYS)
def test_turns_go_on_in_a_conversation(lite: Any, client: OpenAI, way: Way) -> None:
    made = client.conversations.create().id
    for turn in ("My name is Ada.", "say on", "What is my name?"):
        response = lite.ask(turn, extra_body={"conversation": made}, way=way)
    assert response.output_text == "Your name is Ada."


@pytest.mark.parametrize("way", WAYS)
def test_turns_go_on_by_the_history(module: Any, lite: Any, way: Way) -> None:
    history: list[Any] = []
    for turn in ("My name is Ada.", "say on", "What is 6 * 7?", "What is my name?"):
        history.append({"role": "user", "content": turn})
        response = lite.ask(history, way=way)
        history += module.again(response)
    assert response.output_text == "Your name is Ada."


@pytest.mark.parametrize("way", WAYS)
def test_the_servers_tool_is_shown(lite: Any, way: Way) -> None:
    response = lite.ask("What is 6 * 7?", way=way)
    assert [item.type for item in response.output] == ["mcp_call", "message"]
    assert response.output[0].output == "6 * 7 = 42"
    assert response.output_text == "calculate answered: 6 * 7 = 42"


@pytest.mark.parametrize("way", WAYS)
def test_an_image_is_received(lite: Any, dot: bytes, way: Way) -> None:
    url = f"data:image/png;base64,{b64encode(dot).decode()}"
    content = [{"type": "input_text", "text": "What is this?"}, {"type": "input_image", "image_url": url}]
    response = lite.ask([{"role": "user", "content": content}], way=way)
    assert response.output_text.startswith("You sent an image (image/png, 70 bytes).")


def test_a_file_is_received(lite: Any) -> None:
    url = f"data:application/pdf;base64,{b64encode(b'%PDF-1.7').decode()}"
    content = [{"type": "input_file", "filename": "a.pdf", "file_data": url}]
    response = lite.ask([{"role": "user", "content": content}])
    assert response.output_text.startswith('You sent a file named "a.pdf" (application/pdf, 8 bytes).')


def test_a_bad_request_is_told_as_such(lite: Any) -> None:
    with pytest.raises(BadRequestError, match="previous_response_not_found"):
        lite.ask("hello", previous_response_id="resp_unknown")


# -- in the words of Chat Completions


def said(content: Any) -> list[dict[str, Any]]:
    return [{"role": "user", "content": content}]


def test_a_completion_is_translated(lite: Any) -> None:
    completion = lite.complete(said("count to 5"))
    assert completion.choices[0].message.content == "1 2 3 4 5"
    assert completion.usage.completion_tokens == 5


def test_a_streamed_completion_is_translated(lite: Any) -> None:
    chunks = [chunk.choices[0].delta.content for chunk in lite.complete(said("What is 6 * 7?"), stream=True)]
    assert "".join(filter(None, chunks)) == "calculate answered: 6 * 7 = 42"


def test_a_completion_calls_the_clients_tools(lite: Any) -> None:
    tools = [{"type": "function", "function": {"name": "f", "parameters": F["parameters"]}}]
    messages = said('call f {"a": 1}')
    asked = lite.complete(messages, tools=tools).choices[0].message
    [call] = asked.tool_calls
    assert (call.function.name, call.function.arguments) == ("f", '{"a": 1}')
    messages += [asked.model_dump(), {"role": "tool", "tool_call_id": call.id, "content": "blue"}]
    assert lite.complete(messages, tools=tools).choices[0].message.content == "f answered: blue"


def test_a_completion_fits_a_class(lite: Any) -> None:
    completion = lite.complete(said("Go to 3"), response_format=Point)
    assert Point.model_validate_json(completion.choices[0].message.content) == Point(x=3, name="Go to 3")


def test_a_completion_receives_an_image(lite: Any, dot: bytes) -> None:
    url = f"data:image/png;base64,{b64encode(dot).decode()}"
    completion = lite.complete(said([{"type": "image_url", "image_url": {"url": url}}]))
    assert completion.choices[0].message.content.startswith("You sent an image (image/png, 70 bytes).")
