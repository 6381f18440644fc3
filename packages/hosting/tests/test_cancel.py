"""A channel stops what runs in a session, wherever it runs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from agent_framework_hosting.channel import ChannelContext
from agent_framework_hosting.errors import RunCancelled
from agent_framework_hosting.host import AgentFrameworkHost
from agent_framework_hosting.testing import Gate, ScriptedAgent
from agent_framework_hosting.types import ChannelRequest, ChannelSession


def asked(text: str, key: str = "room") -> ChannelRequest:
    return ChannelRequest("probe", "message", text, ChannelSession(key))


@pytest.mark.parametrize("kind", ["memory", "sqlite", "postgres"])
async def test_what_runs_and_what_waits_is_stopped_and_the_next_turn_knows_nothing_of_it(
    kind: str, make_probe: type[Any], make_database: Callable[[str], str]
) -> None:
    probe = make_probe()
    agent = ScriptedAgent([Gate(), "never"], every=lambda run: f"seen {run.seen}")
    database = None if kind == "memory" else make_database(kind)
    async with AgentFrameworkHost(agent, channels=[probe], database=database):
        context: ChannelContext = probe.context
        first = asyncio.create_task(context.run(asked("one")))
        await agent.wait_started()
        stream = await context.run_stream(asked("two"))  # it has its place in the line
        second = asyncio.create_task(stream.get_final_response())
        other = await context.run(asked("elsewhere", "another room"))
        assert other.result.text == "seen ['elsewhere']"
        async with asyncio.timeout(30):
            assert await context.cancel("room")
            for stopped in (first, second):
                with pytest.raises(RunCancelled) as error:
                    await stopped
                assert error.value.reason == "interrupted"
        assert not await context.cancel("room")
        assert (await context.run(asked("three"))).result.text == "seen ['three']"
    assert agent.runs[0].stopped


async def test_a_key_stands_for_another_session_after_a_reset(connect: Callable[..., ChannelContext]) -> None:
    context = connect(ScriptedAgent())
    assert await context.session_id("room") == "room"
    await context.areset_session("room")
    assert (await context.session_id("room")).startswith("room#")
