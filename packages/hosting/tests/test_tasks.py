"""Accepted work on a running host: done once its turn comes, in order, tried again, given up, stopped, drained."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import replace
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags

from agent_framework_hosting._admission import Admission
from agent_framework_hosting._state.memorytasks import MemoryTasks
from agent_framework_hosting._state.tasks import TakenTask
from agent_framework_hosting._tasks.accepted import Doer
from agent_framework_hosting._tasks.service import TaskService
from agent_framework_hosting.channel import ChannelContext, Replayed, Task, TryAgain
from agent_framework_hosting.errors import (
    ConfigurationError,
    Draining,
    InvalidRequest,
    NotStarted,
    QueueFull,
    RequestTooLarge,
)
from agent_framework_hosting.host import AgentFrameworkHost
from agent_framework_hosting.isolation import (
    Calling,
    IsolationKeys,
    current_principal,
    get_current_isolation_keys,
    reset_current_isolation_keys,
    set_current_isolation_keys,
)
from agent_framework_hosting.limits import Limits
from agent_framework_hosting.testing import Gate, ScriptedAgent
from agent_framework_hosting.types import (
    JSON,
    ChannelRequest,
    ChannelSession,
    HostedRunResult,
    IdempotencyKey,
    Principal,
)

ADA = Principal(id="ada", kind="native", claims={"name": "Ada"})
BOB = Principal(id="bob", kind="native")
KIND = "probe.work"


class Done:
    """Remembers what was done, and lets a test wait for it."""

    def __init__(self) -> None:
        self.seen: list[Task] = []
        self.given_up: list[Task] = []
        self._told = asyncio.Event()

    @property
    def ids(self) -> list[str]:
        return [task.id for task in self.seen]

    def add(self, task: Task) -> None:
        self.seen.append(task)
        self._told.set()

    async def give_up(self, task: Task) -> None:
        self.given_up.append(task)
        self._told.set()

    async def until(self, count: int) -> None:
        await self._until(lambda: len(self.seen) >= count)

    async def until_given_up(self) -> None:
        await self._until(lambda: bool(self.given_up))

    async def _until(self, met: Callable[[], bool]) -> None:
        async with asyncio.timeout(60):
            while not met():
                self._told.clear()
                await self._told.wait()


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def where(request: pytest.FixtureRequest, make_database: Callable[[str], str]) -> str | None:
    return None if request.param == "memory" else make_database(request.param)


@pytest.fixture
def done() -> Done:
    return Done()


@pytest.fixture
async def stack() -> AsyncGenerator[AsyncExitStack]:
    async with AsyncExitStack() as stack:
        yield stack


@pytest.fixture
def probe(make_probe: Callable[..., Any]) -> Any:
    return make_probe()


def host_of(probe: Any, where: str | None, *, agent: Any = None, **limits: Any) -> AgentFrameworkHost:
    chosen = replace(Limits(task_backoff=0.01), **limits)
    return AgentFrameworkHost(agent or ScriptedAgent(), channels=[probe], database=where, limits=chosen)


async def give(
    context: ChannelContext, id: str, *, line: str = "room", payload: Any = None, principal: Principal | None = None
) -> bool:
    return await context.tasks.accept(kind=KIND, id=id, line=line, payload=payload, principal=principal)


def sealed(result: HostedRunResult[Any]) -> JSON:
    return {"text": result.result.text}


async def test_what_was_accepted_is_done_with_what_it_was_accepted_with(
    probe: Any, where: str | None, done: Done, stack: AsyncExitStack
) -> None:
    host = host_of(probe, where)

    async def handler(task: Task) -> None:
        assert current_principal() == ADA
        keys = get_current_isolation_keys()
        assert keys is not None
        assert keys.chat_key == "chat"
        assert trace.get_current_span().get_span_context().trace_id == 7
        done.add(task)

    probe.context.tasks.handle(KIND, handler)
    await stack.enter_async_context(host)
    caller = NonRecordingSpan(SpanContext(7, 8, is_remote=False, trace_flags=TraceFlags(1)))
    keys = set_current_isolation_keys(IsolationKeys(chat_key="chat"))
    with trace.use_span(caller), Calling(ADA):
        assert await give(probe.context, "1", payload={"text": ["hällo", 1, None]})
    reset_current_isolation_keys(keys)
    await done.until(1)
    task = done.seen[0]
    assert (task.kind, task.id, task.line, task.attempt, task.principal) == (KIND, "1", "room", 1, ADA)
    assert task.payload == {"text": ["hällo", 1, None]}


async def test_a_line_is_done_one_by_one_in_order_and_lines_run_side_by_side(
    probe: Any, where: str | None, done: Done, stack: AsyncExitStack
) -> None:
    host, gate, active = host_of(probe, where), Gate(), list[str]()

    async def handler(task: Task) -> None:
        assert task.line not in active
        active.append(task.line)
        await gate.wait()
        active.remove(task.line)
        done.add(task)

    probe.context.tasks.handle(KIND, handler)
    await stack.enter_async_context(host)
    for number in range(10):
        await give(probe.context, f"a{number}", line="a")
        await give(probe.context, f"b{number}", line="b")
    await gate.wait_reached(2)
    assert sorted(active) == ["a", "b"]
    gate.open()
    await done.until(20)
    assert [id for id in done.ids if id.startswith("a")] == [f"a{number}" for number in range(10)]
    assert [id for id in done.ids if id.startswith("b")] == [f"b{number}" for number in range(10)]


@pytest.mark.skipif(sys.version_info < (3, 12), reason="tasks that begin at once came with Python 3.12")
async def test_what_ends_as_soon_as_it_begins_leaves_its_place_to_the_next(
    probe: Any, done: Done, stack: AsyncExitStack
) -> None:
    """In a loop whose tasks begin at once."""
    host, loop = host_of(probe, None, max_running_tasks=1), asyncio.get_running_loop()

    async def handler(task: Task) -> None:
        done.add(task)

    probe.context.tasks.handle(KIND, handler)
    before = loop.get_task_factory()
    # By name, since type checkers read this as Python 3.11.
    loop.set_task_factory(vars(asyncio)["eager_task_factory"])
    stack.callback(loop.set_task_factory, before)
    await stack.enter_async_context(host)
    for number in range(3):
        await give(probe.context, f"a{number}")
    await done.until(3)


async def test_a_task_that_is_known_is_not_kept_again(
    probe: Any, where: str | None, done: Done, stack: AsyncExitStack
) -> None:
    host = host_of(probe, where)

    async def handler(task: Task) -> None:
        done.add(task)

    probe.context.tasks.handle(KIND, handler)
    await stack.enter_async_context(host)
    told: list[bool] = []
    for _ in range(5):
        told += await asyncio.gather(*(give(probe.context, "same", principal=ADA) for _ in range(20)))
    assert told.count(True) == 1
    assert await give(probe.context, "same", principal=BOB)
    await done.until(2)
    assert not await give(probe.context, "same", principal=ADA)
    await give(probe.context, "last", principal=ADA)
    await done.until(3)
    assert [(task.principal.id, task.id) for task in done.seen] == [("ada", "same"), ("bob", "same"), ("ada", "last")]


async def test_a_task_that_fails_is_tried_again_in_its_place(
    probe: Any, where: str | None, done: Done, stack: AsyncExitStack, caplog: pytest.LogCaptureFixture
) -> None:
    host = host_of(probe, where)

    async def handler(task: Task) -> None:
        done.add(task)
        if task.id == "1" and task.attempt < 3:
            raise ValueError("secret")

    probe.context.tasks.handle(KIND, handler)
    await stack.enter_async_context(host)
    await give(probe.context, "1")
    await give(probe.context, "2")
    await done.until(4)
    assert [(task.id, task.attempt) for task in done.seen] == [("1", 1), ("1", 2), ("1", 3), ("2", 1)]
    said = [record for record in caplog.records if "error id err_" in record.getMessage()]
    assert len(said) == 2
    assert all("secret" not in record.getMessage() for record in said)


async def test_a_task_that_keeps_failing_is_given_up_and_the_next_one_is_done(
    probe: Any, where: str | None, done: Done, stack: AsyncExitStack
) -> None:
    host = host_of(probe, where, task_failures=3)

    async def handler(task: Task) -> None:
        done.add(task)
        if task.id == "poison":
            raise ValueError

    async def give_up(task: Task) -> None:
        await done.give_up(task)
        raise ValueError("and nobody can be told")

    probe.context.tasks.handle(KIND, handler, on_give_up=give_up)
    await stack.enter_async_context(host)
    await give(probe.context, "poison", principal=ADA)
    await give(probe.context, "next")
    await done.until(4)
    assert done.ids == ["poison"] * 3 + ["next"]
    assert [(task.id, task.attempt, task.principal) for task in done.given_up] == [("poison", 3, ADA)]
    assert not await give(probe.context, "poison", principal=ADA)


async def test_a_handler_that_asks_for_another_try_does_not_fail(
    probe: Any, where: str | None, done: Done, stack: AsyncExitStack
) -> None:
    host = host_of(probe, where, task_failures=1)

    async def handler(task: Task) -> None:
        done.add(task)
        if task.attempt < 4:
            raise TryAgain(after=0.01)

    probe.context.tasks.handle(KIND, handler, on_give_up=done.give_up)
    await stack.enter_async_context(host)
    await give(probe.context, "1")
    await give(probe.context, "2")
    await done.until(5)
    assert [task.attempt for task in done.seen] == [1, 2, 3, 4, 1]
    assert not done.given_up


async def test_a_turn_that_was_committed_before_its_task_was_settled_comes_back_as_replayed(
    probe: Any, where: str | None, done: Done, stack: AsyncExitStack
) -> None:
    agent = ScriptedAgent()
    host = host_of(probe, where, agent=agent)
    replayed: list[Any] = []

    async def handler(task: Task) -> None:
        request = ChannelRequest("probe", "message", "hi", session=ChannelSession("room"))
        try:
            stream = await probe.context.run_stream(request, seal=sealed, idempotency=IdempotencyKey(task.id, b"x"))
            text = (await stream.get_final_response()).text
        except Replayed as known:
            replayed.append(known.record)
            done.add(task)
        else:
            assert text == "echo: hi"
            raise ConnectionError("as if this process had died here")

    probe.context.tasks.handle(KIND, handler)
    await stack.enter_async_context(host)
    await give(probe.context, "1", principal=ADA)
    await done.until(1)
    assert replayed == [{"text": "echo: hi"}]
    assert done.seen[0].attempt == 2
    assert len(agent.runs) == 1


async def test_too_many_in_a_line_or_in_all_are_refused(
    probe: Any, where: str | None, done: Done, stack: AsyncExitStack
) -> None:
    host, gate = host_of(probe, where, max_waiting=2, max_tasks=5), Gate()

    async def handler(task: Task) -> None:
        await gate.wait()
        done.add(task)

    probe.context.tasks.handle(KIND, handler)
    await stack.enter_async_context(host)
    for number in range(3):
        await give(probe.context, f"a{number}", line="a")
    with pytest.raises(QueueFull, match="2 accepted tasks wait in this line"):
        await give(probe.context, "a3", line="a")
    await give(probe.context, "b", line="b")
    await give(probe.context, "c", line="c")
    with pytest.raises(QueueFull, match="5 accepted tasks wait on this server"):
        await give(probe.context, "d", line="d")
    assert not await give(probe.context, "a0", line="a")
    gate.open()
    await done.until(5)
    assert await give(probe.context, "d", line="d")


async def test_no_more_run_at_once_than_are_allowed(
    probe: Any, where: str | None, done: Done, stack: AsyncExitStack
) -> None:
    host, gate, active = host_of(probe, where, max_running_tasks=3), Gate(), list[int]()
    running = 0

    async def handler(task: Task) -> None:
        nonlocal running
        running += 1
        active.append(running)
        await gate.wait()
        running -= 1
        done.add(task)

    probe.context.tasks.handle(KIND, handler)
    await stack.enter_async_context(host)
    for number in range(9):
        await give(probe.context, str(number), line=str(number))
    await gate.wait_reached(3)
    gate.open()
    await done.until(9)
    assert max(active) == 3


class SlowToAnswer(MemoryTasks):
    """A store that puts a task back long before it says so, as one behind a network may."""

    def __init__(self) -> None:
        super().__init__(max_known=10)
        self.answer = Gate()

    async def put_back(self, taken: TakenTask, *, after: float, has_failed: bool) -> bool:
        is_back = await super().put_back(taken, after=after, has_failed=has_failed)
        await self.answer.wait()
        return is_back


async def test_a_task_that_is_taken_again_before_it_is_known_to_be_back_runs_once_at_a_time(done: Done) -> None:
    store, gate = SlowToAnswer(), Gate()

    async def handler(task: Task) -> None:
        if task.attempt == 1:
            raise TryAgain(after=0)
        if task.id == "1":
            await gate.wait()
        done.add(task)

    doers = {KIND: Doer(handler, None, channel="", needs_start=True)}
    service = TaskService(store=store, admission=Admission(), limits=Limits(), doers=doers)
    service.start()
    await service.accept(kind=KIND, id="1", line="room", payload=None, principal=ADA)
    await gate.wait_reached()
    store.answer.open()
    await service.accept(kind=KIND, id="2", line="other", payload=None, principal=ADA)
    await done.until(1)
    assert await service.cancel(kind=KIND, id="1", principal=ADA)
    await service.accept(kind=KIND, id="3", line="room", payload=None, principal=ADA)
    # Cancelled, it makes way: this process still knew that it ran.
    await done.until(2)
    assert done.ids == ["2", "3"]
    await service.stop()


class Watched(MemoryTasks):
    """A store that remembers what was taken."""

    def __init__(self) -> None:
        super().__init__(max_known=10)
        self.taken: list[TakenTask] = []

    async def take(self, kinds: Sequence[str], *, most: int, suspects: bool = False) -> Sequence[TakenTask]:
        taken = await super().take(kinds, most=most, suspects=suspects)
        self.taken += taken
        return taken


async def test_an_attempt_that_fails_after_another_process_took_the_task_over_gives_nothing_up(
    done: Done, caplog: pytest.LogCaptureFixture
) -> None:
    store, admission = Watched(), Admission()

    async def handler(task: Task) -> None:
        # As after a process stood still: another one has the task, and connections of this one have died.
        await store.put_back(store.taken[0], after=0, has_failed=False)
        await store.take([KIND], most=1)
        done.add(task)
        raise ConnectionError

    doers = {KIND: Doer(handler, done.give_up, channel="", needs_start=True)}
    service = TaskService(store=store, admission=admission, limits=Limits(task_failures=1), doers=doers)
    service.start()
    await service.accept(kind=KIND, id="1", line="room", payload=None, principal=ADA)
    await done.until(1)
    assert await admission.calm(timeout=60)
    await service.stop()
    assert not done.given_up
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert await store.settle(store.taken[1], "done")


async def test_a_task_that_waits_is_cancelled_without_ever_running(
    probe: Any, where: str | None, done: Done, stack: AsyncExitStack
) -> None:
    host, gate = host_of(probe, where), Gate()

    async def handler(task: Task) -> None:
        await gate.wait()
        done.add(task)

    probe.context.tasks.handle(KIND, handler)
    await stack.enter_async_context(host)
    for id in ("1", "2", "3"):
        await give(probe.context, id, principal=ADA)
    await gate.wait_reached()
    assert not await probe.context.tasks.cancel(kind=KIND, id="2", principal=BOB)
    assert await probe.context.tasks.cancel(kind=KIND, id="2", principal=ADA)
    assert not await probe.context.tasks.cancel(kind=KIND, id="2", principal=ADA)
    gate.open()
    await done.until(2)
    assert done.ids == ["1", "3"]
    assert not await give(probe.context, "2", principal=ADA)


async def test_a_task_that_runs_is_stopped_where_it_waits_and_not_tried_again(
    probe: Any, where: str | None, done: Done, stack: AsyncExitStack
) -> None:
    host, gate, stopped = host_of(probe, where), Gate(), Done()

    async def handler(task: Task) -> None:
        try:
            if task.id == "1":
                await gate.wait()
        except asyncio.CancelledError:
            stopped.add(task)
            raise
        done.add(task)

    probe.context.tasks.handle(KIND, handler, on_give_up=done.give_up)
    await stack.enter_async_context(host)
    await give(probe.context, "1")
    await gate.wait_reached()
    assert await probe.context.tasks.cancel(kind=KIND, id="1")
    await give(probe.context, "2")
    await done.until(1)
    assert (stopped.ids, done.ids, done.given_up) == (["1"], ["2"], [])


async def test_a_whole_line_is_cancelled(probe: Any, where: str | None, done: Done, stack: AsyncExitStack) -> None:
    host, gate = host_of(probe, where), Gate()

    async def handler(task: Task) -> None:
        if task.id != "4":
            await gate.wait()
        done.add(task)

    probe.context.tasks.handle(KIND, handler)
    await stack.enter_async_context(host)
    for id in ("1", "2", "3"):
        await give(probe.context, id, principal=ADA)
    await give(probe.context, "other", line="other")
    await gate.wait_reached(2)
    assert await probe.context.tasks.cancel_line("room", principal=BOB) == 3
    assert await probe.context.tasks.cancel_line("unknown") == 0
    await give(probe.context, "4")
    await done.until(1)
    gate.open()
    await done.until(2)
    assert done.ids == ["4", "other"]


async def test_a_drain_lets_what_runs_finish_and_begins_nothing_more(
    probe: Any, where: str | None, done: Done, stack: AsyncExitStack
) -> None:
    """What runs may still use the agent; what waits is done by the next host, when there is a database."""
    host, gate = host_of(probe, where), Gate()

    async def handler(task: Task) -> None:
        await gate.wait()
        await probe.context.run(ChannelRequest("probe", "message", "hi"))
        done.add(task)

    probe.context.tasks.handle(KIND, handler)
    async with host:
        await give(probe.context, "1")
        await give(probe.context, "2")
        await gate.wait_reached()
        host.begin_drain()
        with pytest.raises(Draining):
            await give(probe.context, "3")
        gate.open()
        await done.until(1)
    assert done.ids == ["1"]
    if where is not None:
        await stack.enter_async_context(host)
        await done.until(2)
        assert [(task.id, task.attempt) for task in done.seen] == [("1", 1), ("2", 1)]


async def test_what_has_not_ended_when_the_drain_is_over_is_done_again_later(
    probe: Any, where: str | None, done: Done, stack: AsyncExitStack
) -> None:
    host, gate = host_of(probe, where, drain_timeout=0.05, task_failures=1), Gate()

    async def handler(task: Task) -> None:
        await gate.wait()
        done.add(task)

    probe.context.tasks.handle(KIND, handler, on_give_up=done.give_up)
    for attempt in range(3):
        async with host:
            if not attempt:
                await give(probe.context, "1")
            await gate.wait_reached(attempt + 1)
        assert not done.seen
        if where is None:
            return
    gate.open()
    await stack.enter_async_context(host)
    await done.until(1)
    assert done.seen[0].attempt == 4
    assert not done.given_up


async def test_a_handler_that_does_not_let_itself_be_stopped_does_not_hold_the_end_of_the_host_up(
    probe: Any, where: str | None, done: Done, caplog: pytest.LogCaptureFixture
) -> None:
    host, gate = host_of(probe, where, drain_timeout=0.05), Gate()

    async def handler(task: Task) -> None:
        while not gate.is_open:
            with suppress(asyncio.CancelledError):
                await gate.wait()
        done.add(task)

    probe.context.tasks.handle(KIND, handler)
    async with asyncio.timeout(60):
        async with host:
            await give(probe.context, "stubborn")
            await gate.wait_reached()
    assert "stubborn" in caplog.text
    gate.open()
    await done.until(1)


async def test_nothing_is_accepted_that_nobody_does_or_before_the_host_has_started(probe: Any, done: Done) -> None:
    host = host_of(probe, None, max_request_bytes=100)

    async def handler(task: Task) -> None:
        done.add(task)

    with pytest.raises(ConfigurationError, match="Nobody does tasks of the kind"):
        await give(probe.context, "1")
    probe.context.tasks.handle(KIND, handler)
    with pytest.raises(ConfigurationError, match="have a handler already"):
        probe.context.tasks.handle(KIND, handler)
    async with host:
        with pytest.raises(RequestTooLarge, match="more than the 100"):
            await give(probe.context, "1", payload="x" * 200)
        with pytest.raises(InvalidRequest, match="no Unicode"):
            await give(probe.context, "1", payload=["\ud800"])


async def test_a_host_with_work_to_do_has_to_be_started(make_probe: Callable[..., Any], done: Done) -> None:
    probe = make_probe()
    contribute = probe.contribute

    def contributing(context: ChannelContext) -> Any:
        context.tasks.handle(KIND, done.give_up)
        return contribute(context)

    probe.contribute = contributing
    AgentFrameworkHost(ScriptedAgent(), channels=[probe])
    with pytest.raises(NotStarted):
        await give(probe.context, "1")


@pytest.mark.parametrize("kept", [False, True])
async def test_the_start_line_says_what_is_lost_without_a_database(
    probe: Any, make_database: Callable[[str], str], caplog: pytest.LogCaptureFixture, done: Done, kept: bool
) -> None:
    caplog.set_level(logging.INFO)
    host = host_of(probe, make_database("sqlite") if kept else None)
    probe.context.tasks.handle(KIND, done.give_up)
    async with host:
        said = next(record.getMessage() for record in caplog.records if record.getMessage().startswith("Serving"))
    assert ("work that was accepted and is not done is lost when the process ends" in said) is not kept
    assert probe.context.tasks.is_durable is kept


async def test_the_work_of_a_channel_that_did_not_start_waits_for_a_process_in_which_it_has(
    make_probe: Callable[..., Any], make_database: Callable[[str], str], done: Done
) -> None:
    """What was accepted before must not be given up because of a start that went wrong."""
    broken, fine = make_probe(), make_probe(name="fine", path="/fine")
    faults = [OSError("its platform is away")]

    def handling(probe: Any, kind: str) -> None:
        contribute = probe.contribute

        async def handler(task: Task) -> None:
            done.add(task)

        def contributing(context: ChannelContext) -> Any:
            context.tasks.handle(kind, handler)
            return contribute(context)

        probe.contribute = contributing

    def starting() -> None:
        if faults:
            raise faults.pop()

    broken.on_startup = [starting]
    handling(broken, KIND)
    handling(fine, "fine.work")
    database = make_database("sqlite")
    host = AgentFrameworkHost(ScriptedAgent(), channels=[broken, fine], database=database, failing_channels="disable")
    async with host:
        await give(broken.context, "1")
        await fine.context.tasks.accept(kind="fine.work", id="2", line="other", payload=None)
        await done.until(1)
        await fine.context.tasks.accept(kind="fine.work", id="3", line="other", payload=None)
        await done.until(2)
    assert done.ids == ["2", "3"]
    async with host:
        await done.until(3)
    assert [(task.id, task.attempt) for task in done.seen][2:] == [("1", 1)]


async def test_work_that_nobody_does_any_more_is_said_at_the_start(
    make_probe: Callable[..., Any],
    make_database: Callable[[str], str],
    done: Done,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It blocks its line, and an operator would look for the reason for a month."""
    database = make_database("sqlite")

    async def handler(task: Task) -> None:
        done.add(task)

    async def broken(_: Task) -> None:
        raise TryAgain(after=60)

    async def restarted(*kinds: str) -> str:
        caplog.clear()
        probe = make_probe()
        host = host_of(probe, database)
        for kind in kinds:
            probe.context.tasks.handle(kind, broken if kind == "probe.old" else handler)
        async with host:
            for id in ("1", "2") if "probe.old" in kinds else ():
                await probe.context.tasks.accept(kind="probe.old", id=id, line="room", payload=None)
        return caplog.text

    said = "does some of the accepted work in its database: 2 of the kind probe.old. It waits"
    assert said not in await restarted(KIND, "probe.old")
    assert said in await restarted(KIND)
    assert said in await restarted()
    assert said not in await restarted(KIND, "probe.old")
