"""A character that a provider has cut in two is said whole on every channel, and half of one as what stands for it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Final

import pytest

from agent_framework_hosting import AgentFrameworkHost, ChannelRequest, ChannelSession
from agent_framework_hosting.testing import InMemoryDriver, LoopbackDriver, ScriptedAgent, events_from
from agent_framework_hosting_chat_completions import ChatCompletionsChannel
from agent_framework_hosting_invocations import InvocationsChannel
from agent_framework_hosting_responses import ResponsesChannel
from agent_framework_hosting_telegram import TelegramChannel
from agent_framework_hosting_telegram.testing import BOT_TOKEN, TelegramServer

SAID: Final = {
    "cut in two": (["a fox \ud83e", "\udd8a!"], ["a fox ", "🦊!"]),
    "both halves at once": (["a fox", " \ud83e\udd8a!"], ["a fox", " 🦊!"]),
    "cut before anything was said": (["\ud83e", "\udd8a", "!"], ["🦊", "!"]),
    "a first half": (["half \ud83e", "!", "?"], ["half ", "\ufffd!", "?"]),
    "a second half": (["half ", "\udd8a", "!"], ["half ", "\ufffd", "!"]),
    "a half at the end": (["half", " \ud83e"], ["half", " ", "\ufffd"]),
    "two first halves": (["a \ud83e", "\ud83e", "\udd8a"], ["a ", "\ufffd", "🦊"]),
}
ASKED: Final[dict[str, Callable[[bool], dict[str, Any]]]] = {
    "/responses": lambda stream: {"input": "hi", "stream": stream},
    "/invocations": lambda stream: {"input": "hi", "stream": stream},
    "/v1/chat/completions": lambda stream: {
        "model": "any",
        "messages": [{"role": "user", "content": "hi"}],
        "stream": stream,
    },
}


def piece(event: dict[str, Any]) -> Any:
    """Return the piece of text that an event of any of the protocols brings."""
    if "choices" in event:
        return event["choices"][0]["delta"].get("content")
    return (
        event.get("delta")
        if "delta" in event
        else event.get("text")
        if set(event) == {"index", "part", "text"}
        else None
    )


def text_of(body: dict[str, Any]) -> str:
    """Return the text of a whole answer in any of the protocols."""
    if "choices" in body:
        return body["choices"][0]["message"]["content"]
    return body["output"] if isinstance(body["output"], str) else body["output"][0]["content"][0]["text"]


@pytest.fixture(params=["memory", "sqlite"])
def kept(request: pytest.FixtureRequest, tmp_path: Any) -> dict[str, Any]:
    return {} if request.param == "memory" else {"database": f"sqlite:///{tmp_path / 'host.db'}"}


@pytest.mark.parametrize("path", ASKED)
async def test_what_is_sent_is_kept_and_sent_again(path: str, kept: dict[str, Any]) -> None:
    agent = ScriptedAgent(*(pieces for pieces, _ in SAID.values() for _ in range(2)))
    host = AgentFrameworkHost(
        agent, channels=[ResponsesChannel(), InvocationsChannel(), ChatCompletionsChannel()], **kept
    )
    async with InMemoryDriver(host.app) as driver:
        for what, (_, shown) in SAID.items():

            async def ask(*, stream: bool, what: str = what) -> bytes:
                headers = {"idempotency-key": f"{what} {stream}"}
                answer = await driver.request("POST", path, json=ASKED[path](stream), headers=headers)
                assert answer.status == 200, (what, answer.body)
                return answer.body

            whole, streamed = await ask(stream=False), await ask(stream=True)
            assert text_of(json.loads(whole)) == "".join(shown), what
            events = [event.json() for event in events_from(streamed) if event.data != "[DONE]"]
            assert [said for said in map(piece, events) if said] == shown, what
            assert await ask(stream=False) == whole, what
            again = [event.json() for event in events_from(await ask(stream=True)) if event.data != "[DONE]"]
            assert again[-1] == events[-1], what
            assert "".join(said for said in map(piece, again) if said) == "".join(shown), what


async def test_a_response_is_read_followed_and_continued_as_it_was_sent(kept: dict[str, Any]) -> None:
    agent = ScriptedAgent(*(turn for pieces, _ in SAID.values() for turn in (pieces, "and on")))
    async with InMemoryDriver(AgentFrameworkHost(agent, channels=[ResponsesChannel()], **kept).app) as driver:
        for what, (_, shown) in SAID.items():
            sent = await driver.request("POST", "/responses", json={"input": "hi", "stream": True})
            last = events_from(sent.body)[-2].json()
            assert last["type"] == "response.completed", what
            place = f"/responses/{last['response']['id']}"
            assert (await driver.request("GET", place)).json() == last["response"], what
            assert (await driver.request("GET", f"{place}?stream=true")).body == sent.body, what
            more = {"input": "more", "previous_response_id": last["response"]["id"]}
            assert (await driver.request("POST", "/responses", json=more)).status == 200, what
            assert [message.text for message in agent.runs[-1].history] == ["hi", "".join(shown)], what


async def test_a_chat_is_told_the_same(kept: dict[str, Any]) -> None:
    agent = ScriptedAgent(*(pieces for pieces, _ in SAID.values()))
    async with TelegramServer() as telegram:
        channel = TelegramChannel(bot_token=BOT_TOKEN, open=True, api_base_url=telegram.base_url)
        async with LoopbackDriver(AgentFrameworkHost(agent, channels=[channel], **kept).app):
            for number, (_, shown) in enumerate(SAID.values(), 1):
                telegram.push(telegram.said("hi"))
                assert (await telegram.wait_texts(7, number))[-1] == "".join(shown)
    told = [message.text for message in agent.runs[-1].history if message.role == "assistant"]
    assert told == ["".join(shown) for _, shown in SAID.values()][:-1]


async def test_who_asks_without_any_channel_goes_on_as_well(kept: dict[str, Any]) -> None:
    agent = ScriptedAgent(["a fox \ud83e", "\udd8a!"], "and on")
    async with AgentFrameworkHost(agent, channels=[], **kept) as host:
        for text in ("one", "two"):
            await host.run(ChannelRequest("none", "message", text, session=ChannelSession("ada")))
    assert [message.text for message in agent.runs[-1].history] == ["one", "a fox 🦊!"]


@pytest.mark.parametrize("path", ASKED)
async def test_a_request_with_half_a_character_is_refused_with_its_place(path: str, kept: dict[str, Any]) -> None:
    agent = ScriptedAgent(every="ok")
    host = AgentFrameworkHost(
        agent, channels=[ResponsesChannel(), InvocationsChannel(), ChatCompletionsChannel()], **kept
    )
    body = json.dumps(ASKED[path](False), indent=1).replace('"hi"', '"\\\\ \\ud83e\\udd8a \\ud83e"')
    line = next(number for number, each in enumerate(body.split("\n"), 1) if "ud83e" in each)
    async with InMemoryDriver(host.app) as driver:
        refused = await driver.request("POST", path, body=body.encode(), headers={"content-type": "application/json"})
    assert refused.status == 400
    assert f"line {line}, column {body.split(chr(10))[line - 1].rindex('ud83e')} it has".encode() in refused.body
    assert agent.runs == []
