"""How long runs may take: those that take longer are stopped, told of, and leave their session free."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable
from typing import Any

import pytest

from agent_framework_hosting._admission import Admission, Run
from agent_framework_hosting._deadlines import Deadlines, in_background
from agent_framework_hosting._handled import HandledRequest, handling
from agent_framework_hosting.channel import ChannelContext, RunWriter, Task
from agent_framework_hosting.errors import RunTimeout
from agent_framework_hosting.host import AgentFrameworkHost
from agent_framework_hosting.limits import Limits
from agent_framework_hosting.testing import Gate, ScriptedAgent, recall
from agent_framework_hosting.types import ChannelRequest, ChannelSession, HostedRunResult, Principal

from .timers import rings, timers

Connect = Callable[..., ChannelContext]
Later = Callable[[float], None]
SHORT = Limits(run_timeout=60.0)
QUIET = Limits(first_update_timeout=60.0)


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


def runs() -> int:
    """Return how many runs anybody holds on to."""
    gc.collect()
    return sum(type(each) is Run for each in gc.get_objects())


@pytest.mark.parametrize("say", [read, whole])
async def test_a_run_that_takes_too_long_is_stopped_and_its_session_goes_on(
    connect: Connect, later: Later, say: Any
) -> None:
    gate = Gate()
    context = connect(ScriptedAgent(["one", gate, "never"], every=recall), limits=SHORT)
    lost = asyncio.ensure_future(say(context, ask("lost", isolation_key="room")))
    await gate.wait_reached()
    later(59)
    await asyncio.sleep(0)
    assert not lost.done()
    later(1)
    with pytest.raises(RunTimeout, match=r"longer than the 60 seconds"):
        await lost
    assert await say(context, ask("next", isolation_key="room")) == "next"


async def test_the_time_of_those_that_wait_for_others_is_not_counted(connect: Connect, later: Later) -> None:
    """Together they take longer than each of them may."""

    async def work(_: object) -> str:
        later(40)
        await asyncio.sleep(0.001)
        return "done"

    context = connect(ScriptedAgent(every=work), limits=SHORT)
    said = await asyncio.gather(*(whole(context, ask(isolation_key="room")) for _ in range(8)))
    assert said == ["done"] * 8


async def test_a_hook_that_never_comes_back_is_part_of_the_run(connect: Connect, later: Later) -> None:
    async def stuck(result: HostedRunResult[Any], **_: Any) -> HostedRunResult[Any]:
        later(61)
        await asyncio.Event().wait()
        return result

    with pytest.raises(RunTimeout):
        await connect(ScriptedAgent(every="ok"), limits=SHORT).run(ask(), response_hook=stuck)


@pytest.mark.parametrize("is_streamed", [False, True])
async def test_a_hook_before_the_run_has_a_time_of_its_own(connect: Connect, later: Later, is_streamed: bool) -> None:
    """What it held is there again: a caller who may have one run has the next."""

    async def stuck(request: ChannelRequest, **_: Any) -> ChannelRequest:
        later(61)
        await asyncio.Event().wait()
        return request

    context = connect(ScriptedAgent(every="ok"), limits=Limits(run_timeout=60.0, max_runs_per_principal=1))
    run = context.run_stream if is_streamed else context.run
    with pytest.raises(RunTimeout):
        await run(ask(), run_hook=stuck)
    assert await whole(context, ask()) == "ok"


@pytest.mark.parametrize("more", [["late"], []])
async def test_a_streamed_run_has_to_say_something_soon_when_it_is_told_so(
    connect: Connect, later: Later, more: list[str]
) -> None:
    gate = Gate()
    silent = asyncio.ensure_future(read(connect(ScriptedAgent([gate, *more]), limits=QUIET), ask()))
    await gate.wait_reached()
    later(61)
    with pytest.raises(RunTimeout, match=r"said nothing within 60 seconds"):
        await silent


async def test_once_it_has_said_something_it_has_the_whole_time(connect: Connect, later: Later) -> None:
    async def work(_: object) -> Any:
        async def steps() -> Any:
            yield "soon "
            later(61)
            await asyncio.sleep(0.001)
            yield "late"

        return steps()

    context = connect(ScriptedAgent(every=work), limits=QUIET)
    assert await read(context, ask()) == "soon late"
    # Nobody sees the updates of an answer that is given whole.
    gate = Gate()
    answer = asyncio.ensure_future(whole(connect(ScriptedAgent([gate, "late"]), limits=QUIET), ask()))
    await gate.wait_reached()
    later(61)
    await asyncio.sleep(0.001)
    gate.open()
    assert await answer == "late"


async def test_the_first_deadline_is_followed_by_the_other(connect: Connect, later: Later) -> None:
    gate, limits = Gate(), Limits(first_update_timeout=60.0, run_timeout=100.0)
    reading = asyncio.ensure_future(read(connect(ScriptedAgent(["soon", gate]), limits=limits), ask()))
    await gate.wait_reached()
    later(101)
    with pytest.raises(RunTimeout, match=r"longer than the 100 seconds"):
        await reading


async def test_without_a_deadline_a_run_takes_its_time(connect: Connect) -> None:
    context = connect(ScriptedAgent(every="ok"), limits=Limits(run_timeout=None))
    assert await whole(context, ask()) == "ok"


async def test_all_runs_share_a_timer_and_leave_nothing_behind(connect: Connect) -> None:
    """Neither one that was read to its end, nor one that was left, nor one that nobody ever pulled, nor whole ones."""
    before, known = timers(), runs()
    context = connect(ScriptedAgent(["a", "b"], ["a", Gate()], every="ok"), limits=SHORT)
    assert await read(context, ask()) == "ab"
    left = await context.run_stream(ask())
    await anext(aiter(left))
    assert timers() == before + 1
    await left.aclose()
    del left
    await context.run_stream(ask())
    assert await whole(context, ask()) == "ok"
    assert timers() == before + 1
    assert runs() == known


async def test_each_run_has_its_own_time_however_many_there_are(connect: Connect, later: Later) -> None:
    """The one that began first ends before the others; the time of the next is that since its own beginning."""
    gates = [Gate(), Gate(), Gate()]
    context = connect(ScriptedAgent(*[[gate] for gate in gates]), limits=SHORT)
    runs: list[asyncio.Future[str]] = []
    for gate in gates:
        runs.append(asyncio.ensure_future(whole(context, ask())))
        await gate.wait_reached()
        later(15)
    gates[0].open()
    await runs[0]
    later(15)
    await asyncio.sleep(0.001)
    assert [run.done() for run in runs] == [True, False, False]
    later(15)
    with pytest.raises(RunTimeout):
        await runs[1]
    assert not runs[2].done()
    later(15)
    with pytest.raises(RunTimeout):
        await runs[2]


async def test_a_run_that_is_over_is_stopped_by_none_of_its_deadlines(later: Later) -> None:
    limits = Limits(run_timeout=60.0, background_run_timeout=60.0, first_update_timeout=60.0)
    deadlines, admission = Deadlines(limits), Admission()
    admission.start()
    run = admission.enter()
    deadlines.begin(run, is_streamed=True)
    with in_background():
        deadlines.begin(run, is_streamed=True)
    deadlines.end(run)
    later(61)
    await rings()
    assert run.reason is None


async def test_a_run_that_is_stopped_is_told_of_with_the_request_that_brought_it(
    connect: Connect, later: Later, caplog: pytest.LogCaptureFixture
) -> None:
    """Not with the one for which the timer was set, which they share."""
    gate = Gate()
    context = connect(ScriptedAgent("ok", [gate]), limits=SHORT)
    with handling(HandledRequest("req_first")):
        await whole(context, ask())
    with handling(HandledRequest("req_long")):
        long = asyncio.ensure_future(whole(context, ask()))
    await gate.wait_reached()
    later(61)
    with pytest.raises(RunTimeout):
        await long
    assert [vars(record)["request_id"] for record in caplog.records] == ["req_long"]


def test_a_host_that_goes_on_in_another_loop_has_its_deadlines_there() -> None:
    """The timer of the loop before never comes."""
    deadlines, admission = Deadlines(Limits(run_timeout=0.001)), Admission()
    admission.start()

    async def stuck() -> None:
        with admission.enter() as run:
            deadlines.begin(run, is_streamed=False)
            await asyncio.Event().wait()

    async def left() -> None:
        deadlines.begin(admission.enter(), is_streamed=False)

    asyncio.run(left())
    for _ in range(2):
        with pytest.raises(RunTimeout):
            asyncio.run(stuck())


async def test_a_background_run_has_a_time_of_its_own(make_probe: Callable[[], Any], later: Later) -> None:
    """Whoever waits on a line is told sooner than whoever comes back for the answer."""
    gate, probe, ends = Gate(), make_probe(), list[str]()
    limits = Limits(run_timeout=60.0, background_run_timeout=300.0)
    host = AgentFrameworkHost(ScriptedAgent([gate]), channels=[probe], limits=limits)

    async def handler(task: Task, writer: RunWriter) -> None:
        try:
            await probe.context.run(ask(task.payload))
        except RunTimeout as error:
            ends.append(error.message)
        await writer.write(b"over")

    probe.context.runs.handle("probe.run", handler)
    async with host:
        ada = Principal(id="ada", kind="caller")
        id = await probe.context.runs.start(kind="probe.run", line="l", payload="stuck", principal=ada)
        await gate.wait_reached()
        later(299)
        await asyncio.sleep(0.001)
        assert not ends
        later(1)
        events = [event async for event in await probe.context.runs.events(id, kind="probe.run", principal=ada)]
    assert [event.data for event in events] == [b"over"]
    assert ends == ["The run took longer than the 300 seconds that this server gives it, and was stopped."]
