"""The official Python client against the served demo: what was answered, read again; conversations; compaction."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest
from openai import AsyncOpenAI, BadRequestError, NotFoundError, OpenAI
from openai.types import Model
from openai.types.conversations import (
    Conversation,
    ConversationDeletedResource,
    ConversationItem,
    ConversationItemList,
)
from openai.types.responses import CompactedResponse, InputTokenCountResponse, Response, ResponseItemList
from pydantic import TypeAdapter


def test_a_stream_is_taken_up_behind_any_event(client: OpenAI) -> None:
    events = list(client.responses.create(model="demo", input="count to 9", stream=True))
    first: Any = events[0]
    for cut in range(len(events)):
        rest = client.responses.retrieve(first.response.id, stream=True, starting_after=cut)
        assert list(rest) == events[cut + 1 :]


async def test_the_asynchronous_helper_takes_up_a_stream(async_client: AsyncOpenAI) -> None:
    made = await async_client.responses.create(model="demo", input="say hello")
    async with async_client.responses.stream(response_id=made.id) as stream:
        assert (await stream.get_final_response()).output_text == made.output_text == "hello"


async def test_a_response_is_read_and_forgotten(async_client: AsyncOpenAI) -> None:
    made = await async_client.responses.create(model="demo", input="say hello")
    assert await async_client.responses.retrieve(made.id) == made
    items = [item async for item in async_client.responses.input_items.list(made.id)]
    assert len(items) == 1
    with pytest.raises(BadRequestError):
        await async_client.responses.cancel(made.id)
    await async_client.responses.delete(made.id)
    with pytest.raises(NotFoundError):
        await async_client.responses.retrieve(made.id)


def test_a_conversation_holds_what_was_said_in_it(client: OpenAI) -> None:
    conversation = client.conversations.create(items=[{"role": "user", "content": "say before"}])
    for text in ("hello", "again"):
        made = client.responses.create(model="demo", input=f"say {text}", conversation=conversation.id)
        assert made.output_text == text
    items: list[Any] = list(client.conversations.items.list(conversation.id, order="asc", limit=2))
    texts = ["say before", "say hello", "hello", "say again", "again"]
    assert [item.content[0].text for item in items] == texts
    assert client.conversations.delete(conversation.id).deleted


def test_every_endpoint_answers_the_client_in_the_sdks_own_types(client: OpenAI) -> None:
    """Strictly: what each answers is read by the type that the SDK declares for it."""

    def told(answer: Any, kind: Any) -> Any:
        return TypeAdapter(kind).validate_json(answer.content, strict=True)

    talk, items = client.conversations.with_raw_response, client.conversations.items.with_raw_response
    responses = client.responses.with_raw_response
    begun = told(talk.create(items=[{"role": "user", "content": "say before"}], metadata={"a": "b"}), Conversation)
    assert told(talk.retrieve(begun.id), Conversation) == begun
    assert told(talk.update(begun.id, metadata={"c": "d"}), Conversation).metadata == {"c": "d"}
    added = told(items.create(begun.id, items=[{"role": "user", "content": "say more"}]), ConversationItemList)
    assert told(items.retrieve(added.first_id, conversation_id=begun.id), ConversationItem) == added.data[0]
    assert told(items.delete(added.first_id, conversation_id=begun.id), Conversation).id == begun.id
    made = told(responses.create(model="demo", input="say hello", conversation=begun.id), Response)
    assert told(responses.retrieve(made.id), Response) == made
    assert [item.type for item in told(items.list(begun.id), ConversationItemList).data] == ["message"] * 3
    listed = told(responses.input_items.list(made.id), ResponseItemList)
    assert [item.content[0].text for item in listed.data] == ["say hello", "say before"]
    packed = told(responses.compact(model="demo", previous_response_id=made.id), CompactedResponse)
    assert [item.type for item in packed.output] == ["compaction"]
    assert told(responses.input_tokens.count(model="demo", previous_response_id=made.id), InputTokenCountResponse)
    with pytest.raises(BadRequestError):
        responses.cancel(made.id)
    assert client.responses.delete(made.id) is None
    assert told(talk.delete(begun.id), ConversationDeletedResource).deleted
    (model,) = client.models.list().data
    assert told(client.models.with_raw_response.retrieve(model.id), Model) == model


def test_a_stream_that_is_really_cut_after_any_event_goes_on_with_the_identical_bytes(
    client: OpenAI, demo: str
) -> None:
    made = client.responses.create(model="demo", input="count to 9")
    url = f"{demo}/responses/{made.id}?stream=true"
    with httpx2.Client(timeout=60) as plain:
        whole = plain.get(url).content
        *events, done = whole.split(b"\n\n")[:-1]
        assert done == b"data: [DONE]"
        for number in range(len(events)):
            read = b""
            with plain.stream("GET", url) as answer:
                for byte in answer.iter_raw(1):
                    read += byte
                    if read.count(b"\n\n") == number + 1:
                        break
            assert read + plain.get(f"{url}&starting_after={number}").content == whole


def test_tokens_are_estimated_with_all_that_is_continued(client: OpenAI) -> None:
    counted = client.responses.input_tokens
    short = counted.count(model="demo", input="hello").input_tokens
    long = counted.count(model="demo", input="hello " * 100).input_tokens
    assert 140 < long - short < 160
    first = client.responses.create(model="demo", input="say hello " + "again " * 100)
    assert counted.count(model="demo", input="hello", previous_response_id=first.id).input_tokens > short + 140


def test_a_conversation_goes_on_from_its_compaction(client: OpenAI) -> None:
    first = client.responses.create(model="demo", input="say hello")
    compacted = client.responses.compact(model="demo", previous_response_id=first.id)
    given: Any = [*compacted.output, {"role": "user", "content": "say more"}]
    assert client.responses.create(model="demo", input=given).output_text == "more"
