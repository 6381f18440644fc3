"""The official Python client against the served demo: what was answered, read again; conversations; compaction."""

from __future__ import annotations

from typing import Any

import pytest
from openai import AsyncOpenAI, BadRequestError, NotFoundError, OpenAI


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


def test_tokens_are_not_guessed(client: OpenAI) -> None:
    with pytest.raises(BadRequestError) as refused:
        client.responses.input_tokens.count(model="demo", input="hello")
    assert refused.value.code == "unsupported_endpoint"


def test_a_conversation_goes_on_from_its_compaction(client: OpenAI) -> None:
    first = client.responses.create(model="demo", input="say hello")
    compacted = client.responses.compact(model="demo", previous_response_id=first.id)
    given: Any = [*compacted.output, {"role": "user", "content": "say more"}]
    assert client.responses.create(model="demo", input=given).output_text == "more"
