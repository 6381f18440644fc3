"""LangChain's `ChatOpenAI(use_responses_api=True)` against the served demo."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import AsyncGenerator, Generator
from typing import Any, Literal

import pytest
from openai import BadRequestError, DefaultAsyncHttpxClient, OpenAI
from pydantic import BaseModel

pytestmark = pytest.mark.timeout(180)  # the first test waits for the import
WAYS = ["whole", "streamed"]
Way = Literal["whole", "streamed"]


class Point(BaseModel):
    """A point with a name."""

    x: int
    name: str


@pytest.fixture(scope="module")
def chain() -> Generator[Any]:
    """Return the module that imports LangChain, whose types are known in part only; it calls nobody but the demo."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LANGSMITH_TRACING", "false")
        from . import chain

        yield chain


@pytest.fixture(scope="module")
def model(chain: Any, demo: str) -> Any:
    """Return the demo as a chat model that sends all messages every time."""
    return chain.chat(demo)


@pytest.fixture
async def async_model(chain: Any, demo: str) -> AsyncGenerator[Any]:
    """Return the demo with connections of this test's own; LangChain would take them to the next event loop."""
    async with DefaultAsyncHttpxClient() as connections:
        yield chain.chat(demo, http_async_client=connections)


@pytest.fixture(params=["all messages", "previous response"])
def keeper(request: pytest.FixtureRequest, chain: Any, demo: str) -> Any:
    """Return the demo as a chat model, in both ways of going on."""
    return chain.chat(demo, use_previous_response_id=request.param == "previous response")


def test_an_answer_has_text_usage_and_an_id(model: Any) -> None:
    answer = model.invoke("count to 5")
    assert answer.text == "1 2 3 4 5"
    assert str(answer.id).startswith("resp_")
    assert answer.response_metadata["status"] == "completed"
    assert answer.usage_metadata is not None
    assert answer.usage_metadata["output_tokens"] == 5


async def test_an_answer_comes_asynchronously(async_model: Any) -> None:
    assert (await async_model.ainvoke("count to 5")).text == "1 2 3 4 5"


def test_a_stream_comes_in_pieces(model: Any) -> None:
    chunks = list(model.stream("count to 5"))
    assert [chunk.text for chunk in chunks if chunk.text] == ["1 ", "2 ", "3 ", "4 ", "5"]
    [usage] = [chunk.usage_metadata for chunk in chunks if chunk.usage_metadata]
    assert usage["output_tokens"] == 5


async def test_a_stream_comes_in_pieces_asynchronously(async_model: Any) -> None:
    assert [chunk.text async for chunk in async_model.astream("count to 3") if chunk.text] == ["1 ", "2 ", "3"]


@pytest.mark.parametrize("way", WAYS)
def test_an_answer_that_was_cut_says_so(chain: Any, demo: str, way: Way) -> None:
    answer = chain.ask(chain.chat(demo, max_tokens=3), "count to 9", way=way)
    assert answer.text.split() == ["1", "2", "3"]
    assert answer.response_metadata["incomplete_details"]["reason"] == "max_output_tokens"


@pytest.mark.parametrize("way", WAYS)
def test_the_clients_tools_run_in_the_client(chain: Any, keeper: Any, way: Way) -> None:
    talk = chain.Talk(keeper.bind_tools(list(chain.TOOLS.values())), way=way)
    for _ in range(2):
        asked = talk.say('call f {"a": 1} and g {}')
        assert [(call["name"], call["args"]) for call in asked.tool_calls] == [("f", {"a": 1}), ("g", {})]
        assert talk.answer(asked).text == "f answered: F1\ng answered: G"


def test_a_tool_can_be_insisted_on(chain: Any, model: Any) -> None:
    asked = model.bind_tools([chain.f, chain.g], tool_choice="f").invoke("Take 7.")
    assert [(call["name"], call["args"]) for call in asked.tool_calls] == [("f", {"a": 7})]


@pytest.mark.parametrize("method", ["json_schema", "function_calling"])
def test_an_answer_is_an_object_of_a_class(model: Any, method: Any) -> None:
    answer = model.with_structured_output(Point, method=method).invoke("Go to 3")
    assert answer == Point(x=3, name="Go to 3")


def test_an_answer_in_json_mode_is_read_into_a_class(model: Any) -> None:
    wanted = model.with_structured_output(Point, method="json_mode")
    assert wanted.invoke('say {"x": 5, "name": "here"}') == Point(x=5, name="here")


def test_a_streamed_answer_is_an_object_of_a_class(model: Any) -> None:
    answers = list(model.with_structured_output(Point).stream("Go to 3"))
    assert answers[-1] == Point(x=3, name="Go to 3")


@pytest.mark.parametrize("way", WAYS)
def test_turns_go_on(chain: Any, keeper: Any, way: Way) -> None:
    talk = chain.Talk(keeper, way=way)
    for turn in ("My name is Ada.", "say on", "What is 6 * 7?"):
        talk.say(turn)
    assert talk.say("What is my name?").text == "Your name is Ada."
    assert talk.say("How many messages?").text == "With this one you have sent 5 messages."


@pytest.mark.parametrize("way", WAYS)
def test_turns_go_on_in_a_conversation(chain: Any, model: Any, client: OpenAI, way: Way) -> None:
    bound = model.bind(conversation=client.conversations.create().id)
    for turn in ("My name is Ada.", "say on"):
        chain.ask(bound, turn, way=way)
    assert chain.ask(bound, "What is my name?", way=way).text == "Your name is Ada."


@pytest.mark.parametrize("version", ["responses/v1", "v1"])
@pytest.mark.parametrize("way", WAYS)
def test_the_servers_tool_is_shown_and_taken_back(chain: Any, demo: str, version: str, way: Way) -> None:
    """LangChain knows it as a call and a result of the server's."""
    talk = chain.Talk(chain.chat(demo, output_version=version), way=way)
    answer = talk.say("What is 6 * 7?")
    call, result, _ = answer.content_blocks
    assert (call["type"], call["args"]) == ("server_tool_call", {"expression": "6 * 7"})
    assert (result["type"], result["output"]) == ("server_tool_result", "6 * 7 = 42")
    assert answer.tool_calls == []
    assert answer.text == "calculate answered: 6 * 7 = 42"
    assert talk.say("How many messages?").text == "With this one you have sent 2 messages."


@pytest.mark.parametrize("way", WAYS)
def test_an_image_is_received(chain: Any, model: Any, dot: bytes, way: Way) -> None:
    image = {"type": "image", "base64": b64encode(dot).decode(), "mime_type": "image/png"}
    answer = chain.Talk(model, way=way).say([{"type": "text", "text": "What is this?"}, image])
    assert answer.text.startswith("You sent an image (image/png, 70 bytes).")


def test_an_image_at_an_address_and_a_file_are_received(chain: Any, keeper: Any) -> None:
    talk = chain.Talk(keeper)
    answer = talk.say([{"type": "image", "url": "https://example.com/a.png"}])
    assert answer.text.startswith("You sent an image at https://example.com/a.png")
    pdf = {"type": "file", "base64": b64encode(b"%PDF-1.7").decode(), "mime_type": "application/pdf"}
    answer = talk.say([{"type": "text", "text": "And this?"}, pdf | {"filename": "a.pdf"}])
    assert answer.text.startswith('You sent a file named "a.pdf" (application/pdf, 8 bytes).')


def test_a_bad_request_is_told_as_such(model: Any) -> None:
    with pytest.raises(BadRequestError) as refused:
        model.invoke("hello", previous_response_id="resp_unknown")
    assert (refused.value.code, refused.value.param) == ("previous_response_not_found", "previous_response_id")
