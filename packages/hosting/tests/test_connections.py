"""PostgreSQL under more work than it has connections for: new work is refused, and what has run is kept."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import asynccontextmanager, contextmanager
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from agent_framework_hosting._state.documents import NewDocument
from agent_framework_hosting._state.sql import connections, postgres
from agent_framework_hosting._state.sql.connections import CONNECTIONS, SHARE, Connections
from agent_framework_hosting._state.sql.postgres import PostgresDriver
from agent_framework_hosting._state.sql.retention import Ages
from agent_framework_hosting._state.sql.script import Script, do, one
from agent_framework_hosting._state.sql.sqlstore import SqlStore
from agent_framework_hosting._state.sql.turns import rotate
from agent_framework_hosting._state.sql.worker import Worker
from agent_framework_hosting._state.tasks import NewTask
from agent_framework_hosting.errors import StateUnavailable
from agent_framework_hosting.stores import Claim
from agent_framework_hosting.testing.contracts._store_turns import ADA, asked, done, placed

SOON = 60.0


@contextmanager
def in_a_hurry() -> Generator[None]:
    """Let new work be refused at once, and what goes ahead look often."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(connections, "_IN_LINE", 0.1)
        patch.setattr(connections, "_LOOK", 0.05)
        yield


class Gate:
    """A lock of the database that a test holds, so that transactions stand still."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._connection = connection
        self._number = uuid4().int % 2**31
        connection.execute("SELECT pg_advisory_lock(%s)", (self._number,))

    def through(self) -> Script[None]:
        yield from do("SELECT pg_advisory_xact_lock_shared(:number)", number=self._number)

    def open(self) -> None:
        self._connection.execute("SELECT pg_advisory_unlock(%s)", (self._number,))

    async def stood_at_by(self, many: int) -> None:
        standing = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = %s AND NOT granted"
        async with asyncio.timeout(SOON):
            standing_there = -1
            while standing_there != many:
                await asyncio.sleep(0.01)
                ((standing_there,),) = self._connection.execute(standing, (self._number,))


@pytest.fixture
def gate(postgres: str) -> Generator[Gate]:
    with psycopg.connect(postgres, autocommit=True) as connection:
        yield Gate(connection)


@pytest.fixture
async def driver(make_database: Callable[[str], str]) -> AsyncGenerator[PostgresDriver]:
    driver = PostgresDriver(make_database("postgres"), longest_pause=SOON)
    await driver.start(lambda: None)
    yield driver
    await driver.stop()


@asynccontextmanager
async def standing(driver: PostgresDriver, gate: Gate, *, new: int = SHARE, ahead: int = 0) -> AsyncGenerator[None]:
    """Let so many transactions have a connection each, until the block is over."""
    all_of_them = [driver.run(gate.through, durable=False, ahead=which < ahead) for which in range(new + ahead)]
    running = [asyncio.ensure_future(each) for each in all_of_them]
    try:
        await gate.stood_at_by(new + ahead)
        with in_a_hurry():
            yield
    finally:
        gate.open()
        await asyncio.gather(*running)


def answer() -> Script[Any]:
    return (yield from one("SELECT 1"))


async def test_new_work_is_refused_soon_when_its_share_is_taken_and_the_rest_is_there_for_what_goes_ahead(
    driver: PostgresDriver, gate: Gate, caplog: pytest.LogCaptureFixture
) -> None:
    async with standing(driver, gate):
        for working in (driver.run(answer, durable=True), driver.read(answer)):
            with pytest.raises(StateUnavailable):
                await working
        assert "other requests had all connections for new work for 0.1 s" in caplog.text
        for _ in range(2 * CONNECTIONS):
            assert await driver.run(answer, durable=True, ahead=True) == (1,)
            assert await driver.read(answer, ahead=True) == (1,)
    assert await driver.run(answer, durable=True) == (1,)


async def test_what_goes_ahead_waits_while_others_have_all_connections(
    driver: PostgresDriver, gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried, getconn = asyncio.Queue[None](), AsyncConnectionPool[Any].getconn

    async def try_once(self: AsyncConnectionPool[Any], timeout: float | None = None) -> Any:
        tried.put_nowait(None)
        return await getconn(self, timeout)

    async with standing(driver, gate, ahead=CONNECTIONS - SHARE):
        monkeypatch.setattr(AsyncConnectionPool, "getconn", try_once)
        waiting = asyncio.create_task(driver.run(answer, durable=True, ahead=True))
        async with asyncio.timeout(SOON):
            for _ in range(3):
                await tried.get()
        assert not waiting.done()
    assert await waiting == (1,)


async def test_what_goes_ahead_does_not_wait_for_what_nobody_has() -> None:
    async def configure(_: Any) -> None: ...

    with socket.socket() as holder:
        # Taken, and nobody listens.
        holder.bind(("127.0.0.1", 0))
        away = f"postgresql://postgres@127.0.0.1:{holder.getsockname()[1]}/postgres"
        connections = Connections(away, connecting={"connect_timeout": 5}, longest=SOON, configure=configure)
        await connections.open()
        with in_a_hurry(), pytest.raises(PoolTimeout):
            async with asyncio.timeout(SOON), connections.take(ahead=True):
                pass
        await connections.close()


async def test_who_is_cancelled_when_a_connection_comes_gets_none(
    make_database: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a worker that was told to end would go on, and take what nobody does."""
    monkeypatch.setattr(connections, "CONNECTIONS", 1)

    async def configure(_: Any) -> None: ...

    pool = Connections(make_database("postgres"), connecting={}, longest=SOON, configure=configure)
    await pool.open()

    async def stand() -> None:
        async with pool.take(ahead=True):
            task = asyncio.current_task()
            assert task is not None
            assert not task.cancelling()
            await asyncio.Event().wait()

    async with asyncio.timeout(SOON):
        for steps in range(20):
            async with pool.take(ahead=True):
                standing = asyncio.create_task(stand())
                await asyncio.sleep(0)
            for _ in range(steps):
                await asyncio.sleep(0)
            standing.cancel()
            with pytest.raises(asyncio.CancelledError):
                await standing
    await pool.close()


async def test_a_host_under_too_much_work_keeps_what_has_run_and_gives_back_what_it_holds(
    make_database: Callable[[str], str], gate: Gate
) -> None:
    """All of this in the little that new work leaves; only what is new is refused."""
    driver = PostgresDriver(make_database("postgres"), longest_pause=SOON)
    store = SqlStore(driver, ages=Ages(sessions=SOON, records=SOON, claims=SOON), lease=SOON)
    await store.start()
    claim = Claim("c", "key", b"body")
    ran, failed, settled = [await placed(store, key) for key in ("ran", "failed")] + [
        await placed(store, "settled", claim=claim)
    ]
    opened = [await each.open() for each in (ran, failed, settled)]
    await store.documents.add(ADA, "k", [NewDocument("kind", "1", b"{}"), NewDocument("kind", "2", b"{}")])
    await store.tasks.accept(task("1"))
    await store.tasks.accept(task("2"))
    first, second = await store.tasks.take(["work"], most=2)
    async with standing(driver, gate):
        with pytest.raises(StateUnavailable):
            await store.accept(asked("new"))
        with pytest.raises(StateUnavailable):
            await store.tasks.accept(task("3"))
        await ran.commit(done(store, opened[0], turn_id="t1"))
        await failed.leave(has_run=True)
        await settled.settle(b"{}")
        await store.mark_answered(opened[0].name, ["approval"])
        # The lease is renewed in the same way.
        worker = Worker(driver, lease=SOON)
        await worker.start()
        await worker.stop()
        assert await store.tasks.look([first, second]) == {}
        assert await store.tasks.settle(first, "done")
        assert await store.tasks.put_back(second, after=0.0, has_failed=False)
        assert await store.documents.replace(ADA, "kind", "1", b"[]")
        assert await store.documents.remove(ADA, "kind", "2")
        await store.claims.forget(ADA, claim)
    assert await store.find(ADA, "t1") is not None
    await store.stop()


def task(id: str) -> NewTask:
    return NewTask(
        owner=ADA,
        kind="work",
        id=id,
        line=id,
        payload=b"1",
        circumstances=b"{}",
        max_waiting=9,
        max_open=9,
    )


async def test_who_waits_without_an_event_loop_is_let_go_when_the_server_does_not_answer_in_time(
    make_database: Callable[[str], str], gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres, "PATIENCE", 1.0)
    driver = PostgresDriver(make_database("postgres"), longest_pause=0.5)
    with pytest.raises(StateUnavailable):
        async with asyncio.timeout(SOON):
            await asyncio.to_thread(driver.run_now, gate.through)


async def test_who_stands_still_without_an_event_loop_lets_others_at_its_rows(
    make_database: Callable[[str], str],
) -> None:
    """As a process that is stopped in the middle of a reset."""
    is_in_the_middle, goes_on = threading.Event(), threading.Event()
    driver = PostgresDriver(make_database("postgres"), longest_pause=0.2)
    await driver.start(lambda: None)

    def slowly() -> Script[None]:
        yield from rotate("default", "k", "slow")
        is_in_the_middle.set()
        goes_on.wait(SOON)

    standing = asyncio.create_task(asyncio.to_thread(driver.run_now, slowly))
    await asyncio.to_thread(is_in_the_middle.wait)
    try:
        async with asyncio.timeout(SOON):
            await asyncio.to_thread(driver.run_now, lambda: rotate("default", "k", "quick"))
    finally:
        goes_on.set()
    with pytest.raises(StateUnavailable):
        await standing
    assert await driver.read(lambda: one("SELECT suffix FROM af_alias")) == ("quick",)
    await driver.stop()
