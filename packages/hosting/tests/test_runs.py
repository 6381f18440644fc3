"""Background runs: what they say is read live, from any point, by any process, and by their owners alone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import NullPool, create_engine, text

from agent_framework_hosting._state.database import open_store
from agent_framework_hosting._state.sql.sqlstore import SqlStore
from agent_framework_hosting.channel import ChannelContext, RunEvent, RunWriter, Task
from agent_framework_hosting.errors import ResponseTooLarge, UnknownId
from agent_framework_hosting.host import AgentFrameworkHost
from agent_framework_hosting.limits import Limits
from agent_framework_hosting.testing import Gate, ScriptedAgent
from agent_framework_hosting.types import Principal

ADA, BOB = (Principal(id=name, kind="caller") for name in ("ada", "bob"))
ELSEWHERE = replace(ADA, tenant="elsewhere")
KIND = "probe.run"
SOON = 60.0

Handler = Callable[[Task, RunWriter], Awaitable[None]]
Connect = Callable[..., Awaitable[ChannelContext]]


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def where(request: pytest.FixtureRequest, make_database: Callable[[str], str]) -> str | None:
    return None if request.param == "memory" else make_database(request.param)


@pytest.fixture
async def connect(where: str | None, make_probe: Callable[[], Any]) -> AsyncGenerator[Connect]:
    """Return a function that starts one more host on the database, and returns the context that its channel got."""
    async with AsyncExitStack() as stack:

        async def connect(handler: Handler, **limits: Any) -> ChannelContext:
            probe, chosen = make_probe(), replace(Limits(task_backoff=0.01), **limits)
            host = AgentFrameworkHost(ScriptedAgent(), channels=[probe], database=where, limits=chosen)
            probe.context.runs.handle(KIND, handler)
            await stack.enter_async_context(host)
            return probe.context

        yield connect


async def start(context: ChannelContext, payload: Any = None) -> str:
    return await context.runs.start(kind=KIND, line="line", payload=payload, principal=ADA)


async def read(context: ChannelContext, id: str, after: tuple[int, int] | None = None) -> list[RunEvent]:
    """Read a run to its end."""
    async with asyncio.timeout(SOON):
        return [event async for event in await context.runs.events(id, kind=KIND, after=after, principal=ADA)]


async def counting(task: Task, writer: RunWriter) -> None:
    for number in range(task.payload):
        await writer.write(str(number).encode())


async def test_a_run_says_what_it_says_and_can_be_read_again_from_any_point(connect: Connect) -> None:
    context = await connect(counting)
    id = await start(context, 20)
    assert len(id) == 36
    whole = await read(context, id)
    assert [(event.attempt, event.sequence, event.data) for event in whole] == [
        (1, number, str(number).encode()) for number in range(20)
    ]
    for number, event in enumerate(whole):
        assert await read(context, id, event.position) == whole[number + 1 :]
    assert await read(context, id, (2**80, -5)) == []
    assert (await context.runs.status(id, kind=KIND, principal=ADA)).status == "done"


async def test_what_a_run_said_last_is_known_until_it_is_forgotten(connect: Connect) -> None:
    context = await connect(counting)
    id, other = await start(context, 3), await start(context, 2)
    assert len(await read(context, id)) == 3
    assert len(await read(context, other)) == 2
    last = await context.runs.last(id, kind=KIND, principal=ADA)
    assert last is not None
    assert (last.position, last.data) == ((1, 2), b"2")
    for never in ("unknown", "\0", "half \ud83d", "x" * 10_000):
        assert await context.runs.last(never, kind=KIND, principal=ADA) is None
        await context.runs.forget(never, kind=KIND, principal=ADA)
    for principal in (BOB, ELSEWHERE):
        assert await context.runs.last(id, kind=KIND, principal=principal) is None
        await context.runs.forget(id, kind=KIND, principal=principal)
    assert len(await read(context, id)) == 3
    await context.runs.forget(id, kind=KIND, principal=ADA)
    assert await context.runs.last(id, kind=KIND, principal=ADA) is None
    assert await read(context, id) == []
    assert len(await read(context, other)) == 2
    assert (await context.runs.status(id, kind=KIND, principal=ADA)).status == "done"


@pytest.mark.parametrize("how", ["done", "cancelled", "failed"])
async def test_a_log_that_nobody_needs_goes_with_its_run(make_probe: Callable[[], Any], how: str) -> None:
    gate, probe = Gate(), make_probe()

    async def handler(task: Task, writer: RunWriter) -> None:
        await writer.write(b"said")
        await gate.wait()
        if how == "failed":
            raise ValueError

    host = AgentFrameworkHost(ScriptedAgent(), channels=[probe], limits=Limits(task_failures=1))
    probe.context.runs.handle(KIND, handler, keeps_log=False)
    async with host:
        id = await start(probe.context)
        events = await probe.context.runs.events(id, kind=KIND, principal=ADA)
        assert (await anext(events)).data == b"said"
        if how == "cancelled":
            await probe.context.runs.cancel(id, kind=KIND, principal=ADA)
        gate.open()
        assert [event async for event in events] == []
        left = await probe.context.runs.last(id, kind=KIND, principal=ADA)
    # What failed may have something to say to whoever looks into it.
    assert (left is not None) == (how == "failed")


@pytest.mark.parametrize("where", ["sqlite", "postgres"], indirect=True)
async def test_a_reader_is_let_go_of_when_the_host_drains_and_the_run_is_put_back(
    connect: Connect, make_probe: Callable[[], Any], where: str | None
) -> None:
    gate, probe = Gate(), make_probe()

    async def handler(task: Task, writer: RunWriter) -> None:
        await writer.write(f"begun {task.attempt}".encode())
        if task.attempt == 1:
            await gate.wait()

    host = AgentFrameworkHost(ScriptedAgent(), channels=[probe], database=where, limits=Limits(drain_timeout=0.1))
    probe.context.runs.handle(KIND, handler)
    async with host:
        id = await start(probe.context)
        events = await probe.context.runs.events(id, kind=KIND, principal=ADA)
        assert (await anext(events)).data == b"begun 1"
        rest = asyncio.create_task(anext(events, None))
    async with asyncio.timeout(SOON):
        assert await rest is None
    there = await connect(handler)
    assert [event.data for event in await read(there, id, (1, 0))] == [b"begun 2"]


async def test_what_a_run_says_is_read_while_it_runs(connect: Connect) -> None:
    gate = Gate()

    async def handler(task: Task, writer: RunWriter) -> None:
        await writer.write(b"first")
        await gate.wait()
        await writer.write(b"last")

    context = await connect(handler)
    id = await start(context)
    events = await context.runs.events(id, kind=KIND, principal=ADA)
    async with asyncio.timeout(SOON):
        assert (await anext(events)).data == b"first"
        status = await context.runs.status(id, kind=KIND, principal=ADA)
        assert (status.status, status.attempt, status.has_ended) == ("running", 1, False)
        gate.open()
        assert [event.data async for event in events] == [b"last"]


async def test_many_events_come_in_batches_and_all_of_them(connect: Connect) -> None:
    context = await connect(counting)
    events = await read(context, await start(context, 3_000))
    assert [int(event.data) for event in events] == list(range(3_000))


async def test_nobody_else_learns_that_there_is_a_run(connect: Connect) -> None:
    gate = Gate()

    async def handler(task: Task, writer: RunWriter) -> None:
        await gate.wait()

    context = await connect(handler)
    id = await start(context)
    runs = context.runs
    await gate.wait_reached()
    said: set[str] = set()
    for other in (BOB, ELSEWHERE, replace(ADA, kind="anonymous"), None):
        for asked in (
            runs.status(id, kind=KIND, principal=other),
            runs.events(id, kind=KIND, principal=other),
            runs.cancel(id, kind=KIND, principal=other),
        ):
            with pytest.raises(UnknownId) as refused:
                await asked
            said.add(refused.value.message)
    with pytest.raises(UnknownId) as refused:
        await runs.status("unknown", kind=KIND, principal=ADA)
    assert {each.replace(id, "unknown") for each in said} == {refused.value.message}
    with pytest.raises(UnknownId):
        await runs.status(id, kind="another", principal=ADA)
    gate.open()


async def test_a_reader_sees_where_a_run_began_anew(connect: Connect) -> None:
    """Who read the first attempt gets all of the second one; who comes later gets nothing of the first."""
    gate = Gate()

    async def handler(task: Task, writer: RunWriter) -> None:
        await writer.write(f"begun {task.attempt}".encode())
        if task.attempt == 1:
            await gate.wait()
            raise ValueError
        await writer.write(b"done")

    context = await connect(handler)
    id = await start(context)
    async with asyncio.timeout(SOON):
        events = await context.runs.events(id, kind=KIND, principal=ADA)
        seen = [await anext(events)]
        gate.open()
        seen += [event async for event in events]
    assert [(event.attempt, event.sequence, event.data) for event in seen] == [
        (1, 0, b"begun 1"),
        (2, 0, b"begun 2"),
        (2, 1, b"done"),
    ]
    assert await read(context, id) == seen[1:]
    assert await read(context, id, (1, 0)) == seen[1:]


async def test_a_run_is_cancelled_and_what_it_had_said_stays(connect: Connect) -> None:
    gate = Gate()

    async def handler(task: Task, writer: RunWriter) -> None:
        await writer.write(b"half")
        try:
            await gate.wait()
        finally:
            await writer.write(b"stopped")

    context = await connect(handler)
    id = await start(context)
    waiting = await start(context)
    await gate.wait_reached()
    for each in (waiting, id):
        assert await context.runs.cancel(each, kind=KIND, principal=ADA)
    assert [event.data for event in await read(context, id)] == [b"half", b"stopped"]
    assert await read(context, waiting) == []
    for each in (waiting, id):
        assert (await context.runs.status(each, kind=KIND, principal=ADA)).status == "cancelled"
        assert not await context.runs.cancel(each, kind=KIND, principal=ADA)


async def test_a_run_that_says_too_much_is_told_so(connect: Connect) -> None:
    errors: list[Exception] = []

    async def handler(task: Task, writer: RunWriter) -> None:
        await writer.write(b"x" * 600)
        try:
            await writer.write(b"y" * 600)
        except ResponseTooLarge as error:
            errors.append(error)

    context = await connect(handler, max_response_bytes=1_000)
    events = await read(context, await start(context))
    assert [len(event.data) for event in events] == [600]
    assert len(errors) == 1


async def test_a_run_that_is_given_up_has_failed(connect: Connect) -> None:
    async def handler(task: Task, writer: RunWriter) -> None:
        await writer.write(b"said")
        raise ValueError

    context = await connect(handler, task_failures=2)
    id = await start(context)
    await read(context, id)
    status = await context.runs.status(id, kind=KIND, principal=ADA)
    assert (status.status, status.attempt) == ("failed", 2)
    assert [event.position for event in await read(context, id)] == [(2, 0)]


async def test_memory_holds_the_logs_of_as_many_runs_as_fit(make_probe: Callable[[], Any]) -> None:
    probe = make_probe()
    host = AgentFrameworkHost(ScriptedAgent(), channels=[probe], limits=Limits(max_buffered_bytes=100))

    async def handler(task: Task, writer: RunWriter) -> None:
        await writer.write(b"x" * 60)

    probe.context.runs.handle(KIND, handler)
    async with host:
        first, second = await start(probe.context), await start(probe.context)
        assert len(await read(probe.context, second)) == 1
        assert await read(probe.context, first) == []


@pytest.mark.parametrize("where", ["sqlite", "postgres"], indirect=True)
async def test_a_run_is_read_live_and_cancelled_from_another_process(connect: Connect) -> None:
    gate, stopped = Gate(), asyncio.Event()

    async def handler(task: Task, writer: RunWriter) -> None:
        await writer.write(b"first")
        try:
            await gate.wait()
        finally:
            stopped.set()

    contexts = [await connect(handler) for _ in range(2)]
    id = await start(contexts[0])
    async with asyncio.timeout(SOON):
        readers = [await context.runs.events(id, kind=KIND, principal=ADA) for context in contexts]
        assert [(await anext(reader)).data for reader in readers] == [b"first", b"first"]
        for context in contexts:
            assert (await context.runs.status(id, kind=KIND, principal=ADA)).status == "running"
        assert await contexts[1].runs.cancel(id, kind=KIND, principal=ADA)
        await stopped.wait()
        for reader in readers:
            assert [event async for event in reader] == []


@pytest.mark.parametrize("where", ["sqlite", "postgres"], indirect=True)
async def test_a_run_whose_process_is_taken_for_dead_goes_on_elsewhere_and_says_nothing_more_there(
    connect: Connect, where: str
) -> None:
    gate, told = Gate(), asyncio.Event()

    async def handler(task: Task, writer: RunWriter) -> None:
        await writer.write(f"begun {task.attempt}".encode())
        if task.attempt == 1:
            try:
                await gate.wait()
            except asyncio.CancelledError:
                await writer.write(b"too late")
                told.set()
                raise
        await writer.write(b"done")

    first = await connect(handler, lease=600.0)
    id = await start(first)
    await gate.wait_reached()
    engine = create_engine(where.replace("postgresql://", "postgresql+psycopg://"), poolclass=NullPool)
    async with asyncio.timeout(SOON):
        events = await first.runs.events(id, kind=KIND, principal=ADA)
        seen = [await anext(events)]
        second = await connect(handler, lease=600.0)
        with engine.begin() as connection:
            connection.execute(text("UPDATE af_worker SET alive_until = 0 WHERE id IN (SELECT worker FROM af_task)"))
        seen += [event async for event in events]
        await told.wait()
    assert [(event.attempt, event.data) for event in seen] == [(1, b"begun 1"), (2, b"begun 2"), (2, b"done")]
    assert await read(second, id, (1, -1)) == seen


@pytest.mark.parametrize("where", ["sqlite", "postgres"], indirect=True)
async def test_what_a_run_said_is_kept_for_its_time_and_what_became_of_it_as_long(connect: Connect, where: str) -> None:
    context = await connect(counting)
    id = await start(context, 2)
    assert len(await read(context, id)) == 2
    store = open_store(where, limits=Limits())
    assert isinstance(store, SqlStore)
    await store.start()
    engine = create_engine(where.replace("postgresql://", "postgresql+psycopg://"), poolclass=NullPool)

    async def days_later(days: int) -> None:
        with engine.begin() as connection:
            for table, column in (("af_task", "ended_at"), ("af_event", "created_at")):
                older = f"UPDATE {table} SET {column} = {column} - :days * 86400"  # noqa: S608 - constants
                connection.execute(text(older), {"days": days})
        await store.sweep()

    await days_later(29)
    assert len(await read(context, id)) == 2
    await days_later(2)
    with pytest.raises(UnknownId):
        await context.runs.status(id, kind=KIND, principal=ADA)
    await store.stop()
