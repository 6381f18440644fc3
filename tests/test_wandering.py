"""One conversation over several channels: whoever comes by its key finds what was said on the others."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from agent_framework_hosting import AgentFrameworkHost, ChannelRequest, ChannelSession
from agent_framework_hosting.messaging.incoming import Incoming
from agent_framework_hosting.testing import LoopbackDriver, ScriptedAgent, recall
from agent_framework_hosting_responses import ResponsesChannel
from agent_framework_hosting_telegram import TelegramChannel
from agent_framework_hosting_telegram.testing import BOT_TOKEN, TelegramServer

KEY = "ada"


def by_key(request: ChannelRequest, **_: Any) -> ChannelRequest:
    """Put whoever is known as Ada into her conversation; a real hook asks who has logged in."""
    return replace(request, session=ChannelSession(KEY))


def key(_: Incoming) -> str:
    return KEY


async def test_a_conversation_goes_on_from_channel_to_channel_and_back() -> None:
    async with TelegramServer() as telegram:
        host = AgentFrameworkHost(
            ScriptedAgent(every=recall),
            channels=[
                ResponsesChannel(run_hook=by_key),
                TelegramChannel(bot_token=BOT_TOKEN, open=True, key=key, api_base_url=telegram.base_url),
            ],
        )
        async with LoopbackDriver(host.app) as driver:

            async def asked(text: str) -> str:
                answer = await driver.request("POST", "/responses", json={"input": text})
                return answer.json()["output"][0]["content"][0]["text"]

            assert await asked("one") == "one"
            telegram.push(telegram.said("two"))
            assert await telegram.wait_texts(7) == ["one | two"]
            assert await asked("three") == "one | two | three"
            telegram.push(telegram.said("/new"))
            await telegram.wait_texts(7, 2)
            assert await asked("four") == "four"
            telegram.push(telegram.said("five"))
            assert (await telegram.wait_texts(7, 3))[2] == "four | five"
