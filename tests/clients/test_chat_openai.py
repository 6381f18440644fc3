"""The official Python client at Chat Completions: whole, streamed, with its helpers."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import Any

import pytest
from openai import AsyncOpenAI, BadRequestError, LengthFinishReasonError, NotFoundError, OpenAI, pydantic_function_tool
from openai.types.chat import ChatCompletion, ChatCompletionChunk, ChatCompletionMessageParam
from pydantic import BaseModel

F: Any = {
    "type": "function",
    "function": {
        "name": "f",
        "description": "Something that only the client can do.",
        "parameters": {"type": "object", "properties": {"a": {"type": "integer"}}},
    },
}
G: Any = {"type": "function", "function": {"name": "g"}}


class Point(BaseModel):
    """A point."""

    x: int
    name: str


class Shout(BaseModel):
    """A tool of the client's."""

    word: str


def user(content: Any) -> ChatCompletionMessageParam:
    return {"role": "user", "content": content}


def ask(client: OpenAI, content: Any, **more: Any) -> ChatCompletion:
    create: Any = client.chat.completions.create
    return create(model="demo", messages=[user(content)], **more)


def text_of(completion: ChatCompletion) -> str | None:
    return completion.choices[0].message.content


@pytest.mark.parametrize("asked", ["say hello", "What is 6 * 7?", 'call f {"a": 1} and g {}'])
def test_an_answer_and_every_chunk_fit_the_sdks_types_strictly(chat_client: OpenAI, asked: str) -> None:
    raw = chat_client.chat.completions.with_raw_response.create(model="demo", messages=[user(asked)], tools=[F, G])
    completion = ChatCompletion.model_validate_json(raw.content, strict=True)
    assert (completion.object, completion.model) == ("chat.completion", "demo")
    assert raw.request_id
    with chat_client.chat.completions.with_streaming_response.create(
        model="demo", messages=[user(asked)], tools=[F, G], stream=True, stream_options={"include_usage": True}
    ) as answer:
        lines = [line.removeprefix("data: ") for line in answer.iter_lines() if line]
    assert lines[-1] == "[DONE]"
    chunks = [ChatCompletionChunk.model_validate_json(line, strict=True) for line in lines[:-1]]
    assert chunks[-1].usage == completion.usage


def test_a_conversation_is_what_the_client_sends(chat_client: OpenAI) -> None:
    messages = [user("My name is Ada.")]
    first = chat_client.chat.completions.create(model="demo", messages=messages)
    again: Any = first.choices[0].message.model_dump(exclude_none=True)
    second = chat_client.chat.completions.create(model="demo", messages=[*messages, again, user("What is my name?")])
    assert text_of(second) == "Your name is Ada."
    assert "Ada" not in (text_of(ask(chat_client, "What is my name?")) or "")


def test_a_conversation_that_a_header_names_is_remembered(chat_client: OpenAI) -> None:
    named = {"extra_headers": {"x-session-id": "python"}}
    ask(chat_client, "My name is Ada.", **named)
    assert text_of(ask(chat_client, "What is my name?", **named)) == "Your name is Ada."


async def test_the_asynchronous_client_streams(async_chat_client: AsyncOpenAI) -> None:
    stream = await async_chat_client.chat.completions.create(
        model="demo", messages=[user("count to 5")], stream=True, stream_options={"include_usage": True}
    )
    chunks = [chunk async for chunk in stream]
    pieces = [chunk.choices[0].delta.content for chunk in chunks if chunk.choices]
    assert pieces == ["", "1 ", "2 ", "3 ", "4 ", "5", None]
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.completion_tokens == 5


def test_the_stream_helper_tells_text_as_it_grows(chat_client: OpenAI) -> None:
    with chat_client.chat.completions.stream(model="demo", messages=[user("count to 3")]) as stream:
        grown = [event.snapshot for event in stream if event.type == "content.delta"]
        final = stream.get_final_completion()
    assert grown[-3:] == ["1 ", "1 2 ", "1 2 3"]
    assert text_of(final) == "1 2 3"
    assert final.choices[0].finish_reason == "stop"


async def test_the_asynchronous_stream_helper_parses_an_answer(async_chat_client: AsyncOpenAI) -> None:
    async with async_chat_client.chat.completions.stream(
        model="demo", messages=[user("Go to 3")], response_format=Point
    ) as stream:
        final = await stream.get_final_completion()
    assert final.choices[0].message.parsed == Point(x=3, name="Go to 3")


def test_an_answer_is_parsed_into_a_class(chat_client: OpenAI) -> None:
    completion = chat_client.chat.completions.parse(model="demo", messages=[user("Go to 3")], response_format=Point)
    assert completion.choices[0].message.parsed == Point(x=3, name="Go to 3")


def test_an_answer_that_was_cut_says_so(chat_client: OpenAI) -> None:
    cut = ask(chat_client, "count to 9", max_completion_tokens=3)
    assert ((text_of(cut) or "").split(), cut.choices[0].finish_reason) == (["1", "2", "3"], "length")
    with (
        pytest.raises(LengthFinishReasonError),
        chat_client.chat.completions.stream(
            model="demo", messages=[user("count to 9")], max_tokens=3, response_format=Point
        ) as stream,
    ):
        stream.until_done()


def test_the_clients_tools_are_called_and_answered(chat_client: OpenAI) -> None:
    """In a loop as the SDK's documentation has it."""
    messages: list[Any] = [user('call f {"a": 1} and g {}')]
    asked = chat_client.chat.completions.create(model="demo", messages=messages, tools=[F, G])
    message = asked.choices[0].message
    assert asked.choices[0].finish_reason == "tool_calls"
    assert message.content is None
    messages.append(message)
    for call in message.tool_calls or ():
        assert call.type == "function"
        arguments = json.loads(call.function.arguments)
        messages.append({"role": "tool", "tool_call_id": call.id, "content": f"{call.function.name}{arguments}"})
    told = chat_client.chat.completions.create(model="demo", messages=messages, tools=[F, G])
    assert text_of(told) == "f answered: f{'a': 1}\ng answered: g{}"


def test_the_stream_helper_puts_tool_calls_together_and_parses_them(chat_client: OpenAI) -> None:
    tools = [pydantic_function_tool(Shout)]
    with chat_client.chat.completions.stream(
        model="demo", messages=[user('call Shout {"word": "hi"}')], tools=tools
    ) as stream:
        done = [event for event in stream if event.type == "tool_calls.function.arguments.done"]
        (call,) = stream.get_final_completion().choices[0].message.tool_calls or []
    assert [event.name for event in done] == ["Shout"]
    assert call.function.parsed_arguments == Shout(word="hi")


def test_a_tool_of_the_agents_runs_out_of_sight(chat_client: OpenAI) -> None:
    message = ask(chat_client, "What is 6 * 7?").choices[0].message
    assert (message.content, message.tool_calls) == ("calculate answered: 6 * 7 = 42", None)


def test_pictures_and_files_reach_the_agent(chat_client: OpenAI, dot: bytes) -> None:
    picture = f"data:image/png;base64,{b64encode(dot).decode()}"
    pdf = f"data:application/pdf;base64,{b64encode(b'%PDF-1.7').decode()}"
    parts: list[tuple[Any, str]] = [
        ({"type": "image_url", "image_url": {"url": picture}}, "an image (image/png, 70 bytes)"),
        (
            {"type": "image_url", "image_url": {"url": "https://example.com/a.png", "detail": "high"}},
            "an image at https://example.com/a.png (image/png)",
        ),
        (
            {"type": "file", "file": {"filename": "a.pdf", "file_data": pdf}},
            'a file named "a.pdf" (application/pdf, 8 bytes)',
        ),
        ({"type": "file", "file": {"file_id": "file_1"}}, "a file with the id file_1"),
        (
            {"type": "input_audio", "input_audio": {"data": b64encode(b"RIFF").decode(), "format": "wav"}},
            "a sound (audio/wav, 4 bytes)",
        ),
    ]
    for part, named in parts:
        told = text_of(ask(chat_client, [{"type": "text", "text": "What is this?"}, part])) or ""
        assert told.startswith(f"You sent {named}.")


def test_the_models_are_listed_once_for_both_channels(chat_client: OpenAI) -> None:
    assert [model.id for model in chat_client.models.list()] == ["demo"]
    assert chat_client.models.retrieve("demo").object == "model"
    with pytest.raises(NotFoundError) as refused:
        chat_client.models.retrieve("gpt-5")
    assert refused.value.code == "model_not_found"
    assert chat_client.responses.create(model="demo", input="say hello").output_text == "hello"


def test_a_bad_request_is_refused_before_a_stream_begins(chat_client: OpenAI) -> None:
    for stream in (False, True):
        with pytest.raises(BadRequestError) as refused:
            ask(chat_client, "hi", n=2, stream=stream)
        assert (refused.value.code, refused.value.param) == ("unsupported_parameter", "n")


def test_what_was_dropped_is_named(chat_client: OpenAI) -> None:
    messages: list[Any] = [{"role": "developer", "content": "Answer in French."}, user("say hello")]
    raw = chat_client.chat.completions.with_raw_response.create(
        model="demo", messages=messages, seed=7, extra_body={"chat_id": "c"}
    )
    assert raw.headers["x-ignored-parameters"] == "messages[0], seed, chat_id"
    assert text_of(raw.parse()) == "hello"
