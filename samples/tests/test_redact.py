"""Redacting: what is sent, what is stored, and what the agent remembers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from agent_framework import Agent, AgentResponse, AgentResponseUpdate, Content, Message
from hypothesis import given
from hypothesis import strategies as st

from agent_framework_hosting import AgentFrameworkHost, ChannelRequest, HostedRunResult
from agent_framework_hosting.testing import Gate, InMemoryDriver, ScriptedChatClient

from .conftest import Load
from .talk import ask, deltas, events, final, text

ANSWER = "Yes: sk-123abc, so take sk-9 to ss"
MASKED = "Yes: [key], so take [key] to ss"


@asynccontextmanager
async def redacting(sample: Load, client: ScriptedChatClient) -> AsyncGenerator[InMemoryDriver]:
    """Serve the sample's channel."""
    host = AgentFrameworkHost(Agent(client), channels=[sample("hooks/redact.py").channel])
    async with InMemoryDriver(host.app) as driver:
        yield driver


def streamed(redact: Any, pieces: Sequence[str]) -> str:
    """Send pieces of text through the sample's update hook as one stream and return what comes out."""
    redact.begin(ChannelRequest(channel="test", operation="test", input=""))
    updates = [AgentResponseUpdate(contents=[Content.from_text(piece)]) for piece in pieces]
    shown = [redact.redact_update(update) for update in [*updates, AgentResponseUpdate(finish_reason="stop")]]
    assert "".join(update.text for update in updates) == "".join(pieces)
    return "".join(update.text for update in shown if update is not None)


async def test_a_secret_that_is_split_anywhere_leaves_no_trace(sample: Load) -> None:
    client = ScriptedChatClient(every=lambda call: call.messages[-1].text.split("|"))
    async with redacting(sample, client) as driver:
        for position in range(len(ANSWER) + 1):
            answer = await ask(driver, f"{ANSWER[:position]}|{ANSWER[position:]}", stream=True)
            heard = answer.events()
            assert deltas(heard) == MASKED
            assert text(final(heard)) == MASKED
            assert "123abc" not in answer.text
            record = (await driver.request("GET", f"/responses/{final(heard)['id']}")).json()
            assert record == final(heard)


async def test_an_answer_that_is_not_streamed_is_redacted_too_and_so_is_its_record(sample: Load) -> None:
    async with redacting(sample, ScriptedChatClient(every=ANSWER)) as driver:
        body = (await ask(driver, "Which key?")).json()
        assert text(body) == MASKED
        assert (await driver.request("GET", f"/responses/{body['id']}")).json() == body


async def test_the_agent_remembers_the_original(sample: Load) -> None:
    for stream in (False, True):
        client = ScriptedChatClient("Take sk-123abc.", "I told you.")
        async with redacting(sample, client) as driver:
            answer = await ask(driver, "Which key?", stream=stream)
            first = final(answer.events()) if stream else answer.json()
            assert text(first) == "Take [key]."
            await ask(driver, "Which one?", previous_response_id=first["id"])
        assert client.calls[1].seen == ["Which key?", "Take sk-123abc.", "Which one?"]


async def test_calls_of_the_agents_tools_are_not_shown(sample: Load) -> None:
    def find_key() -> str:
        return "sk-123abc"

    call = Content.from_function_call("call_1", "find_key", arguments={})
    for stream in (False, True):
        client = ScriptedChatClient(["Let me see: s", call], ["o it i", "s."])
        agent = Agent(client, tools=[find_key])
        host = AgentFrameworkHost(agent, channels=[sample("hooks/redact.py").channel])
        async with InMemoryDriver(host.app) as driver:
            answer = await ask(driver, "Which key?", stream=stream)
            body = final(answer.events()) if stream else answer.json()
        assert [part["text"] for item in body["output"] for part in item["content"]] == ["Let me see: s", "o it is."]
        assert "123abc" not in answer.text


async def test_streams_side_by_side_hold_back_their_own(sample: Load) -> None:
    gate = Gate()
    endings = {"Ada?": "k-1a", "Bob?": "o long", "Eve?": ""}
    client = ScriptedChatClient(every=lambda call: ["a s", gate, endings[call.messages[-1].text]])
    async with redacting(sample, client) as driver:
        streams = asyncio.gather(*(events(driver, said) for said in endings))
        await client.wait_started(3)
        gate.open()
        assert [deltas(heard) for heard in await streams] == ["a [key]", "a so long", "a s"]


def test_streams_and_whole_texts_are_redacted_alike(sample: Load) -> None:
    redact = sample("hooks/redact.py")

    @given(st.lists(st.text(alphabet="sk-a \n", max_size=4) | st.sampled_from(["sk-", "ask-1", "k-s"]), max_size=12))
    def alike(pieces: list[str]) -> None:
        assert streamed(redact, pieces) == redact.SECRET.sub(redact.MASK, "".join(pieces))

    alike()


def test_thoughts_and_text_are_texts_of_their_own(sample: Load) -> None:
    redactor = sample("hooks/redact.py").Redactor()
    thought, said = Content.from_text_reasoning(text="Say s"), Content.from_text("k-1")
    shown = redactor.take([thought], is_last=False) + redactor.take([said], is_last=True)
    assert [(content.type, content.text) for content in shown] == [
        ("text_reasoning", "Say "),
        ("text_reasoning", "s"),
        ("text", "k-1"),
    ]


def test_a_stream_that_was_cut_leaves_nothing_to_the_next_one(sample: Load) -> None:
    redact = sample("hooks/redact.py")
    redact.begin(ChannelRequest(channel="test", operation="test", input=""))
    assert redact.redact_update(AgentResponseUpdate(contents=[Content.from_text("sk-123abc")])) is None
    assert streamed(redact, ["Good ", "morning"]) == "Good morning"


def test_a_count_of_tokens_between_two_pieces_does_not_part_them(sample: Load) -> None:
    usage = Content.from_usage({"output_token_count": 1})
    contents = [Content.from_text("sk-12"), usage, Content.from_text("3abc")]
    shown = sample("hooks/redact.py").Redactor().take(contents, is_last=True)
    assert [(content.type, content.text) for content in shown] == [("usage", None), ("text", "[key]")]


def test_the_agents_own_response_is_left_as_it_is(sample: Load) -> None:
    response = AgentResponse[Any](messages=[Message("assistant", ["sk-123abc"])])
    shown = sample("hooks/redact.py").redact_result(HostedRunResult(response))
    assert (shown.result.text, response.text) == ("[key]", "sk-123abc")
