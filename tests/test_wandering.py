"""One conversation over several channels: whoever comes by its key finds what was said on the others."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import pytest
from starlette.requests import HTTPConnection

from agent_framework_hosting import AgentFrameworkHost, ChannelRequest, ChannelSession
from agent_framework_hosting.messaging.incoming import Incoming
from agent_framework_hosting.testing import Gate, LoopbackDriver, ScriptedAgent, recall
from agent_framework_hosting.types import Principal
from agent_framework_hosting_chat_completions import ChatCompletionsChannel
from agent_framework_hosting_invocations import InvocationsChannel
from agent_framework_hosting_responses import ResponsesChannel
from agent_framework_hosting_telegram import TelegramChannel
from agent_framework_hosting_telegram.testing import BOT_TOKEN, TelegramServer

KEY = "ada"
HTTP_CHANNELS = ("responses", "invocations", "completions")


def who(connection: HTTPConnection) -> Principal:
    return Principal(id=connection.headers.get("x-user", KEY), kind="caller")


def by_user(request: ChannelRequest, **_: Any) -> ChannelRequest:
    """Put whoever is calling into their one conversation."""
    assert request.principal is not None
    return replace(request, session=ChannelSession(request.principal.id))


def key(_: Incoming) -> str:
    return KEY


@dataclass
class House:
    """A host of all channels, each asked in its own words."""

    driver: LoopbackDriver
    telegram: TelegramServer

    async def ask(self, channel: str, text: str, *, user: str = KEY) -> str:
        """Say something on a channel of plain HTTP, and return what the agent answered."""
        return await getattr(self, f"_by_{channel}")(text, {"x-user": user})

    async def _by_responses(self, text: str, headers: dict[str, str]) -> str:
        answer = await self.driver.request("POST", "/responses", json={"input": text}, headers=headers)
        return answer.json()["output"][0]["content"][0]["text"]

    async def _by_invocations(self, text: str, headers: dict[str, str]) -> str:
        asked = {"input": text, "session_id": "mine"}
        answer = await self.driver.request("POST", "/invocations", json=asked, headers=headers)
        return answer.json()["output"]

    async def _by_completions(self, text: str, headers: dict[str, str]) -> str:
        asked = {"model": "any", "messages": [{"role": "user", "content": text}]}
        answer = await self.driver.request("POST", "/v1/chat/completions", json=asked, headers=headers)
        return answer.json()["choices"][0]["message"]["content"]


@asynccontextmanager
async def house(agent: ScriptedAgent, **options: Any) -> AsyncGenerator[House]:
    async with TelegramServer() as telegram:
        host = AgentFrameworkHost(
            agent,
            channels=[
                ResponsesChannel(run_hook=by_user),
                InvocationsChannel(session_names=lambda _, principal: principal.id),
                ChatCompletionsChannel(run_hook=by_user),
                TelegramChannel(bot_token=BOT_TOKEN, open=True, key=key, api_base_url=telegram.base_url),
            ],
            auth=who,
            **options,
        )
        async with LoopbackDriver(host.app) as driver:
            yield House(driver, telegram)


@pytest.fixture(params=["memory", "sqlite"])
def state(request: pytest.FixtureRequest, tmp_path: Any) -> dict[str, Any]:
    return {} if request.param == "memory" else {"database": f"sqlite:///{tmp_path / 'host.db'}"}


async def test_a_conversation_goes_on_from_channel_to_channel_and_back(state: dict[str, Any]) -> None:
    async with house(ScriptedAgent(every=recall), **state) as all_of_it:
        ask, telegram = all_of_it.ask, all_of_it.telegram
        assert await ask("responses", "one") == "one"
        telegram.push(telegram.said("two"))
        assert await telegram.wait_texts(7) == ["one | two"]
        assert await ask("invocations", "three") == "one | two | three"
        assert await ask("completions", "four") == "one | two | three | four"
        telegram.push(telegram.said("/new"))
        await telegram.wait_texts(7, 2)
        assert await ask("responses", "five") == "five"
        telegram.push(telegram.said("six"))
        assert (await telegram.wait_texts(7, 3))[2] == "five | six"
        assert await ask("invocations", "seven") == "five | six | seven"


async def test_turns_of_one_key_run_in_order_over_all_channels_and_keys_never_meet(
    state: dict[str, Any], figure: Callable[[int, int], int]
) -> None:
    """Each turn finds all of its own conversation that came before it, and nothing of another one."""
    rounds, users = figure(3, 30), (KEY, "bob", "eve")
    async with house(ScriptedAgent(every=recall), **state) as all_of_it:
        said = [
            (user, channel, f"{user}-{channel}-{number}")
            for number in range(rounds)
            for channel in HTTP_CHANNELS
            for user in users
        ]
        answers = await asyncio.gather(*(all_of_it.ask(channel, text, user=user) for user, channel, text in said))
        for user in users:
            own = [(text, answer) for (by, _, text), answer in zip(said, answers, strict=True) if by == user]
            longest = max((answer for _, answer in own), key=len).split(" | ")
            assert sorted(longest) == sorted(text for text, _ in own)
            assert {answer for _, answer in own} == {" | ".join(longest[: at + 1]) for at in range(len(longest))}


async def test_a_turn_on_one_channel_waits_for_the_one_that_runs_on_another() -> None:
    gate = Gate("the first turn")
    agent = ScriptedAgent([gate, "first"], every=recall)
    async with house(agent) as all_of_it:
        first = asyncio.create_task(all_of_it.ask("responses", "one"))
        await gate.wait_reached()
        second = asyncio.create_task(all_of_it.ask("invocations", "two"))
        other = await all_of_it.ask("completions", "alone", user="bob")
        assert other == "alone"
        assert not second.done()
        gate.open()
        assert (await first, await second) == ("first", "one | two")
