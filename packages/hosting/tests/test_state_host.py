"""A host with a `state_dir`: what it makes, what it says, when it has the folder."""

from __future__ import annotations

import asyncio
import logging
import os
import sqlite3
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from agent_framework_hosting import HostStatePaths
from agent_framework_hosting.channel import ChannelContext
from agent_framework_hosting.errors import ConfigurationError, Draining, NotStarted, Unavailable
from agent_framework_hosting.host import AgentFrameworkHost
from agent_framework_hosting.limits import Limits
from agent_framework_hosting.testing import Gate, ScriptedAgent
from agent_framework_hosting.types import ChannelRequest, ChannelSession

QUICK = Limits(drain_timeout=0.05, state_grace=0.05)


def ask(text: str, key: str) -> ChannelRequest:
    return ChannelRequest("test", "message", text, session=ChannelSession(key))


def host_of(state_dir: Any, agent: Any = None, *, limits: Limits = QUICK, channels: Any = ()) -> AgentFrameworkHost:
    return AgentFrameworkHost(agent or ScriptedAgent(every="ok"), channels=channels, state_dir=state_dir, limits=limits)


async def session_id(host: AgentFrameworkHost, key: str) -> str | None:
    session = (await host.run(ask("hi", key))).session
    return session.session_id if session else None


def test_an_agents_host_makes_a_folder_for_sessions_alone(tmp_path: Path) -> None:
    """At construction, so that what is wrong with it shows there."""
    host_of(tmp_path / "state")
    assert [path.name for path in (tmp_path / "state").iterdir()] == ["sessions"]
    assert (tmp_path / "state" / "sessions").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("state_dir", [{"session": "x"}, {"sessions": ""}, ""])
def test_a_state_dir_that_is_none_is_a_value_error(state_dir: Any) -> None:
    with pytest.raises(ValueError, match="state_dir"):
        host_of(state_dir)


def test_a_folder_that_cannot_be_used_is_refused_at_construction(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("")
    with pytest.raises(ConfigurationError, match="cannot be used"):
        host_of(tmp_path / "state")


async def test_a_mapping_without_sessions_keeps_none() -> None:
    """And then there is nothing to start and nothing to make."""
    host = host_of(HostStatePaths())
    assert await session_id(host, "ada") == "ada"
    async with host:
        pass


async def test_a_host_with_a_folder_has_something_to_start(tmp_path: Path) -> None:
    """Before, another host may have it."""
    host = host_of(tmp_path)
    with pytest.raises(NotStarted, match=r"lifespan=host\.lifespan"):
        await session_id(host, "ada")
    async with host:
        assert await session_id(host, "ada") == "ada"


async def test_the_start_line_says_where_what_is_kept(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="agent_framework.hosting")
    async with host_of({"sessions": tmp_path / "s"}):
        pass
    (line,) = [record.getMessage() for record in caplog.records]
    assert f"State: session resets in {tmp_path / 's'}; the rest in memory, at most 10000 sessions" in line
    assert "memory only" not in line


async def test_a_reset_holds_after_a_restart(tmp_path: Path) -> None:
    """And for the host itself at once: before its start, while it runs, and after its end."""
    host = host_of(tmp_path)
    host.reset_session("ada")
    async with host:
        first = await session_id(host, "ada")
        assert str(first).startswith("ada#")
        host.reset_session("ada")
        second = await session_id(host, "ada")
        assert second not in ("ada", first)
    host.reset_session("bob")
    async with host_of(tmp_path) as other:
        assert await session_id(other, "ada") == second
        assert str(await session_id(other, "bob")).startswith("bob#")
        assert await session_id(other, "eve") == "eve"


async def test_a_reset_by_a_host_that_does_not_run_is_refused_while_another_one_does(tmp_path: Path) -> None:
    """The other one would not know of it."""
    async with host_of(tmp_path) as running:
        with pytest.raises(ConfigurationError, match=rf"{tmp_path / 'sessions'} belong to .*{os.getpid()}"):
            host_of(tmp_path).reset_session("ada")
        assert await session_id(running, "ada") == "ada"


async def test_a_run_in_progress_ends_in_the_old_session_and_queued_ones_use_the_new(tmp_path: Path) -> None:
    """As in memory."""
    gate = Gate()
    agent = ScriptedAgent([gate, "old"], every="new")
    async with host_of(tmp_path, agent) as host:
        running = asyncio.ensure_future(host.run(ask("one", "room")))
        await gate.wait_reached()
        queued = asyncio.ensure_future(host.run(ask("two", "room")))
        await host.areset_session("room")
        gate.open()
        await asyncio.gather(running, queued)
    assert agent.runs[0].session_id == "room"
    assert str(agent.runs[1].session_id).startswith("room#")
    assert agent.runs[1].seen == ["two"]


async def test_an_async_reset_leaves_the_loop_to_others(tmp_path: Path) -> None:
    """It waits for somebody who holds the file; the loop is what ends that."""
    async with host_of(tmp_path) as host:
        with closing(sqlite3.connect(tmp_path / "sessions" / "aliases.db", isolation_level=None)) as other:
            other.execute("BEGIN EXCLUSIVE")
            resetting = asyncio.ensure_future(host.areset_session("ada"))
            assert await session_id(host, "bob") == "bob"
            other.execute("ROLLBACK")
        await resetting
        assert str(await session_id(host, "ada")).startswith("ada#")


async def test_an_async_reset_that_nobody_waits_for_is_done_all_the_same(tmp_path: Path) -> None:
    """Whole, with those whose reset was forgotten for it."""
    agent = ScriptedAgent(every="ok")
    async with host_of(tmp_path, agent, limits=Limits(max_resets=1)) as host:
        await host.run(ask("old", "ada"))
        host.reset_session("ada")
        resetting = asyncio.ensure_future(host.areset_session("bob"))
        await asyncio.sleep(0)
        resetting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await resetting
        await host.areset_session("bob")
        await host.run(ask("new", "ada"))
    assert agent.runs[-1].session_id == "ada"
    assert agent.runs[-1].seen == ["new"]


async def test_a_channel_resets_as_the_host_does(tmp_path: Path, make_probe: Any) -> None:
    probe = make_probe()
    async with host_of(tmp_path, channels=[probe]) as host:
        context: ChannelContext = probe.context
        context.reset_session("ada")
        await context.areset_session("bob")
        for key in ("ada", "bob"):
            assert str(await session_id(host, key)).startswith(f"{key}#")


async def test_a_reset_that_cannot_be_written_is_told_and_the_session_goes_on(tmp_path: Path) -> None:
    """Somebody removed the folder under the running host."""
    async with host_of(tmp_path) as host:
        (tmp_path / "sessions" / "aliases.db").unlink()
        for reset in (host.areset_session("ada"), asyncio.to_thread(host.reset_session, "ada")):
            with pytest.raises(Unavailable, match="goes on as it is"):
                await reset
        assert await session_id(host, "ada") == "ada"


async def test_a_second_host_takes_over_once_the_first_has_ended(tmp_path: Path) -> None:
    """Its wait leaves the loop to the first one's work."""
    gate = Gate()
    first = host_of(tmp_path, ScriptedAgent([gate, "done"]), limits=Limits())
    second = host_of(tmp_path, limits=Limits())
    async with first:
        running = asyncio.ensure_future(first.run(ask("hi", "ada")))
        await gate.wait_reached()
        starting = asyncio.ensure_future(second.__aenter__())
        await asyncio.sleep(0)
        gate.open()
        assert (await running).result.text == "done"
        assert not starting.done()
    await starting
    await second.__aexit__(None, None, None)


async def test_a_second_host_that_waits_in_vain_is_refused_and_can_try_again(tmp_path: Path) -> None:
    """The refusal names path, process and how long it waited."""
    second = host_of(tmp_path)
    async with host_of(tmp_path):
        with pytest.raises(ConfigurationError, match=rf"{tmp_path / 'sessions'} .*{os.getpid()}.*within 0\.1 s"):
            await second.__aenter__()
    async with second:
        assert await session_id(second, "ada") == "ada"


async def test_a_second_host_that_drains_stops_waiting(tmp_path: Path) -> None:
    second = host_of(tmp_path, limits=Limits())
    async with host_of(tmp_path):
        second.begin_drain()
        with pytest.raises(Draining):
            await second.__aenter__()


async def test_a_start_that_fails_gives_the_folder_up(tmp_path: Path, make_probe: Any) -> None:
    """A cancelled wait as well."""

    def fail() -> None:
        raise OSError("no port")

    with pytest.raises(OSError, match="no port"):
        await host_of(tmp_path, channels=[make_probe(on_startup=[fail])]).__aenter__()
    async with host_of(tmp_path):
        waiting = asyncio.ensure_future(host_of(tmp_path, limits=Limits()).__aenter__())
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
    async with host_of(tmp_path):
        pass


async def test_resets_from_many_threads_are_all_kept(tmp_path: Path) -> None:
    keys = [f"key {number}" for number in range(8)]
    async with host_of(tmp_path) as host:
        threads = [threading.Thread(target=host.reset_session, args=[key]) for key in keys]
        for thread in threads:
            thread.start()
        await asyncio.to_thread(lambda: [thread.join() for thread in threads])
        before = [await session_id(host, key) for key in keys]
        assert all("#" in str(each) for each in before)
    async with host_of(tmp_path) as host:
        assert [await session_id(host, key) for key in keys] == before
