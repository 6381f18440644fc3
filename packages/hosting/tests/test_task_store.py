"""One contract for all that keeps accepted work: memory, a SQLite file, PostgreSQL; and what several processes see."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, NullPool, create_engine, text

from agent_framework_hosting._state.database import open_store
from agent_framework_hosting._state.events import Event, RunName
from agent_framework_hosting._state.memorytasks import MemoryTasks
from agent_framework_hosting._state.parts import TaskStore
from agent_framework_hosting._state.sql import sqlstore
from agent_framework_hosting._state.sql.migrations import sqlite_engine
from agent_framework_hosting._state.sql.postgres import PostgresDriver
from agent_framework_hosting._state.sql.script import Script, do
from agent_framework_hosting._state.sql.sqlstore import SqlStore
from agent_framework_hosting._state.sql.tasks import accept
from agent_framework_hosting._state.tasks import NewTask, TakenTask
from agent_framework_hosting.errors import InvalidRequest, QueueFull
from agent_framework_hosting.limits import Limits
from agent_framework_hosting.testing import FakeClock
from agent_framework_hosting.types import Owner

ADA: Owner = ("default", 1, "ada")
BOB: Owner = ("default", 1, "bob")
ELSEWHERE: Owner = ("elsewhere", 1, "ada")
LEASE = 0.6
SOON = 60.0


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def where(request: pytest.FixtureRequest, make_database: Callable[[str], str]) -> str | None:
    return None if request.param == "memory" else make_database(request.param)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def store(where: str | None, clock: FakeClock) -> AsyncGenerator[TaskStore]:
    if where is None:
        yield MemoryTasks(max_known=100, clock=clock.monotonic)
        return
    store = open_store(where, limits=Limits())
    await store.start()
    yield store.tasks
    await store.stop()


@pytest.fixture
def pass_time(where: str | None, clock: FakeClock) -> Callable[[float], None]:
    """Return a function that makes tasks due that were to be so within these seconds."""

    def pass_time(seconds: float) -> None:
        clock.advance(seconds)
        if where is not None:
            with engine_of(where).begin() as connection:
                connection.execute(text("UPDATE af_task SET due_at = due_at - :seconds"), {"seconds": seconds})

    return pass_time


def engine_of(database: str) -> Engine:
    return create_engine(database.replace("postgresql://", "postgresql+psycopg://"), poolclass=NullPool)


def new(id: str, line: str = "line", **changes: Any) -> NewTask:
    values: dict[str, Any] = {
        "owner": ADA,
        "kind": "work",
        "payload": b'"said"',
        "circumstances": b"{}",
        "max_waiting": 64,
        "max_open": 1000,
        **changes,
    }
    return NewTask(id=id, line=line, **values)


async def taken(store: TaskStore, *, most: int = 100) -> list[TakenTask]:
    return list(await store.take(["work"], most=most))


async def the_one(store: TaskStore) -> TakenTask:
    [task] = await taken(store)
    return task


async def test_a_task_is_taken_with_all_that_it_was_accepted_with(store: TaskStore) -> None:
    assert await store.accept(new("1", payload=b'"\xc3\xa4"', circumstances=b'{"who":1}'))
    task = await the_one(store)
    assert (task.kind, task.id, task.line, task.attempt, task.failures) == ("work", "1", "line", 1, 0)
    assert (task.payload, task.circumstances) == (b'"\xc3\xa4"', b'{"who":1}')
    assert await taken(store) == []


async def test_only_the_first_of_a_line_is_taken_and_others_once_it_has_ended(store: TaskStore) -> None:
    for number in range(3):
        await store.accept(new(f"a{number}", "a"))
        await store.accept(new(f"b{number}", "b"))
        await store.accept(new(f"c{number}", "a", owner=ELSEWHERE))
    order: list[str] = []
    while tasks := await taken(store):
        assert len(tasks) == 3
        for task in tasks:
            order.append(task.id)
            assert await store.settle(task, "done")
    assert order == ["a0", "b0", "c0", "a1", "b1", "c1", "a2", "b2", "c2"]


async def test_only_kinds_that_are_asked_for_are_taken_and_no_more_than_wanted(store: TaskStore) -> None:
    await store.accept(new("other", "a", kind="other"))
    await store.accept(new("behind it", "a"))
    for number in range(5):
        await store.accept(new(str(number), str(number)))
    assert [task.id for task in await taken(store, most=2)] == ["0", "1"]
    assert [task.id for task in await taken(store)] == ["2", "3", "4"]
    assert [task.id for task in await store.take(["other", "work"], most=9)] == ["other"]


async def test_an_id_is_known_while_its_task_is_open_and_after_it_has_ended(store: TaskStore) -> None:
    assert await store.accept(new("1"))
    assert not await store.accept(new("1", "another line"))
    await store.settle(await the_one(store), "done")
    assert not await store.accept(new("1"))
    assert await store.accept(new("1", owner=BOB))
    assert await store.accept(new("1", owner=ELSEWHERE))
    assert await store.accept(new("1", kind="other"))


async def test_a_task_that_is_put_back_keeps_its_place(store: TaskStore, pass_time: Callable[[float], None]) -> None:
    await store.accept(new("1"))
    await store.accept(new("2"))
    task = await the_one(store)
    assert await store.put_back(task, after=0.0, has_failed=False)
    task = await the_one(store)
    assert (task.id, task.attempt, task.failures) == ("1", 2, 0)
    assert await store.put_back(task, after=0.0, has_failed=True)
    task = await the_one(store)
    assert (task.id, task.attempt, task.failures) == ("1", 3, 1)
    assert await store.put_back(task, after=600, has_failed=True)
    assert await taken(store) == []
    pass_time(600)
    task = await the_one(store)
    assert (task.id, task.attempt, task.failures) == ("1", 4, 2)


async def test_what_is_said_of_an_earlier_attempt_comes_to_nothing(store: TaskStore) -> None:
    await store.accept(new("1"))
    first = await the_one(store)
    await store.put_back(first, after=0.0, has_failed=False)
    assert not await store.settle(first, "done")
    second = await the_one(store)
    assert not await store.settle(first, "done")
    assert not await store.put_back(first, after=0.0, has_failed=True)
    assert await store.settle(second, "done")
    assert not await store.settle(second, "done")


async def test_what_is_too_much_is_refused_and_leaves_nothing_behind(store: TaskStore) -> None:
    for number in range(3):
        await store.accept(new(str(number), max_waiting=2))
    with pytest.raises(QueueFull, match="2 accepted tasks wait in this line"):
        await store.accept(new("3", max_waiting=2))
    with pytest.raises(QueueFull, match="3 accepted tasks wait on this server"):
        await store.accept(new("3", "other", max_open=3))
    assert not await store.accept(new("0", max_waiting=2, max_open=3))
    await store.settle(await the_one(store), "done")
    assert await store.accept(new("3", max_waiting=2, max_open=3))


async def test_names_that_cannot_be_kept_are_refused(store: TaskStore) -> None:
    for id, line in (("a\0", "b"), ("a", "b\0"), ("a" * 501, "b"), ("a", "b" * 501), ("\ud800", "b")):
        with pytest.raises(InvalidRequest, match="cannot be kept"):
            await store.accept(new(id, line))
    assert await store.accept(new("ä" * 250, "ö" * 250))
    assert not await store.cancel(ADA, "work", "a\0")
    assert await store.cancel_line("default", "b\0") == 0


async def test_a_task_that_waits_is_cancelled_by_its_owner_alone(store: TaskStore) -> None:
    await store.accept(new("1"))
    for owner in (BOB, ELSEWHERE):
        assert not await store.cancel(owner, "work", "1")
    assert not await store.cancel(ADA, "other", "1")
    assert await store.cancel(ADA, "work", "1")
    assert await taken(store) == []
    assert not await store.cancel(ADA, "work", "1")
    assert not await store.accept(new("1"))


async def test_a_task_that_runs_is_told_to_stop_and_does_not_run_again(store: TaskStore) -> None:
    await store.accept(new("1"))
    task = await the_one(store)
    assert await store.look([task]) == {}
    assert await store.cancel(ADA, "work", "1")
    assert await store.look([task]) == {task.number: "cancelled"}
    assert await store.put_back(task, after=0.0, has_failed=True)
    assert await taken(store) == []
    assert not await store.accept(new("1"))


async def test_a_line_is_cancelled_whoever_it_belongs_to_and_no_other_tenants(store: TaskStore) -> None:
    await store.accept(new("1"))
    await store.accept(new("2", owner=BOB))
    await store.accept(new("3", owner=ELSEWHERE))
    mine, theirs = await taken(store)
    assert await store.cancel_line("default", "line") == 2
    assert await store.look([mine, theirs]) == {mine.number: "cancelled"}
    assert await store.settle(mine, "cancelled")
    assert await taken(store) == []


async def test_memory_lets_go_of_what_was_cancelled_also_while_nothing_is_taken() -> None:
    """As when all that may run at once do, and somebody goes on accepting and cancelling."""
    store = MemoryTasks(max_known=10)
    for number in range(2_000):
        await store.accept(new(f"t{number}", line=f"line {number}"))
        await store.cancel(ADA, "work", f"t{number}")
    held = [each for each in gc.get_objects() if isinstance(each, NewTask)]
    assert len(held) < 200


async def test_memory_forgets_ids_by_number_and_by_age() -> None:
    now = 0.0
    store = MemoryTasks(max_known=2, ttl=10, clock=lambda: now)
    for id in ("1", "2", "3"):
        await store.accept(new(id))
        await store.settle(await the_one(store), "done")
    assert await store.accept(new("1"))
    assert not await store.accept(new("2"))
    now = 11.0
    assert await store.accept(new("2"))
    assert len(store) == 2


async def test_what_open_tasks_are_given_is_bounded_in_memory() -> None:
    store = MemoryTasks(max_known=9, max_bytes=100)
    await store.accept(new("1", "a", payload=b"x" * 60))
    with pytest.raises(QueueFull, match="1 accepted tasks wait on this server"):
        await store.accept(new("2", "b", payload=b"x" * 60))
    await store.settle(await the_one(store), "done")
    assert await store.accept(new("2", "b", payload=b"x" * 60))


Open = Callable[..., Any]


@pytest.fixture
async def open_one(database: str) -> AsyncGenerator[Open]:
    """Return a function that opens one more store on the database, as another process would."""
    async with AsyncExitStack() as stack:

        async def open_one(*, lease: float = 600) -> SqlStore:
            store = open_store(database, limits=Limits(lease=lease))
            assert isinstance(store, SqlStore)
            await store.start()
            stack.push_async_callback(store.stop)
            return store

        yield open_one


@pytest.fixture
def sql(database: str) -> Callable[[str], list[Any]]:
    """Return a function that runs a statement on the database, beside the stores."""
    engine = engine_of(database)

    def sql(statement: str) -> list[Any]:
        with engine.begin() as connection:
            found = connection.execute(text(statement))
            return [tuple(row) for row in found] if found.returns_rows else []

    return sql


async def test_processes_that_take_at_once_take_each_task_once_and_in_order(open_one: Open) -> None:
    stores = [(await open_one()).tasks for _ in range(3)]
    accepted = [new(f"{line} {number}", str(line)) for number in range(5) for line in range(5)]
    for each in accepted:
        await stores[0].accept(each)
    order: list[str] = []
    while len(order) < len(accepted):
        found = await asyncio.gather(*(taken(store, most=2) for store in stores))
        lines = [task.line for tasks in found for task in tasks]
        assert len(lines) == len(set(lines))
        for store, tasks in zip(stores, found, strict=True):
            for task in tasks:
                order.append(task.id)
                assert await store.settle(task, "done")
    for line in range(5):
        assert [id for id in order if id.startswith(f"{line} ")] == [f"{line} {number}" for number in range(5)]


async def test_tasks_of_a_line_that_are_accepted_at_once_are_taken_one_by_one(open_one: Open) -> None:
    stores = [(await open_one()).tasks for _ in range(3)]
    order: list[str] = []
    active = 0

    async def work(store: TaskStore) -> None:
        nonlocal active
        while len(order) < 30:
            for task in await taken(store, most=3):
                active += 1
                assert active == 1
                await asyncio.sleep(0)
                order.append(task.id)
                active -= 1
                await store.settle(task, "done")

    async def give(number: int) -> None:
        assert await stores[number % 3].accept(new(str(number)))

    async with asyncio.timeout(SOON):
        await asyncio.gather(*(work(store) for store in stores), *(give(number) for number in range(30)))
    assert sorted(order, key=int) == [str(number) for number in range(30)]


async def test_what_a_dead_process_had_is_taken_over_in_its_order_and_its_word_counts_no_more(
    open_one: Open, sql: Callable[[str], list[Any]]
) -> None:
    dead, living = await open_one(), await open_one()
    await dead.tasks.accept(new("1"))
    await dead.tasks.accept(new("2"))
    task = await the_one(dead.tasks)
    assert await taken(living.tasks) == []
    standing_still(sql)
    over = await the_one(living.tasks)
    assert (over.id, over.attempt, over.failures) == ("1", 2, 1)
    assert await dead.tasks.look([task]) == {task.number: "lease_lost"}
    assert not await dead.tasks.settle(task, "done")
    assert not await dead.tasks.put_back(task, after=0.0, has_failed=False)
    assert await living.tasks.settle(over, "done")
    assert (await the_one(living.tasks)).id == "2"


def standing_still(sql: Callable[[str], list[Any]]) -> None:
    """Let the lease of the process that has a task run out."""
    sql("UPDATE af_worker SET alive_until = 0 WHERE id IN (SELECT worker FROM af_task)")


async def test_what_was_running_at_two_deaths_is_suspect(open_one: Open, sql: Callable[[str], list[Any]]) -> None:
    *dying, store = [(await open_one()).tasks for _ in range(3)]
    await store.accept(new("1", "a"))
    await store.accept(new("2", "b"))
    for dead in dying:
        assert len(await taken(dead)) == 2
        standing_still(sql)
    assert await taken(store) == []
    [first] = await store.take(["work"], most=1, suspects=True)
    assert (first.id, first.attempt, first.failures, first.is_suspect) == ("1", 3, 2, True)
    await store.put_back(first, after=0.0, has_failed=True)
    assert [task.failures for task in await store.take(["work"], most=2, suspects=True)] == [3, 2]


async def test_a_task_that_was_cancelled_while_its_process_died_ends(
    open_one: Open, sql: Callable[[str], list[Any]]
) -> None:
    dead, living = await open_one(), await open_one()
    await dead.tasks.accept(new("1"))
    await dead.tasks.accept(new("2"))
    await the_one(dead.tasks)
    assert await living.tasks.cancel(ADA, "work", "1")
    standing_still(sql)
    assert await taken(living.tasks) == []
    assert (await the_one(living.tasks)).id == "2"
    standing_still(sql)
    assert await living.tasks.cancel(ADA, "work", "2")
    assert await taken(living.tasks) == []


async def test_a_process_that_stood_still_takes_nothing_under_a_lease_that_has_run_out(open_one: Open) -> None:
    store, other = await open_one(lease=LEASE), await open_one()
    await store.tasks.accept(new("1"))
    time.sleep(2 * LEASE)  # noqa: ASYNC251 - that is what standing still is
    task = await the_one(store.tasks)
    assert await taken(other.tasks) == []
    assert await store.tasks.settle(task, "done")


async def test_a_process_does_not_take_what_it_has_when_its_lease_ran_out_unnoticed(
    open_one: Open, sql: Callable[[str], list[Any]]
) -> None:
    """A machine that slept, or the database's clock that jumped: this process's own clock shows nothing of it."""
    store = (await open_one()).tasks
    await store.accept(new("1"))
    await store.accept(new("2", "other"))
    mine, lost = await taken(store)
    standing_still(sql)
    assert await taken(store) == []
    assert await store.look([mine]) == {}
    assert [(task.id, task.failures) for task in await taken(store)] == [(lost.id, 0)]
    assert await store.settle(mine, "done")


async def test_a_cancellation_wakes_the_process_that_runs_the_task(open_one: Open) -> None:
    here, there = await open_one(), await open_one()
    await there.tasks.accept(new("1"))
    task = await the_one(there.tasks)
    woken = asyncio.Event()
    there.tasks.watch(woken.set)
    assert await here.tasks.cancel(ADA, "work", "1")
    async with asyncio.timeout(SOON):
        await woken.wait()
    assert await there.tasks.look([task]) == {task.number: "cancelled"}


async def test_what_was_taken_without_anybody_knowing_is_put_back(open_one: Open) -> None:
    store = (await open_one()).tasks
    await store.accept(new("1"))
    await store.accept(new("2", "other"))
    lost, known = await taken(store)
    assert await store.look([known]) == {}
    again = await the_one(store)
    assert (again.id, again.attempt, again.failures) == (lost.id, 2, 0)


async def test_the_id_of_an_ended_task_is_known_for_its_time_and_what_it_said_is_gone_at_once(
    open_one: Open, sql: Callable[[str], list[Any]]
) -> None:
    store = await open_one()
    await store.tasks.accept(new("1"))
    await store.tasks.settle(await the_one(store.tasks), "done")
    assert sql("SELECT payload, circumstances, outcome FROM af_task") == [(None, None, "done")]
    sql("UPDATE af_task SET ended_at = ended_at - 86000")
    await store.sweep()
    assert not await store.tasks.accept(new("1"))
    sql("UPDATE af_task SET ended_at = ended_at - 1000")
    await store.sweep()
    assert await store.tasks.accept(new("1"))


async def test_what_nobody_could_do_is_forgotten_in_the_end_with_a_word_and_what_runs_is_not(
    open_one: Open, sql: Callable[[str], list[Any]], caplog: pytest.LogCaptureFixture
) -> None:
    store = await open_one()
    await store.tasks.accept(new("1"))
    await the_one(store.tasks)
    await store.tasks.accept(new("2", kind="of an older release"))
    await store.tasks.accept(new("3", kind="of an older release"))
    sql("UPDATE af_task SET created_at = created_at - 31 * 86400 WHERE task_id IN ('1', '2')")
    await store.sweep()
    assert sql("SELECT task_id FROM af_task ORDER BY task_id") == [("1",), ("3",)]
    assert "nobody has done within 30 days: 1 of the kind of an older release." in caplog.text


async def test_a_sweep_goes_past_ended_tasks_whose_events_are_kept_few_at_a_time(
    open_one: Open, sql: Callable[[str], list[Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlstore, "_SWEPT", 3)
    store = await open_one()
    for number in range(10):
        await store.tasks.accept(new(str(number)))
        task = await the_one(store.tasks)
        if number < 7:
            assert await store.events.append(RunName(ADA, "work", task.id), [Event(task.attempt, 0, b"said")])
        await store.tasks.settle(task, "done")
    # Many may have ended at the same moment.
    sql("UPDATE af_task SET ended_at = 1")
    await store.sweep()
    assert sql("SELECT count(*) FROM af_task") == [(7,)]
    await store.events.forget(RunName(ADA, "work", "5"))
    await store.sweep()
    assert sql("SELECT task_id FROM af_task ORDER BY task_id") == [(number,) for number in "012346"]


async def test_a_look_that_finds_nothing_waits_for_nobody_who_writes(make_database: Callable[[str], str]) -> None:
    database = make_database("sqlite")
    store = open_store(database, limits=Limits())
    await store.start()
    engine = sqlite_engine(Path(database.removeprefix("sqlite:///")))
    # Another process writes, for longer than anybody waits.
    with engine.begin():
        assert await taken(store.tasks) == await store.tasks.take(["work"], most=1, suspects=True) == []
        assert await store.tasks.look([]) == {}
        assert await store.tasks.find(ADA, "work", "1") is None
    await store.stop()


async def test_tasks_that_are_not_done_are_counted_by_their_kinds(store: TaskStore) -> None:
    for id, kind in (("1", "work"), ("2", "work"), ("3", "other")):
        await store.accept(new(id, id, kind=kind))
    await store.settle((await taken(store, most=1))[0], "done")
    assert await store.open_kinds() == {"work": 1, "other": 1}


async def test_who_joins_a_line_while_another_one_is_still_being_accepted_comes_after_it(
    postgres: str, make_database: Callable[[str], str]
) -> None:
    """The other one has its number already, and nobody can see it yet."""
    database = make_database("postgres")
    first, second = PostgresDriver(database), open_store(database, limits=Limits())

    def slowly() -> Script[bool]:
        is_new = yield from accept(new("1"))
        yield from do("SELECT pg_sleep(0.5) AS in_the_middle")
        return is_new

    await second.start()
    await first.start(lambda: None)
    async with asyncio.timeout(SOON):
        accepting = asyncio.create_task(first.run(slowly, durable=True))
        engine = engine_of(postgres)
        sleeping = text(
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND query LIKE '%in_the_middle'"
        )
        with engine.connect() as connection:
            while not connection.execute(sleeping).scalar_one():
                connection.rollback()
                await asyncio.sleep(0.01)  # until the database is in the middle of it
        assert await second.tasks.accept(new("2"))
        assert (await the_one(second.tasks)).id == "1"
        assert await accepting
    await first.stop()
    await second.stop()
