"""Turns beside an operator who forgets them, on PostgreSQL: none of them waits for one that waits for it.

The server would notice after a while, end one of the two, and have it tried again. Here it never does.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Generator
from functools import partial
from typing import Any, LiteralString
from uuid import uuid4

import psycopg
import pytest

from agent_framework_hosting._state.database import open_engine, open_store
from agent_framework_hosting._state.sql import retention
from agent_framework_hosting._state.sql.postgres import PostgresDriver
from agent_framework_hosting._state.sql.purge import Purged, purge
from agent_framework_hosting._state.sql.retention import Ages
from agent_framework_hosting._state.sql.selection import Selection
from agent_framework_hosting._state.sql.sqlstore import SqlStore
from agent_framework_hosting._state.store import Opened, Unfinished
from agent_framework_hosting._state.turns import SessionName
from agent_framework_hosting.limits import Limits
from agent_framework_hosting.testing.contracts._store_turns import ADA, CLAIM, done, placed, said

SOON = 60.0
# For a row: others in the same database hold what whoever migrates, or notifies, waits for.
WAITING = "FROM pg_stat_activity WHERE application_name = %s AND wait_event IN ('tuple', 'transactionid')"


class Held:
    """The row of a turn, which those who want it wait for."""

    def __init__(self, connection: psycopg.AsyncConnection[Any], name: str) -> None:
        self._connection, self._name = connection, name

    async def hold(self, point: Any) -> None:
        await self._connection.execute("SELECT 1 FROM af_turn WHERE number = %s FOR UPDATE", (point,))

    async def waited_for_by(self, count: int) -> None:
        """Wait until so many wait, for the row or for each other."""
        async with await psycopg.AsyncConnection.connect(self._connection.info.dsn, autocommit=True) as looking:
            seen: Any = None
            while seen != (count,):
                await asyncio.sleep(0.01)
                seen = await (await looking.execute(f"SELECT count(*) {WAITING}".encode(), (self._name,))).fetchone()

    async def let_go(self) -> None:
        await self._connection.commit()

    async def rows(self, table: LiteralString) -> list[Any]:
        return await self.execute(f"TABLE {table}")

    async def identified(self) -> list[Any]:
        return await self.execute("SELECT turn_id FROM af_turn WHERE turn_id IS NOT NULL")

    async def execute(self, query: LiteralString) -> list[Any]:
        return await (await self._connection.execute(query)).fetchall()


@pytest.fixture
def name() -> str:
    return f"locks-{uuid4().hex}"


@pytest.fixture
def url(make_database: Callable[[str], str], name: str) -> str:
    return f"{make_database('postgres')}%20-cdeadlock_timeout%3D1h&application_name={name}"


@pytest.fixture
async def store(url: str) -> AsyncGenerator[SqlStore]:
    store: Any = open_store(url, limits=Limits(lease=SOON))
    await store.start()
    yield store
    await store.stop()


@pytest.fixture
async def held(url: str, name: str, store: SqlStore) -> AsyncGenerator[Held]:
    async with await psycopg.AsyncConnection.connect(url.replace(name, "test")) as connection:
        yield Held(connection, name)
        # Whoever still waits has failed the test, and waits for ever.
        await connection.rollback()
        await connection.execute(f"SELECT pg_terminate_backend(pid) {WAITING}".encode(), (name,))


@pytest.fixture
def purging(url: str) -> Generator[Callable[[], asyncio.Task[Purged]]]:
    """Return a function that begins to forget the conversation."""
    engine = open_engine(url)
    yield lambda: asyncio.create_task(asyncio.to_thread(purge, engine, Selection(session="k")))
    engine.dispose()


async def test_a_branch_is_stored_while_its_conversation_is_purged(
    store: SqlStore, held: Held, purging: Callable[[], asyncio.Task[Purged]]
) -> None:
    """The branch's session is known already, since an earlier turn of it did not finish."""
    point = await said(store, turn_id="t1")
    branch = Opened(SessionName("default", "b", "b", root="k"), 0, point)
    failed = await placed(store, "b")
    await failed.leave(Unfinished(session=branch.name, version=0, owner=ADA, turn_id="t2", record=b"1"), has_run=True)
    place = await placed(store, "b")
    async with asyncio.timeout(SOON):
        await held.hold(point)
        committing = asyncio.create_task(place.commit(done(store, branch, turn_id="t3")))
        await held.waited_for_by(1)
        purged = purging()
        await held.waited_for_by(2)
        await held.let_go()
        await committing
        assert (await purged).turns == 3
    assert await held.rows("af_turn") == await held.rows("af_session") == []


async def test_a_turn_that_never_ran_gives_its_answers_back_while_its_conversation_is_purged(
    store: SqlStore, held: Held, purging: Callable[[], asyncio.Task[Purged]]
) -> None:
    point = await said(store, turn_id="t1")
    place = await placed(store, answers=("a",))
    async with asyncio.timeout(SOON):
        await held.hold(point)
        purged = purging()
        await held.waited_for_by(1)
        leaving = asyncio.create_task(place.leave(has_run=False))
        await held.waited_for_by(2)
        await held.let_go()
        await leaving
        assert (await purged).turns == 1
    again = await placed(store, answers=("a",))
    await again.leave(has_run=False)


async def test_a_record_and_its_idempotency_key_are_forgotten_while_the_conversation_is_purged(
    store: SqlStore, held: Held, purging: Callable[[], asyncio.Task[Purged]]
) -> None:
    point = await keyed(store)
    async with asyncio.timeout(SOON):
        await held.hold(point)
        forgetting = asyncio.create_task(store.records.forget(ADA, "t1"))
        await held.waited_for_by(1)
        purged = purging()
        await held.waited_for_by(2)
        await held.let_go()
        await forgetting
        assert (await purged).turns == 1
    assert await held.rows("af_claim") == []


async def test_a_sweep_leaves_what_somebody_has_to_the_next_one(store: SqlStore, held: Held, url: str) -> None:
    """Two of them, or one beside a purge, have their rows in no common order."""
    point = await keyed(store)
    async with asyncio.timeout(SOON):
        await held.hold(point)
        await sweep(url, claims=SOON)
        assert await held.identified() == [("t1",)]
        await held.let_go()
        await held.execute("SELECT 1 FROM af_claim FOR UPDATE")
        await sweep(url)
        assert await held.identified() == []
        assert len(await held.rows("af_claim")) == 1
        await held.let_go()
        await sweep(url)
    assert await held.rows("af_claim") == []


async def test_a_sweep_has_turns_before_answers_as_a_purge_has(store: SqlStore, held: Held, url: str) -> None:
    await said(store, turn_id="t1")
    unfinished = await placed(store, "other", answers=("a",))
    async with asyncio.timeout(SOON):
        await held.execute("SELECT 1 FROM af_answer FOR UPDATE")
        sweeping = asyncio.create_task(sweep(url))
        await held.waited_for_by(1)
        assert await held.execute("SELECT 1 FROM af_turn FOR UPDATE SKIP LOCKED") == []
        await held.let_go()
        await sweeping
    await unfinished.leave(has_run=True)
    assert await held.rows("af_answer") == []


async def keyed(store: SqlStore) -> Any:
    """Take a turn with an idempotency key, and return its point."""
    place = await placed(store, claim=CLAIM)
    return await place.commit(done(store, await place.open(), turn_id="t1"))


async def sweep(url: str, *, claims: float = 0.0) -> None:
    driver = PostgresDriver(url)
    await driver.start(lambda: None)
    try:
        ages = Ages(sessions=0.0, records=0.0, claims=claims)
        await driver.run(partial(retention.sweep, ages, most=10), durable=True)
    finally:
        await driver.stop()
