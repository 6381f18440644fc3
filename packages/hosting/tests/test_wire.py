"""PostgreSQL as others leave it: poolers that forget, tables that change, settings and encodings that are not ours."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, cast
from uuid import uuid4

import psycopg
import pytest
from psycopg import errors

from agent_framework_hosting._state.database import open_store
from agent_framework_hosting._state.sql import accept, connections, lanes, postgres
from agent_framework_hosting._state.sql.postgres import PostgresDriver
from agent_framework_hosting._state.sql.script import Row, Script, Statement, all_of, do, one, together
from agent_framework_hosting._state.sql.wire import Wire
from agent_framework_hosting.errors import ConfigurationError, InvalidRequest, StateUnavailable
from agent_framework_hosting.limits import Limits
from agent_framework_hosting.testing.contracts._store_turns import asked, done, placed, said

SOON = 60.0
ALIAS = "INSERT INTO af_alias (tenant, key, suffix, rotated_at) VALUES ('', :key, :suffix, {now})"
OFTEN = 10
"""Times that something is asked, so that each connection of a small pool has been asked."""


@asynccontextmanager
async def started(url: str) -> AsyncGenerator[PostgresDriver]:
    driver = PostgresDriver(url, longest_pause=SOON)
    await driver.start(lambda: None)
    try:
        yield driver
    finally:
        await driver.stop()


@pytest.fixture
def url(make_database: Callable[[str], str]) -> str:
    return make_database("postgres")


def aliases() -> Script[list[Row]]:
    return (yield from all_of("SELECT key, suffix FROM af_alias ORDER BY key"))


@pytest.mark.parametrize("how", ["DISCARD ALL", "DEALLOCATE ALL"])
async def test_a_connection_whose_statements_a_pooler_forgot_is_replaced_and_nobody_notices(url: str, how: str) -> None:
    async with started(url) as driver:
        for _ in range(OFTEN):
            await driver.run(aliases, durable=True)
            await driver.read(aliases)
        for _ in range(OFTEN):
            # Some connection forgets, and any may be asked next.
            await driver.run(lambda: together(Statement(how, {}), is_whole=True), durable=True)
            assert await driver.run(aliases, durable=True) == []
            assert await driver.read(aliases) == []


async def test_a_statement_is_never_taken_for_another_one_when_a_pooler_gives_its_connection_another_server(
    url: str,
) -> None:
    connecting = partial(psycopg.AsyncConnection.connect, url, autocommit=True)
    mine, theirs = Statement("SELECT :value", {"value": "mine"}), Statement("SELECT :value || '!'", {"value": "theirs"})
    async with await connecting() as first, await connecting() as second:
        one, other = Wire(first), Wire(second)
        assert (await one.ask((mine,)), await other.ask((theirs,))) == ([[("mine",)]], [[("theirs!",)]])
        first.pgconn, second.pgconn = second.pgconn, first.pgconn
        with pytest.raises(errors.InvalidSqlStatementName):
            await one.ask((mine,))


async def test_a_host_is_not_started_where_a_pooler_loses_its_wakes(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres, "_HEARD", 0.1)
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        # In front of the server's own, it notifies nobody.
        await connection.execute("CREATE FUNCTION pg_notify(text, text) RETURNS void LANGUAGE sql AS 'SELECT'")
    store = open_store(f"{url}%2Cpg_catalog", limits=Limits(lease=SOON))
    with pytest.raises(ConfigurationError, match="pool_mode = session"):
        await store.start()


async def test_a_host_that_may_have_one_connection_alone_is_told_how_many_it_needs(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "_LOOK", 0.1)
    role = f"r{uuid4().hex}"
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        await connection.execute(f"CREATE ROLE {role} LOGIN CONNECTION LIMIT 1".encode())
        await connection.execute(f"GRANT ALL ON SCHEMA {url.rpartition('%3D')[2]} TO {role}".encode())
        store = open_store(url.replace("postgres:", f"{role}:", 1), limits=Limits(lease=SOON))
        with pytest.raises(ConfigurationError, match="each process have 10"):
            await store.start()
        await connection.execute(f"DROP OWNED BY {role}".encode())
        await connection.execute(f"DROP ROLE {role}".encode())


async def test_a_table_that_changes_while_statements_about_it_are_prepared_is_read_as_it_is(url: str) -> None:
    async with started(url) as driver:
        table = partial(all_of, "SELECT * FROM changing")
        await driver.run(partial(do, "CREATE TABLE changing (a text)"), durable=True)
        await driver.run(partial(do, "INSERT INTO changing VALUES ('a')"), durable=True)
        for _ in range(OFTEN):
            assert await driver.run(table, durable=True) == [("a",)]
            assert await driver.read(table) == [("a",)]
        await driver.run(partial(do, "ALTER TABLE changing ADD b text"), durable=True)
        for _ in range(OFTEN):
            assert await driver.run(table, durable=True) == [("a", None)]
            assert await driver.read(table) == [("a", None)]


async def test_statements_that_fail_at_once_do_not_pile_up_in_the_server(url: str) -> None:
    def twice() -> Script[Any]:
        alias = Statement(ALIAS, {"key": "a", "suffix": "s"})
        return (yield from together(alias, alias))

    count = "SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE 'INSERT INTO af_alias%'"
    async with started(url) as driver:
        for _ in range(OFTEN):
            with pytest.raises(psycopg.IntegrityError):
                await driver.run(twice, durable=True)
        for _ in range(OFTEN):
            assert await driver.run(partial(one, count), durable=True) in {(0,), (1,)}


@pytest.mark.parametrize("level", ["serializable", "repeatable read"])
async def test_those_who_wait_see_what_was_done_meanwhile_whatever_the_servers_isolation_is(
    url: str, level: str
) -> None:
    wanted = level.replace(" ", "%5C%20")
    async with started(f"{url}%20-cdefault_transaction_isolation%3D{wanted}") as driver:
        assert await driver.run(partial(one, "SHOW transaction_isolation"), durable=True) == ("read committed",)
        assert await driver.read(partial(one, "SHOW transaction_isolation")) == ("read committed",)


async def test_a_ticket_that_is_tried_again_after_it_took_its_line_has_it_and_does_not_wait_for_itself(
    url: str,
) -> None:
    store = open_store(url, limits=Limits(lease=SOON))
    await store.start()
    await said(store)
    async with started(url) as driver:
        alive = partial(lanes.register, worker="worker", address=driver.address, lease=SOON)
        await driver.run(alive, durable=False)
        accepting = partial(accept.accept, asked(), ticket="ticket", worker="worker")
        for _ in range(2):
            accepted = await driver.run(accepting, durable=False)
            assert isinstance(accepted, accept.Accepted)
            assert accepted.fence is not None
        await driver.run(partial(accept.give_back, ticket="ticket", worker="worker"), durable=False)
    place = await placed(store)
    await place.open()
    await place.leave(has_run=False)
    await store.stop()


@pytest.fixture(params=["SQL_ASCII", "LATIN1"])
def foreign(request: pytest.FixtureRequest, url: str) -> Generator[tuple[str, str]]:
    """A database that is not encoded as UTF8."""
    name = f"e{uuid4().hex}"
    with psycopg.connect(url, autocommit=True) as connection:
        create = f"CREATE DATABASE {name} TEMPLATE template0 LOCALE 'C' ENCODING '{request.param}'"
        connection.execute(create.encode())
        yield request.param, url.replace("/postgres?", f"/{name}?").partition("&options=")[0]
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


async def test_a_database_of_another_encoding_keeps_what_it_can_and_refuses_the_rest(foreign: tuple[str, str]) -> None:
    encoding, url = foreign
    store = open_store(url, limits=Limits(lease=SOON))
    await store.start()
    try:
        await said(store, turn_id="é")
        place = await placed(store, None, parent="é")
        assert place.parent is not None
        await place.commit(done(store, await place.open(), turn_id="è"))
        if encoding == "SQL_ASCII":
            await said(store, "ж", turn_id="€")
        else:
            with pytest.raises(InvalidRequest, match="not encoded as UTF8"):
                await said(store, "ж")
    finally:
        await store.stop()


async def test_a_batch_that_is_given_up_while_it_is_sent_leaves_nothing(url: str) -> None:
    """More than the server takes while it waits for something else."""
    size, lock = 3_000_000, 78

    def sending() -> Script[Any]:
        big = [Statement(ALIAS, {"key": str(each), "suffix": "x" * size}) for each in range(8)]
        return (
            yield from together(Statement("SELECT pg_advisory_xact_lock(:lock)", {"lock": lock}), *big, is_whole=True)
        )

    async with started(url) as driver, await psycopg.AsyncConnection.connect(url, autocommit=True) as holder:
        await holder.execute("SELECT pg_advisory_lock(78)")
        task = asyncio.create_task(driver.run(sending, durable=True))
        async with asyncio.timeout(SOON):
            stands = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = 78 AND NOT granted"
            standing: Any = None
            while standing != (1,):
                await asyncio.sleep(0.01)
                standing = await (await holder.execute(stands)).fetchone()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await holder.execute("SELECT pg_advisory_unlock(78)")
        assert await driver.run(aliases, durable=True) == []


class Watched:
    """A connection of libpq that notes what is put into its buffer, and whether anything is left there."""

    def __init__(self, pgconn: Any) -> None:
        self._pgconn = pgconn
        self.noted: list[str] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._pgconn, name)

    def send_query_prepared(self, *asked: Any) -> None:
        self.noted.append("put")
        self._pgconn.send_query_prepared(*asked)

    def flush(self) -> int:
        left = self._pgconn.flush()
        self.noted.append("left" if left else "gone")
        return left


async def test_what_is_large_has_gone_before_more_is_put_behind_it(url: str) -> None:
    """Else libpq moves all of it for each piece that the server takes."""
    large, small = (Statement("SELECT length(:text)", {"text": "x" * size}) for size in (8_000_000, 10))
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        watched = Watched(connection.pgconn)
        connection.pgconn = cast("Any", watched)
        answers = await Wire(connection).ask((small, large, small, small, large))
    assert answers == [[(10,)], [(8_000_000,)], [(10,)], [(10,)], [(8_000_000,)]]
    assert "left" in watched.noted
    assert [each for each in watched.noted if each != "left"] == [
        "put",
        "put",
        "gone",
        "put",
        "put",
        "put",
        "gone",
        "gone",
    ]


async def test_a_line_that_is_taken_long_after_its_request_was_refused_is_given_back(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that waits for a row takes no notice of a connection that was hung up, and commits what it was sent."""
    lease = 1.0
    monkeypatch.setattr(postgres, "PATIENCE", lease)
    store = open_store(url, limits=Limits(lease=lease))
    await store.start()
    await said(store)
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as holder, asyncio.timeout(SOON):
        async with holder.transaction():
            await holder.execute("SELECT 1 FROM af_lane FOR UPDATE")
            with pytest.raises(StateUnavailable):
                await placed(store)
            begun = "SELECT extract(epoch from clock_timestamp())::double precision"
            moment: Any = await (await holder.execute(begun)).fetchone()
            alive_until = 0.0
            while alive_until < moment[0] + 3 * lease:
                await asyncio.sleep(0.01)
                seen: Any = await (await holder.execute("SELECT max(alive_until) FROM af_worker")).fetchone()
                alive_until = seen[0]
        place = await placed(store)
        await place.open()
    await place.leave(has_run=False)
    await store.stop()
