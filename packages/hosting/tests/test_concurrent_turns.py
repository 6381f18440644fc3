"""`concurrency="concurrent"`: turns of one session side by side, over every kind of store."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from agent_framework import Agent, FileHistoryProvider

from agent_framework_hosting.channel import ChannelContext
from agent_framework_hosting.errors import ConfigurationError, IdempotencyConflict, UnknownParent
from agent_framework_hosting.host import AgentFrameworkHost
from agent_framework_hosting.testing import Gate, ScriptedAgent, ScriptedChatClient
from agent_framework_hosting.types import ChannelRequest, ChannelSession, IdempotencyKey, Principal

from .workflow_parts import notebook

Connect = Callable[..., Awaitable[ChannelContext]]


@pytest.fixture(params=["memory", "sqlite", "postgres"])
async def connect(
    request: pytest.FixtureRequest, make_database: Callable[[str], str], make_probe: Callable[[], Any]
) -> AsyncGenerator[Connect]:
    """Return a function that starts such a host with each kind of store, and returns the context of its channel."""
    async with AsyncExitStack() as stack:

        async def connect(agent: Any) -> ChannelContext:
            probe = make_probe()
            database = None if request.param == "memory" else make_database(request.param)
            host = AgentFrameworkHost(agent, channels=[probe], database=database, concurrency="concurrent")
            await stack.enter_async_context(host)
            return probe.context

        yield connect


def ask(text: str, key: str | None = None, *, principal: Principal | None = None, **session: Any) -> ChannelRequest:
    return ChannelRequest(
        channel="test", operation="message", input=text, session=ChannelSession(key, **session), principal=principal
    )


async def test_turns_of_one_session_run_side_by_side_in_sessions_of_their_own(connect: Connect) -> None:
    """All under the session's id; none finds anything of the others, nor of those that have ended."""
    gate = Gate()
    agent = ScriptedAgent(every=["one ", gate, "two"])
    context = await connect(agent)
    turns = [asyncio.ensure_future(context.run(ask(str(number), "room"))) for number in range(5)]
    await gate.wait_reached(5)
    gate.open()
    await asyncio.gather(*turns)
    await context.run(ask("late", "room"))
    assert agent.most_active == 5
    assert {run.session_id for run in agent.runs} == {"room"}
    assert len({id(run.session) for run in agent.runs}) == 6
    assert all(len(run.seen) == 1 for run in agent.runs)


async def test_a_reset_gives_later_turns_another_session_id(connect: Connect) -> None:
    agent = ScriptedAgent(every="ok")
    context = await connect(agent)
    await context.run(ask("one", "room"))
    await context.areset_session("room")
    await context.run(ask("two", "room"))
    assert agent.runs[0].session_id == "room"
    assert str(agent.runs[1].session_id).startswith("room#")


async def test_an_id_is_read_as_a_record_and_continued_as_its_turn_left_it(connect: Connect) -> None:
    """As often as one likes and all at once; the session id stays."""
    agent = ScriptedAgent(every="ok")
    context = await connect(agent)
    await context.run(ask("root", commit_as="a"), seal=lambda result: {"said": result.result.text})
    assert await context.read_record("a") == {"said": "ok"}
    await asyncio.gather(*(context.run(ask(name, parent="a", commit_as=name)) for name in ("b", "c", "d")))
    await context.run(ask("end", parent="c", commit_as="e"))
    seen = {run.messages[-1].text: run.seen for run in agent.runs}
    assert [seen[name] for name in ("b", "c", "d")] == [["root", "ok", name] for name in ("b", "c", "d")]
    assert seen["end"] == ["root", "ok", "c", "ok", "end"]
    assert {run.session_id for run in agent.runs} == {"a"}


async def test_ids_under_a_key_go_with_that_key_alone(connect: Connect) -> None:
    agent = ScriptedAgent(every="ok")
    context = await connect(agent)
    await context.run(ask("one", "room", commit_as="a"))
    await context.run(ask("two", "room", parent="a", commit_as="b"))
    assert agent.runs[1].seen == ["one", "ok", "two"]
    assert {run.session_id for run in agent.runs} == {"room"}
    with pytest.raises(UnknownParent):
        await context.run(ask("three", "hall", parent="a"))
    with pytest.raises(UnknownParent):
        await context.run(ask("three", parent="a", commit_as="c", principal=Principal(id="bob", kind="caller")))


async def test_a_turn_that_failed_is_no_part_of_anything(connect: Connect) -> None:
    agent = ScriptedAgent(ValueError("broken"), "ok")
    context = await connect(agent)
    with pytest.raises(ValueError, match="broken"):
        await context.run(ask("1", "room", commit_as="a"))
    with pytest.raises(UnknownParent):
        await context.run(ask("2", parent="a", commit_as="b"))
    await context.run(ask("3", "room"))
    assert agent.runs[1].seen == ["3"]


async def test_an_idempotency_key_still_runs_once(connect: Connect) -> None:
    gate = Gate()
    agent = ScriptedAgent(every=[gate, "ok"])
    context = await connect(agent)
    key = IdempotencyKey("k", b"pay")
    first = asyncio.ensure_future(context.run(ask("pay", "room"), idempotency=key))
    await gate.wait_reached()
    with pytest.raises(IdempotencyConflict):
        await context.run(ask("pay", "room"), idempotency=key)
    gate.open()
    await first
    assert len(agent.runs) == 1


@pytest.mark.filterwarnings("ignore:.*FileHistoryProvider is experimental")
async def test_what_the_agent_keeps_elsewhere_is_found_by_the_session_id(connect: Connect, tmp_path: Path) -> None:
    """By key and by id: the agent's own history is the agent's own affair."""
    client = ScriptedChatClient(every="ok")
    context = await connect(Agent(client, context_providers=[FileHistoryProvider(tmp_path)]))
    await context.run(ask("1", "room", commit_as="a"))
    await context.run(ask("2", "room"))
    await context.run(ask("3", parent="a", commit_as="b"))
    assert [message.text for message in client.calls[2].messages] == ["1", "ok", "2", "ok", "3"]


async def test_the_start_line_says_so(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO"):
        async with AgentFrameworkHost(ScriptedAgent(), channels=[], concurrency="concurrent"):
            pass
    assert "turns of one session run side by side, and none remembers another" in caplog.text


async def test_a_workflow_is_refused_also_when_a_factory_makes_it() -> None:
    with pytest.raises(ConfigurationError, match="'concurrent' is for agents"):
        AgentFrameworkHost(notebook(), channels=[], concurrency="concurrent")
    with pytest.raises(ConfigurationError, match="'concurrent' is for agents"):
        async with AgentFrameworkHost(notebook, channels=[], concurrency="concurrent"):
            pass


def test_an_unknown_way_is_refused_by_name() -> None:
    wrong: Any = "parallel"
    with pytest.raises(ConfigurationError, match=r"concurrency='parallel' is unknown.*'concurrent'"):
        AgentFrameworkHost(ScriptedAgent(), channels=[], concurrency=wrong)
