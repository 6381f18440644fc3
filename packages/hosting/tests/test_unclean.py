"""What an agent says with half a surrogate pair is kept, in every store, and its conversation goes on."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from itertools import chain
from typing import Any

import pytest
from agent_framework import (
    Agent,
    AgentResponseUpdate,
    AgentSession,
    ChatResponseUpdate,
    Content,
    ContextProvider,
    InMemoryHistoryProvider,
    Message,
)

from agent_framework_hosting._target.cleaning import clean_message
from agent_framework_hosting.host import AgentFrameworkHost
from agent_framework_hosting.rendering.halves import Halves
from agent_framework_hosting.rendering.text import clean
from agent_framework_hosting.testing import ScriptedAgent, ScriptedChatClient
from agent_framework_hosting.types import JSON, ChannelRequest, ChannelSession, HostedRunResult

HALF = "\ud83e"


def look(at: str) -> str:
    """Look at something."""
    return f"{at} is {HALF}"


def says(*contents: Content, **fields: Any) -> ChatResponseUpdate:
    return ChatResponseUpdate(contents=list(contents), role="assistant", **fields)


UNCLEAN: dict[str, list[Any]] = {
    "a text": [[f"a {HALF} b"]],
    "a text in pieces": [["a \ud83e", "\udd8a", " b"]],
    "thoughts": [[Content.from_text_reasoning(text=f"hm {HALF}", protected_data=HALF), "a"]],
    "an author": [[says(Content.from_text("a"), author_name=f"ada {HALF}")]],
    "marks": [[says(Content.from_text("a", additional_properties={HALF: [{"b": (HALF, 1)}]}))]],
    "a citation": [[Content.from_text("a", annotations=[{"type": "citation", "title": HALF}])]],
    "a link": [[Content.from_uri(f"https://example.com/{HALF}", media_type="image/png")]],
    "an error": [[Content.from_error(message=HALF, error_code=HALF)]],
    "a result": [[Content.from_function_call("c", "look", arguments={"at": "a"})], "a"],
    "arguments": [[Content.from_function_call("c", "look", arguments=json.dumps({"at": HALF}))], "a"],
    "arguments as a mapping": [[Content.from_function_call("c", "look", arguments={"at": HALF})], "a"],
    "arguments in pieces": [
        [
            Content.from_function_call("c", "look", arguments='{"at": "\ud83e'),
            Content.from_function_call("c", "look", arguments='\udd8a"}'),
        ],
        "a",
    ],
    "an id of a call": [[Content.from_function_call(f"c{HALF}", "look", arguments={"at": "a"})], "a"],
}


@dataclass(frozen=True)
class _Noted:
    what: str


class Notes(ContextProvider):
    """Keeps something of its own beside the messages."""

    async def after_run(self, *, agent: Any, session: AgentSession | None, context: Any, state: dict[str, Any]) -> None:
        del agent, session, context
        state[HALF] = [HALF]
        state["set"], state["object"] = {HALF}, _Noted(HALF)


def ask(text: str, key: str = "ada", *, after: str | None = None) -> ChannelRequest:
    session = ChannelSession(key, parent=after, commit_as=f"{key}: {text}")
    return ChannelRequest("test", "message", text, session=session)


def seen(client: ScriptedChatClient) -> str:
    """What the model was told last, as it is sent to one."""
    told = [message.to_dict(exclude={"message_id"}) for message in client.calls[-1].messages]
    return json.dumps(told, ensure_ascii=False).encode().decode()


@pytest.fixture(params=["memory", "folders", "sqlite", "postgres"])
def kept(request: pytest.FixtureRequest, tmp_path: Any, make_database: Callable[[str], str]) -> dict[str, Any]:
    """Return the options of a host that keeps what it keeps there."""
    if request.param == "memory":
        return {}
    if request.param == "folders":
        return {"state_dir": tmp_path / "kept"}
    return {"database": make_database(request.param)}


def hosted(client: ScriptedChatClient, channel: Any, kept: dict[str, Any]) -> AgentFrameworkHost:
    agent = Agent(client, name="agent", tools=[look], context_providers=[Notes("notes")])
    return AgentFrameworkHost(agent, channels=[channel], **kept)


@pytest.mark.parametrize("is_streamed", [False, True], ids=["whole", "streamed"])
async def test_a_turn_is_committed_and_the_next_one_goes_on_from_it(
    kept: dict[str, Any], make_probe: Any, is_streamed: bool
) -> None:
    """Also in another process, which sees the same."""
    live: dict[str, str] = {}
    client, probe = ScriptedChatClient(*chain.from_iterable([*turns, "on"] for turns in UNCLEAN.values())), make_probe()
    async with hosted(client, probe, kept):
        for what in UNCLEAN:
            if is_streamed:
                await (await probe.context.run_stream(ask("one", what))).get_final_response()
            else:
                await probe.context.run(ask("one", what))
            await probe.context.run(ask("two", what, after=f"{what}: one"))
            live[what] = seen(client)
    if "database" not in kept:
        return
    client, probe = ScriptedChatClient(every="on"), make_probe()
    async with hosted(client, probe, kept):
        for what, known in live.items():
            await probe.context.run(ask("two", what, after=f"{what}: one"))
            assert seen(client) == known


async def test_what_was_kept_is_what_the_texts_are_to_be(kept: dict[str, Any], make_probe: Any) -> None:
    client, probe = ScriptedChatClient(["a fox \ud83e", "\udd8a"], [f"half {HALF}"], "on"), make_probe()
    async with hosted(client, probe, kept):
        for text in ("one", "two", "three"):
            await probe.context.run(ask(text))
    told = [message.text for message in client.calls[-1].messages if message.role == "assistant"]
    assert told == ["a fox 🦊", "half \ufffd"]


async def test_a_history_that_was_rewritten_is_kept_clean_too(kept: dict[str, Any], make_probe: Any) -> None:
    """As one that was summed up is: what is new in it stands where something else was before."""

    class Summing(ContextProvider):
        async def after_run(self, *, session: AgentSession | None, context: Any, **_: Any) -> None:
            if session is not None and context.input_messages[-1].text == "sum up":
                session.state["in_memory"]["messages"] = [Message("assistant", [f"all {HALF}"])]

    client, probe = ScriptedChatClient(every="ok"), make_probe()
    # What is first in the list comes last after a run.
    agent = Agent(client, context_providers=[Summing("summing"), InMemoryHistoryProvider("in_memory")])
    async with AgentFrameworkHost(agent, channels=[probe], **kept):
        for text in ("one", "two", "sum up", "three"):
            await probe.context.run(ask(text))
    assert [message.text for message in client.calls[-1].messages] == ["all \ufffd", "three"]


@pytest.mark.parametrize("oddity", ["holds itself", "has no name"])
async def test_what_cannot_be_looked_into_does_not_fail_a_turn(make_probe: Any, oddity: str) -> None:
    """It goes on in memory as it is."""
    update = AgentResponseUpdate(contents=[Content.from_text("a")], role="assistant")
    odd: Any = {}
    odd["itself"] = odd
    if oddity == "holds itself":
        update.contents[0].additional_properties = odd
    else:
        update.author_name = odd
    agent, probe = ScriptedAgent([update], "and on"), make_probe()
    async with AgentFrameworkHost(agent, channels=[probe]):
        await (await probe.context.run_stream(ask("one"))).get_final_response()
        await probe.context.run(ask("two"))
    (content,) = agent.runs[-1].history[-1].contents
    assert content.type == "text"


def test_what_holds_itself_is_left_and_what_is_beside_it_is_cleaned() -> None:
    odd: dict[str, Any] = {HALF: 1}
    odd["itself"] = odd
    message = Message("assistant", [Content.from_text(HALF, additional_properties=odd)], additional_properties=odd)
    cleaned = clean_message(message)
    assert cleaned.text == "\ufffd"
    assert cleaned.additional_properties is message.additional_properties
    assert cleaned.contents[0].additional_properties is message.contents[0].additional_properties


async def test_a_record_that_a_channel_has_sealed_is_kept(kept: dict[str, Any], make_probe: Any) -> None:
    """Whoever writes a channel need not know what JSON lets through."""

    def seal(_: HostedRunResult[Any]) -> JSON:
        return {HALF: [f"a {HALF}"]}

    probe = make_probe()
    async with AgentFrameworkHost(ScriptedAgent(every="ok"), channels=[probe], **kept):
        await probe.context.run(ask("one"), seal=seal)
        assert await probe.context.read_record("ada: one") == {"\ufffd": ["a \ufffd"]}


def test_a_message_that_is_clean_is_not_copied() -> None:
    for contents in (["plain", "é 🦊 \u2028"], [Content.from_function_call("c", "look", arguments={"at": ["é"]})], []):
        message = Message("assistant", contents, author_name="ada", additional_properties={"a": {"b": ("é", 1)}})
        assert clean_message(message) is message


def test_a_message_that_was_made_of_chunks_has_the_texts_that_were_said_of_it() -> None:
    def text_reasoning(text: str) -> Content:
        return Content.from_text_reasoning(text=text)

    for chunks in (["a\ud83e", "\udd8a"], ["\ud83e", "\udd8a\ud83e", "\udd8a!"], ["\ud83e", "\ud83e\udd8a", HALF]):
        for make in (Content.from_text, text_reasoning):
            message = Message("assistant", list(map(make, chunks)))
            halves = Halves()
            told = [*halves.contents_of(message), *halves.released()]
            said = "".join(clean(each.text) for each in told)
            assert "".join(each.text or "" for each in clean_message(message).contents) == said
            assert [each.text for each in message.contents] == chunks
    apart = Message("assistant", ["a\ud83e", Content.from_text_reasoning(text="\udd8a")])
    assert [each.text for each in clean_message(apart).contents] == ["a\ufffd", "\ufffd"]


def test_the_agents_own_message_is_left_as_it_is() -> None:
    message = Message("assistant", [HALF, Content.from_text("b")], author_name=HALF)
    cleaned = clean_message(message)
    assert (cleaned.text, cleaned.author_name) == ("\ufffd b", "\ufffd")
    assert (message.text, message.author_name) == (f"{HALF} b", HALF)
    assert cleaned.contents[1] is message.contents[1]
