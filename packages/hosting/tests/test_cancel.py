"""A channel stops what runs in a session, wherever it runs."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncGenerator, Callable
from typing import Any

import pytest

from agent_framework_hosting.channel import ChannelContext
from agent_framework_hosting.errors import RunCancelled
from agent_framework_hosting.host import AgentFrameworkHost
from agent_framework_hosting.testing import AgentRun, Gate, ScriptedAgent
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


async def test_a_run_that_cancels_its_own_session_and_ends_without_waiting_has_ended(make_probe: type[Any]) -> None:
    """It was too late: nothing is left behind that would cancel what the request does next."""
    probe = make_probe()

    async def turn(_: AgentRun) -> str:
        assert await probe.context.cancel("room")
        return "done"

    async with AgentFrameworkHost(ScriptedAgent(every=turn), channels=[probe]):
        assert (await probe.context.run(asked("one"))).result.text == "done"
        await asyncio.sleep(0)


async def test_a_run_that_cancels_its_own_session_is_stopped_where_it_waits_next(make_probe: type[Any]) -> None:
    probe = make_probe()

    async def turn(_: AgentRun) -> AsyncGenerator[Any]:
        assert await probe.context.cancel("room")
        yield asyncio.Event()
        yield "never"

    async with AgentFrameworkHost(ScriptedAgent(every=turn), channels=[probe]):
        with pytest.raises(RunCancelled):
            await probe.context.run(asked("one"))
        await asyncio.sleep(0)


async def test_a_stream_that_cancels_its_own_session_ends_with_its_next_update(make_probe: type[Any]) -> None:
    probe, said = make_probe(), list[str]()

    async def turn(_: AgentRun) -> AsyncGenerator[str]:
        assert await probe.context.cancel("room")
        yield "one"
        yield "never"

    async with AgentFrameworkHost(ScriptedAgent(every=turn), channels=[probe]):
        with pytest.raises(RunCancelled):
            said.extend([update.text async for update in await probe.context.run_stream(asked("one"))])
        await asyncio.sleep(0)


@pytest.mark.parametrize("is_pulled_further", [False, True])
async def test_whoever_pulls_a_stream_is_not_left_cancelled_when_its_agent_takes_no_notice(
    is_pulled_further: bool, make_probe: type[Any]
) -> None:
    """A task that goes on would otherwise take the next cancellation of a run for its own."""
    probe, waits = make_probe(), Gate()

    async def turn(_: AgentRun) -> AsyncGenerator[Any]:
        waits.open()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            yield "never mind"

    async with AgentFrameworkHost(ScriptedAgent(every=turn), channels=[probe]):
        stream = await probe.context.run_stream(asked("one"))
        cancelling = asyncio.create_task(_cancel_once(waits, probe.context))
        assert (await anext(aiter(stream))).text == "never mind"
        await cancelling
        if is_pulled_further:
            with pytest.raises(RunCancelled):
                await stream.get_final_response()
        else:
            await stream.aclose()
    task = asyncio.current_task()
    assert task is not None
    assert not task.cancelling()


async def _cancel_once(waits: Gate, context: ChannelContext) -> None:
    await waits.wait()
    await context.cancel("room")


@pytest.mark.parametrize("kind", ["memory", "sqlite", "postgres"])
@pytest.mark.parametrize("pulled", [0, 1])
async def test_all_who_close_a_stream_return_once_its_session_is_free(
    kind: str, pulled: int, make_probe: type[Any], make_database: Callable[[str], str]
) -> None:
    """A client leaves while the host drains, for one."""
    probe, database = make_probe(), None if kind == "memory" else make_database(kind)
    async with AgentFrameworkHost(ScriptedAgent(every=["one", "two"]), channels=[probe], database=database):
        context: ChannelContext = probe.context
        stream = await context.run_stream(asked("one"))
        updates = aiter(stream)
        for _ in range(pulled):
            await anext(updates)

        async def close() -> bool:
            await stream.aclose()
            return await context.cancel("room")

        async with asyncio.timeout(30):
            assert await asyncio.gather(*(close() for _ in range(3))) == [False] * 3


@pytest.mark.parametrize("kind", ["memory", "sqlite", "postgres"])
async def test_a_stream_that_is_dropped_in_another_thread_gives_its_place_back(
    kind: str, make_probe: type[Any], make_database: Callable[[str], str]
) -> None:
    """The garbage collector runs in whichever thread it is due."""
    probe, database = make_probe(), None if kind == "memory" else make_database(kind)
    async with AgentFrameworkHost(ScriptedAgent(every="ok"), channels=[probe], database=database):
        context: ChannelContext = probe.context
        streams = [await context.run_stream(asked("dropped"))]
        waits = asyncio.create_task(context.run(asked("waits")))

        def drop() -> None:
            streams.clear()
            gc.collect()

        await asyncio.to_thread(drop)
        async with asyncio.timeout(30):
            assert (await waits).result.text == "ok"
