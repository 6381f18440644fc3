"""What one connection keeps to itself: `context.connection()`."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from agent_framework_hosting.channel import ChannelContext, ChannelContribution, ConnectionContext
from agent_framework_hosting.errors import UnknownId, UnknownParent
from agent_framework_hosting.host import AgentFrameworkHost
from agent_framework_hosting.limits import Limits
from agent_framework_hosting.testing import ScriptedAgent, recall
from agent_framework_hosting.types import ChannelRequest, ChannelSession, HostedRunResult


class Line:
    """A channel without a way in."""

    name, path = "line", "/line"
    context: ChannelContext

    def contribute(self, context: ChannelContext) -> ChannelContribution:
        self.context = context
        return ChannelContribution()


def served(**options: Any) -> tuple[AgentFrameworkHost, ChannelContext]:
    line = Line()
    host = AgentFrameworkHost(ScriptedAgent(every=recall), channels=[line], **options)
    return host, line.context


async def said(context: ChannelContext, text: str, *, parent: str | None = None, id: str | None = None) -> str:
    def seal(result: HostedRunResult[Any]) -> Any:
        return {"said": result.result.text}

    session = ChannelSession(parent=parent, commit_as=id)
    done = await context.run(ChannelRequest("line", "say", text, session), seal=seal)
    return done.result.text


async def test_a_turn_of_a_connection_is_known_to_it_alone_and_gone_with_it() -> None:
    host, context = served()
    async with host:
        one, other = context.connection(), context.connection()
        await said(one, "a", id="one")
        assert await said(one, "b", parent="one", id="two") == "a | b"
        assert await one.read_record("two") == {"said": "a | b"}
        assert await one.read_records(["one", "two", "none"]) == {"one": {"said": "a"}, "two": {"said": "a | b"}}
        assert (await one.holds("two"), await other.holds("two")) == (True, False)
        for stranger in (other, context):
            with pytest.raises(UnknownParent):
                await said(stranger, "c", parent="two")
            with pytest.raises(UnknownId):
                await stranger.read_record("two")
        await one.forget("two")
        with pytest.raises(UnknownParent):
            await said(one, "c", parent="two", id="three")
        one.close()
        with pytest.raises(UnknownParent):
            await said(one, "c", parent="one", id="three")


async def test_a_stored_turn_is_read_and_continued_and_stays_what_it_is() -> None:
    host, context = served()
    async with host:
        await said(context, "a", id="stored")
        connection = context.connection()
        assert await said(connection, "b", parent="stored", id="own") == "a | b"
        assert await connection.read_record("stored") == {"said": "a"}
        assert not await connection.holds("stored")
        await connection.forget("stored")
        assert await said(context, "c", parent="stored", id="next") == "a | c"
        assert await said(connection, "d", parent="own", id="more") == "a | b | d"


async def test_a_turn_with_a_key_is_its_sessions_and_has_no_id() -> None:
    host, context = served()
    async with host:
        connection = context.connection()
        request = ChannelRequest("line", "say", "a", ChannelSession("room", commit_as="own"))
        await connection.run(request)
        assert not await connection.holds("own")
        done = await context.run(ChannelRequest("line", "say", "b", ChannelSession("room")))
    assert done.result.text == "a | b"


async def test_all_connections_share_a_bound() -> None:
    host, context = served(limits=Limits(max_buffered_bytes=20_000))
    async with host:
        connections: list[ConnectionContext] = [context.connection() for _ in range(6)]
        for number, connection in enumerate(connections):
            await said(connection, "a", id=f"turn_{number}")
        held = [await connection.holds(f"turn_{number}") for number, connection in enumerate(connections)]
        assert held == [True, True, True, True, False, False]
        connections[0].close()
        connections[0].close()
        await said(connections[5], "b", id="turn_5")
        assert await connections[5].holds("turn_5")


async def test_what_did_not_finish_counts_as_well() -> None:
    line = Line()
    agent = ScriptedAgent("a", ["half", RuntimeError("gone")], every="ok")
    host = AgentFrameworkHost(agent, channels=[line], limits=Limits(max_response_bytes=50_000))
    async with host:
        connection = line.context.connection()
        await said(connection, "a", id="one")
        request = ChannelRequest("line", "say", "b", ChannelSession(parent="one", commit_as="two"), stream=True)
        stream = await connection.run_stream(request, seal_unfinished=lambda _: {"said": "x" * 60_000})
        with pytest.raises(RuntimeError):
            async for _ in stream:
                continue
        assert not await connection.holds("one")


async def test_whoever_waits_for_the_drain_hears_of_it_from_whichever_thread() -> None:
    host, context = served()
    async with host:
        connection = context.connection()
        waiting = [asyncio.ensure_future(connection.until_drain()) for _ in range(2)]
        await asyncio.sleep(0)
        waiting[0].cancel()
        await asyncio.to_thread(host.begin_drain)
        await waiting[1]
        await connection.until_drain()
