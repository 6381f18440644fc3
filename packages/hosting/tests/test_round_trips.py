"""What a turn asks of its database, in round trips and statements; and that what goes out as one goes in as one."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncGenerator, Callable, Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import NullPool, create_engine, text

from agent_framework_hosting._state.database import open_store
from agent_framework_hosting._state.sql.driver import Driver
from agent_framework_hosting._state.sql.postgres import PostgresDriver
from agent_framework_hosting._state.sql.script import Row, Script, Statement, all_of, do, one, together
from agent_framework_hosting._state.sql.sqlite import SqliteDriver
from agent_framework_hosting._state.sql.wire import Wire
from agent_framework_hosting.errors import StateUnavailable, UnknownParent
from agent_framework_hosting.limits import Limits
from agent_framework_hosting.stores import Claim, StateStore
from agent_framework_hosting.testing.contracts._store_turns import asked, done, placed, said

SOON = 60.0
CALM = Limits(lease=SOON)
"""Nothing is asked but what turns ask."""
ALIAS = "INSERT INTO af_alias (tenant, key, suffix, rotated_at) VALUES ('', :key, :suffix, {now})"


async def started(store: StateStore) -> StateStore:
    await store.start()
    return store


@pytest.fixture
async def store(database: str) -> AsyncGenerator[StateStore]:
    store = await started(open_store(database, limits=CALM))
    yield store
    await store.stop()


@contextmanager
def counted_trips(monkeypatch: pytest.MonkeyPatch) -> Generator[list[None]]:
    """Count how often this task asks the server; others look after leases, and the pool after its connections."""
    trips, ask, me = list[None](), Wire.ask, asyncio.current_task()

    async def counted(self: Wire, statements: Sequence[Statement]) -> list[list[Row]]:
        if asyncio.current_task() is me:
            trips.append(None)
        return await ask(self, statements)

    with monkeypatch.context() as patch:
        patch.setattr(Wire, "ask", counted)
        yield trips


@pytest.mark.parametrize(
    ("wanted", "trips"),
    [({}, 3), ({"parent": "first", "key": None}, 3), ({"claim": Claim("c", "key", b"body")}, 5)],
    ids=["of its key", "continued", "with an idempotency key"],
)
async def test_a_turn_on_postgres_takes_so_many_round_trips(
    make_database: Callable[[str], str], monkeypatch: pytest.MonkeyPatch, wanted: dict[str, Any], trips: int
) -> None:
    store = await started(open_store(make_database("postgres"), limits=CALM))
    await said(store, turn_id="first")
    with counted_trips(monkeypatch) as counted:
        place = await placed(store, **wanted)
        await place.commit(done(store, await place.open(), turn_id="second"))
    assert len(counted) == trips
    await store.stop()


@pytest.mark.parametrize("wanted", [{}, {"parent": "first", "key": None}], ids=["of its key", "continued"])
async def test_a_turn_on_sqlite_is_two_statements_at_its_beginning_and_four_at_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wanted: dict[str, Any]
) -> None:
    statements, connect = list[str](), sqlite3.connect

    def watched(where: str, **how: Any) -> sqlite3.Connection:
        connection = connect(where, **how)
        connection.set_trace_callback(lambda said: statements.append(said.split(maxsplit=1)[0]))
        return connection

    monkeypatch.setattr(sqlite3, "connect", watched)
    store = await started(open_store(f"sqlite:///{tmp_path}/state/host.db", limits=CALM))
    await said(store, turn_id="first")
    statements.clear()
    place = await placed(store, **wanted)
    await place.commit(done(store, await place.open(), turn_id="second"))
    began = ["PRAGMA", "BEGIN", "INSERT", "SELECT", "COMMIT"]
    assert statements == [*began, "PRAGMA", "BEGIN", "SELECT", "INSERT", "INSERT", "UPDATE", "COMMIT"]
    await store.stop()


@pytest.fixture(params=["sqlite", "postgres"])
async def driver(
    request: pytest.FixtureRequest, make_database: Callable[[str], str], tmp_path: Path
) -> AsyncGenerator[Driver]:
    driver: Driver = (
        SqliteDriver(tmp_path / "state" / "host.db")
        if request.param == "sqlite"
        else PostgresDriver(make_database("postgres"), longest_pause=SOON)
    )
    await driver.start(lambda: None)
    yield driver
    await driver.stop()


def aliases() -> Script[list[Row]]:
    return (yield from all_of("SELECT key, suffix FROM af_alias ORDER BY key"))


def alias(key: str, suffix: str = "s") -> Statement:
    return Statement(ALIAS, {"key": key, "suffix": suffix})


@pytest.mark.parametrize("is_whole", [True, False])
async def test_when_one_statement_of_a_batch_fails_none_has_happened(driver: Driver, *, is_whole: bool) -> None:
    def twice() -> Script[Any]:
        return (yield from together(alias("a"), alias("b"), alias("a"), alias("c"), is_whole=is_whole))

    for _ in range(2):
        with pytest.raises((sqlite3.IntegrityError, psycopg.IntegrityError)):
            await driver.run(twice, durable=True)
        assert await driver.run(aliases, durable=True) == []


async def test_a_transaction_that_is_refused_behind_a_batch_has_not_happened(driver: Driver) -> None:
    def refused() -> Script[None]:
        yield from together(alias("a"), alias("b"))
        raise UnknownParent("no")

    with pytest.raises(UnknownParent):
        await driver.run(refused, durable=True)
    assert await driver.run(aliases, durable=True) == []


async def test_a_whole_batch_stays_and_what_follows_it_is_done_as_well(driver: Driver) -> None:
    def both() -> Script[Any]:
        yield from together(alias("a"), is_whole=True)
        yield from do(ALIAS, key="b", suffix="s")
        yield from together(alias("c"), is_whole=True)

    await driver.run(both, durable=False)
    assert await driver.read(aliases) == [("a", "s"), ("b", "s"), ("c", "s")]


async def test_each_statement_of_a_batch_sees_what_those_before_it_did(driver: Driver) -> None:
    def counted() -> Script[Any]:
        count = Statement("SELECT count(*) FROM af_alias", {})
        return (yield from together(count, alias("a"), count, alias("b"), count, is_whole=True))

    assert await driver.run(counted, durable=True) == [(0,), None, (1,), None, (2,)]


@pytest.mark.parametrize("size", [0, 1, 3_000_000])
async def test_what_is_kept_comes_back_as_it_was_whatever_its_size(driver: Driver, size: int) -> None:
    """More than goes into a socket at once, in both directions."""

    read = Statement("SELECT suffix FROM af_alias WHERE key = '0'", {})

    def kept() -> Script[Any]:
        return (yield from together(*(alias(str(each), "ä" * size) for each in range(3)), *[read] * 3))

    assert await driver.run(kept, durable=True) == [None] * 3 + [("ä" * size,)] * 3


async def test_text_is_not_cut_at_a_nul_on_postgres(make_database: Callable[[str], str]) -> None:
    driver = PostgresDriver(make_database("postgres"))
    await driver.start(lambda: None)

    def cut() -> Script[Any]:
        return (yield from one("SELECT suffix FROM af_alias WHERE key = :key", key="a\0b"))

    with pytest.raises(psycopg.DataError):
        await driver.run(cut, durable=True)
    # The connection is as good as before.
    assert await driver.run(aliases, durable=True) == []
    await driver.stop()


async def test_a_transaction_that_is_given_up_leaves_nothing_and_frees_its_rows(
    make_database: Callable[[str], str],
) -> None:
    url = make_database("postgres")
    driver = PostgresDriver(url, longest_pause=SOON)
    await driver.start(lambda: None)

    def waiting() -> Script[Any]:
        return (yield from together(alias("a"), Statement("SELECT pg_advisory_xact_lock(77)", {}), alias("b")))

    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as holder:
        await holder.execute("SELECT pg_advisory_lock(77)")
        task = asyncio.create_task(driver.run(waiting, durable=True))
        async with asyncio.timeout(SOON):
            stands = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = 77 AND NOT granted"
            standing: Any = None
            while standing != (1,):
                await asyncio.sleep(0.01)
                standing = await (await holder.execute(stands)).fetchone()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await driver.run(aliases, durable=True) == []
    await driver.stop()


async def test_a_connection_that_the_server_ends_in_the_middle_is_replaced(make_database: Callable[[str], str]) -> None:
    driver = PostgresDriver(make_database("postgres"), longest_pause=SOON)
    await driver.start(lambda: None)

    def ended() -> Script[Any]:
        ending = Statement("SELECT pg_terminate_backend(pg_backend_pid())", {})
        return (yield from together(alias("a"), ending, alias("b"), is_whole=True))

    with pytest.raises(StateUnavailable):
        await driver.run(ended, durable=True)
    assert await driver.run(aliases, durable=True) == []
    await driver.stop()


async def test_a_turn_whose_parent_is_forgotten_while_it_takes_its_line_gives_the_line_back(
    store: StateStore, database: str
) -> None:
    await said(store, turn_id="first")
    forget = "UPDATE af_turn SET turn_id = NULL, record = NULL"
    engine = create_engine(database.replace("postgresql://", "postgresql+psycopg://"), poolclass=NullPool)
    with engine.begin() as connection:
        if engine.dialect.name == "sqlite":
            connection.execute(text(f"CREATE TRIGGER forgets AFTER UPDATE ON af_lane BEGIN {forget}; END"))
        else:
            body = f"BEGIN {forget}; RETURN NULL; END"
            connection.execute(text(f"CREATE FUNCTION forgets() RETURNS trigger LANGUAGE plpgsql AS '{body}'"))
            connection.execute(text("CREATE TRIGGER forgets AFTER UPDATE ON af_lane EXECUTE FUNCTION forgets()"))
    with pytest.raises(UnknownParent):
        await store.accept(asked(None, parent="first"))
    async with asyncio.timeout(SOON):
        place = await placed(store)
        await place.open()
    await place.leave(has_run=False)
