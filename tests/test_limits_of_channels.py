"""Runs that take too long and callers who ask for too much, in the words of each channel of plain HTTP."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Any, Final

import pytest
from agent_framework import Content

from agent_framework_hosting.host import AgentFrameworkHost
from agent_framework_hosting.limits import Limits
from agent_framework_hosting.testing import Answer, Gate, InMemoryDriver, ScriptedAgent
from agent_framework_hosting_chat_completions.channel import ChatCompletionsChannel
from agent_framework_hosting_invocations.channel import InvocationsChannel
from agent_framework_hosting_responses.channel import ResponsesChannel

PATIENCE: Final = 600.0
"""Seconds that a request gets; more than what is made to go by."""
Later = Callable[[float], None]
PATHS: Final = ("/responses", "/invocations", "/v1/chat/completions")
USES: Final = Content.from_usage({"input_token_count": 500, "output_token_count": 500, "total_token_count": 1000})


@asynccontextmanager
async def serving(agent: Any, **limits: Any) -> AsyncGenerator[InMemoryDriver]:
    channels = [ResponsesChannel(), InvocationsChannel(), ChatCompletionsChannel()]
    host = AgentFrameworkHost(agent, channels=channels, limits=Limits(**limits))
    async with InMemoryDriver(host.app, timeout=PATIENCE) as driver:
        yield driver


async def ask(driver: InMemoryDriver, path: str, **more: Any) -> Answer:
    body = {"messages": [{"role": "user", "content": "hi"}], "model": "m"} if "chat" in path else {"input": "hi"}
    return await driver.request("POST", path, json=body | more)


def code(answer: Answer) -> str:
    body = answer.json()
    return body.get("error", body)["code"]


@pytest.mark.parametrize("path", PATHS)
async def test_a_run_that_takes_too_long_is_a_504_which_clients_do_not_send_again(path: str, later: Later) -> None:
    gate = Gate()
    async with serving(ScriptedAgent([gate], every="ok"), run_timeout=60.0) as driver:
        asking = asyncio.create_task(ask(driver, path))
        await gate.wait_reached()
        later(61)
        answer = await asking
        assert (answer.status, code(answer)) == (504, "run_timeout")
        assert "took longer than the 60 seconds" in answer.text
        # The agent may have acted already.
        assert answer.headers["x-should-retry"] == "false"
        assert (await ask(driver, path)).status == 200


@pytest.mark.parametrize("path", PATHS)
async def test_a_stream_that_takes_too_long_ends_with_its_failure(path: str, later: Later) -> None:
    gate = Gate()
    async with serving(ScriptedAgent(["begun", gate], every="ok"), run_timeout=60.0) as driver:
        asking = asyncio.create_task(ask(driver, path, stream=True))
        await gate.wait_reached()
        later(61)
        answer = await asking
        assert "begun" in answer.text
        last = [json.loads(event.data) for event in answer.events() if event.data != "[DONE]"][-1]
        assert "took longer than the 60 seconds" in json.dumps(last)
        match path:
            case "/responses":
                assert last["type"] == "response.failed"
                assert last["response"]["status"] == "failed"
                # What was said until then can be read, and is no part of the conversation.
                stored = await driver.request("GET", f"/responses/{last['response']['id']}")
                assert stored.json()["status"] == "failed"
            case _:
                assert last["error"]["code"] == "run_timeout"
        assert (await ask(driver, path)).status == 200


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("stream", [False, True])
async def test_whoever_has_used_up_their_tokens_is_told_when_to_come_back(path: str, stream: bool) -> None:
    async with serving(ScriptedAgent(every=["ok", USES]), tokens_per_minute=600) as driver:
        assert (await ask(driver, path, stream=stream)).status == 200
        refused = await ask(driver, path, stream=stream)
        assert (refused.status, code(refused)) == (429, "quota_exceeded")
        # Four hundred more than there were, at ten a second, of which some may have gone by.
        assert 30 < int(refused.headers["retry-after"]) <= 41


@pytest.mark.parametrize("path", PATHS)
async def test_no_room_is_a_503_with_the_time_to_come_back(path: str) -> None:
    gate = Gate()
    async with serving(ScriptedAgent([gate, "ok"], every="ok"), max_concurrent_runs=1) as driver:
        async with driver.stream("POST", "/responses", json={"input": "hi", "stream": True}) as first:
            await gate.wait_reached()
            refused = await ask(driver, path, stream=True)
            assert (refused.status, code(refused), refused.headers["retry-after"]) == (503, "overloaded", "1")
            gate.open()
            await first.read()
        assert (await ask(driver, path)).status == 200
