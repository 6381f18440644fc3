"""How long runs may take: those that take longer are stopped, told of, and leave their session free."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from agent_framework_hosting.channel import ChannelContext, RunWriter, Task
from agent_framework_hosting.errors import RunTimeout
from agent_framework_hosting.host import AgentFrameworkHost
from agent_framework_hosting.limits import Limits
from agent_framework_hosting.testing import Gate, ScriptedAgent, recall
from agent_framework_hosting.types import ChannelRequest, ChannelSession, HostedRunResult, Principal

Connect = Callable[..., ChannelContext]
SHORT = Limits(run_timeout=0.05)
QUIET = Limits(first_update_timeout=0.05)


def ask(text: str = "hi", **session: Any) -> ChannelRequest:
    """Return a request, in this session if any."""
    said = ChannelSession(**session) if session else None
    return ChannelRequest(channel="test", operation="message", input=text, session=said)


async def read(context: ChannelContext, request: ChannelRequest) -> str:
    """Return what a streamed run says."""
    return "".join([update.text async for update in await context.run_stream(request)])


async def whole(context: ChannelContext, request: ChannelRequest) -> str:
    """Return what a run says in the end."""
    return (await context.run(request)).result.text


def timers() -> int:
    """Return how many timers the loop has."""
    loop: Any = asyncio.get_running_loop()
    return sum(not timer.cancelled() for timer in loop._scheduled)  # noqa: SLF001 - nothing public tells of them


@pytest.mark.parametrize("say", [read, whole])
async def test_a_run_that_takes_too_long_is_stopped_and_its_session_goes_on(connect: Connect, say: Any) -> None:
    context = connect(ScriptedAgent(["one", Gate(), "never"], every=recall), limits=SHORT)
    with pytest.raises(RunTimeout, match=r"longer than the 0\.05 seconds"):
        await say(context, ask("lost", isolation_key="room"))
    assert await say(context, ask("next", isolation_key="room")) == "next"


async def test_the_time_of_those_that_wait_for_others_is_not_counted(connect: Connect) -> None:
    """Together they take longer than each of them may."""

    async def work(_: object) -> str:
        await asyncio.sleep(0.15)
        return "done"

    context = connect(ScriptedAgent(every=work), limits=Limits(run_timeout=0.9))
    said = await asyncio.gather(*(whole(context, ask(isolation_key="room")) for _ in range(8)))
    assert said == ["done"] * 8


async def test_a_hook_that_never_comes_back_is_part_of_the_run(connect: Connect) -> None:
    async def stuck(result: HostedRunResult[Any], **_: Any) -> HostedRunResult[Any]:
        await asyncio.Event().wait()
        return result

    with pytest.raises(RunTimeout):
        await connect(ScriptedAgent(every="ok"), limits=SHORT).run(ask(), response_hook=stuck)


@pytest.mark.parametrize("is_streamed", [False, True])
async def test_a_hook_before_the_run_has_a_time_of_its_own(connect: Connect, is_streamed: bool) -> None:
    """What it held is there again: a caller who may have one run has the next."""

    async def stuck(request: ChannelRequest, **_: Any) -> ChannelRequest:
        await asyncio.Event().wait()
        return request

    context = connect(ScriptedAgent(every="ok"), limits=Limits(run_timeout=0.05, max_runs_per_principal=1))
    run = context.run_stream if is_streamed else context.run
    with pytest.raises(RunTimeout):
        await run(ask(), run_hook=stuck)
    assert await whole(context, ask()) == "ok"


@pytest.mark.parametrize("steps", [[Gate(), "late"], [Gate()]])
async def test_a_streamed_run_has_to_say_something_soon_when_it_is_told_so(connect: Connect, steps: Any) -> None:
    with pytest.raises(RunTimeout, match=r"said nothing within 0\.05 seconds"):
        await read(connect(ScriptedAgent(steps), limits=QUIET), ask())


async def test_once_it_has_said_something_it_has_the_whole_time(connect: Connect) -> None:
    async def work(_: object) -> Any:
        async def steps() -> Any:
            yield "soon "
            await asyncio.sleep(0.15)
            yield "late"

        return steps()

    context = connect(ScriptedAgent(every=work), limits=QUIET)
    assert await read(context, ask()) == "soon late"
    # Nobody sees the updates of an answer that is given whole.
    gate = Gate()
    answer = asyncio.ensure_future(whole(connect(ScriptedAgent([gate, "late"]), limits=QUIET), ask()))
    await gate.wait_reached()
    await asyncio.sleep(0.1)
    gate.open()
    assert await answer == "late"


async def test_the_first_deadline_is_followed_by_the_other(connect: Connect) -> None:
    limits = Limits(first_update_timeout=0.05, run_timeout=0.1)
    with pytest.raises(RunTimeout, match=r"longer than the 0\.1 seconds"):
        await read(connect(ScriptedAgent(["soon", Gate()]), limits=limits), ask())


async def test_without_a_deadline_a_run_takes_its_time(connect: Connect) -> None:
    context = connect(ScriptedAgent(every="ok"), limits=Limits(run_timeout=None))
    assert await whole(context, ask()) == "ok"


async def test_a_run_that_has_ended_leaves_no_timer_behind(connect: Connect) -> None:
    """Neither one that was read to its end, nor one that was left, nor one that nobody ever pulled."""
    before = timers()
    context = connect(ScriptedAgent(["a", "b"], ["a", Gate()], every="ok"), limits=Limits(first_update_timeout=60.0))
    assert await read(context, ask()) == "ab"
    left = await context.run_stream(ask())
    await anext(aiter(left))
    await left.aclose()
    del left
    await context.run_stream(ask())
    await context.run(ask())
    assert timers() == before


async def test_a_background_run_has_a_time_of_its_own(make_probe: Callable[[], Any]) -> None:
    """Whoever waits on a line is told sooner than whoever comes back for the answer."""
    probe, ends = make_probe(), list[str]()
    limits = Limits(run_timeout=0.05, background_run_timeout=0.3, task_backoff=0.01)
    host = AgentFrameworkHost(
        ScriptedAgent(every=lambda run: [Gate()] if run.seen == ["stuck"] else "ok"), channels=[probe], limits=limits
    )

    async def handler(task: Task, writer: RunWriter) -> None:
        begun = asyncio.get_running_loop().time()
        try:
            await probe.context.run(ask(task.payload))
        except RunTimeout as error:
            ends.append(error.message)
        await writer.write(f"{asyncio.get_running_loop().time() - begun:.3f}".encode())

    probe.context.runs.handle("probe.run", handler)
    async with host:
        ada = Principal(id="ada", kind="caller")
        id = await probe.context.runs.start(kind="probe.run", line="l", payload="stuck", principal=ada)
        events = [event async for event in await probe.context.runs.events(id, kind="probe.run", principal=ada)]
    assert 0.3 <= float(events[0].data) < 5
    assert ends == ["The run took longer than the 0.3 seconds that this server gives it, and was stopped."]
