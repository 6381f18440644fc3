"""The WebSocket channel keeps the contract of channels, and what its first lines and comments say."""

from __future__ import annotations

import json
import runpy
import subprocess
import sys

import pytest

from agent_framework_hosting import AgentFrameworkHost
from agent_framework_hosting.limits import Limits
from agent_framework_hosting.testing import Gate, LoopbackDriver, ScriptedAgent, recall
from agent_framework_hosting.testing.contracts import ChannelContract

from .chat_adapter import ChatAdapter
from .conftest import SAMPLES, Load

SAMPLE = SAMPLES / "websocket_channel.py"


class SampleAdapter(ChatAdapter):
    channel = runpy.run_path(str(SAMPLE))["ChatChannel"]


class TestChatChannel(ChannelContract):
    adapter = SampleAdapter


def test_it_is_short_enough_to_be_read_at_once() -> None:
    assert len(SAMPLE.read_text().splitlines()) <= 120


def test_it_is_tried_as_its_first_lines_say(sample: Load) -> None:
    with LoopbackDriver(sample(SAMPLE.name).host.app) as driver:
        address = driver.base_url.replace("http", "ws") + "/chat"
        typing = [sys.executable, "-u", "-m", "websockets", address]
        with subprocess.Popen(typing, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as client:
            assert client.stdin is not None
            assert client.stdout is not None
            client.stdin.write('{"text": "Are you there?"}\n')
            client.stdin.flush()
            told = next(line for line in client.stdout if '"answer"' in line)
            client.stdin.close()
    assert '"text":"Are you there?"' in told


async def test_messages_of_one_connection_are_answered_in_order(sample: Load) -> None:
    async with LoopbackDriver(sample(SAMPLE.name).host.app) as driver, driver.websocket("/chat") as socket:
        for number in range(5):
            await socket.send(json.dumps({"text": str(number)}))
        answers = [json.loads(await socket.receive())["text"] for _ in range(5)]
    assert answers == ["0", "0 | 1", "0 | 1 | 2", "0 | 1 | 2 | 3", "0 | 1 | 2 | 3 | 4"]


async def test_who_sends_more_than_can_wait_is_told_to_come_later(sample: Load) -> None:
    gate = Gate()
    agent = ScriptedAgent(every=lambda run: [gate, *recall(run)])
    channel = sample(SAMPLE.name).ChatChannel()
    host = AgentFrameworkHost(agent, channels=[channel], limits=Limits(max_waiting=2))
    async with LoopbackDriver(host.app) as driver, driver.websocket("/chat") as socket:
        for number in range(5):
            await socket.send(json.dumps({"text": str(number)}))
        with pytest.raises(ConnectionError, match="closed with 1013"):
            await socket.receive()
        await agent.runs[0].wait_ended()
        assert agent.runs[0].stopped
