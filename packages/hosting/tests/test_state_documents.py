"""What only some stores promise of what channels keep beside turns; `StoreContract` says what all of them do."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

import pytest
from sqlalchemy import NullPool, create_engine, text, update

from agent_framework_hosting._state.database import open_engine, open_store
from agent_framework_hosting._state.documents import NewDocument
from agent_framework_hosting._state.memory import MemoryAliases
from agent_framework_hosting._state.memorystore import MemoryStore
from agent_framework_hosting._state.sql.documents import add
from agent_framework_hosting._state.sql.postgres import PostgresDriver
from agent_framework_hosting._state.sql.schema import DOCUMENTS
from agent_framework_hosting._state.sql.script import Script, do
from agent_framework_hosting._state.sql.sqlstore import SqlStore
from agent_framework_hosting.limits import Limits
from agent_framework_hosting.testing.contracts._store_kept import ids, note
from agent_framework_hosting.testing.contracts._store_turns import ADA, said

SOON: Final = 60.0


async def test_in_memory_documents_of_a_key_that_was_reset_outlive_the_session_before() -> None:
    store = MemoryStore(aliases=MemoryAliases(max_aliases=9), max_turns=9, max_waiting=1)
    await said(store, turn_id="t1")
    await store.documents.add(ADA, "k", [note("1")])
    before = await store.find(ADA, "t1")
    assert before is not None
    store.rotate("default", "k")
    await store.forget(before.session)
    assert await store.documents.find(ADA, "note", "1") is not None


async def test_in_memory_documents_go_together_after_their_time_and_beyond_the_bound() -> None:
    now = 0.0
    aliases = MemoryAliases(max_aliases=9)
    store = MemoryStore(aliases=aliases, max_turns=4, max_waiting=1, document_ttl=10, clock=lambda: now)
    await store.documents.add(ADA, "k", [note("1"), note("2")])
    now = 8.0
    await store.documents.add(ADA, "l", [note("3")])
    assert await store.documents.find(ADA, "note", "1") is not None
    now = 17.0
    # One of them was used, which keeps the others of its key.
    assert await ids(store) == ["1", "2"]
    await store.documents.add(ADA, "m", [note("4"), note("5")])
    assert await store.documents.find(ADA, "note", "3") is None
    now = 28.0
    assert await ids(store) == await ids(store, root="m") == []


async def test_in_memory_documents_are_bounded_by_bytes_and_those_used_last_stay() -> None:
    aliases = MemoryAliases(max_aliases=9)
    store = MemoryStore(aliases=aliases, max_turns=99, max_waiting=1, max_bytes=100)

    def large(id: str, size: int) -> NewDocument:
        return NewDocument(kind="note", id=id, body=b"x" * size)

    await store.documents.add(ADA, "k", [large("1", 40)])
    await store.documents.add(ADA, "l", [large("2", 40)])
    assert await store.documents.find(ADA, "note", "1") is not None
    await store.documents.add(ADA, "m", [large("3", 40)])
    assert [await store.documents.find(ADA, "note", id) is not None for id in "123"] == [True, False, True]
    # Bodies that are written anew count, and those that are gone do not.
    await store.documents.replace(ADA, "note", "3", b"x" * 60)
    assert [await store.documents.find(ADA, "note", id) is not None for id in "13"] == [True, True]
    await store.documents.remove(ADA, "note", "3")
    await store.documents.add(ADA, "n", [large("4", 60)])
    assert await store.documents.find(ADA, "note", "1") is not None
    # A conversation that is too much by itself goes as a whole.
    await store.documents.replace(ADA, "note", "4", b"x" * 200)
    assert [await store.documents.find(ADA, "note", id) is not None for id in "14"] == [False, False]


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
async def test_documents_without_a_conversation_are_swept_after_their_time(
    kind: str, make_database: Callable[[str], str]
) -> None:
    database = make_database(kind)
    store = open_store(database, limits=Limits())
    assert isinstance(store, SqlStore)
    await store.start()
    await said(store, turn_id="t")
    await store.documents.add(ADA, "k", [note("said")])
    await store.documents.add(ADA, "l", [note("old"), note("written")])
    engine = open_engine(database)
    with engine.begin() as connection:
        connection.execute(update(DOCUMENTS).values(used_at=DOCUMENTS.c.used_at - 10_000_000))
    await store.documents.replace(ADA, "note", "written", b"2")
    await store.sweep()
    assert await ids(store) == ["said"]
    assert await ids(store, root="l") == ["written"]
    with engine.begin() as connection:
        connection.execute(text("UPDATE af_session SET used_at = used_at - 10000000"))
    engine.dispose()
    await store.sweep()
    assert await ids(store) == []
    await store.stop()


async def test_a_document_that_is_added_while_another_one_is_still_being_added_comes_after_it(
    postgres: str, make_database: Callable[[str], str]
) -> None:
    """The other one has its number already; whoever read past it, and went on from there, would never see it."""
    database = make_database("postgres")
    first, second = PostgresDriver(database), open_store(database, limits=Limits())

    def slowly() -> Script[None]:
        yield from add(ADA, "k", [note("1")])
        yield from do("SELECT pg_sleep(0.5) AS among_documents")

    await second.start()
    await first.start(lambda: None)
    async with asyncio.timeout(SOON):
        adding = asyncio.create_task(first.run(slowly, durable=True))
        engine = create_engine(postgres.replace("postgresql://", "postgresql+psycopg://"), poolclass=NullPool)
        sleeping = text(
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND query LIKE '%among_documents'"
        )
        with engine.connect() as connection:
            while not connection.execute(sleeping).scalar_one():
                connection.rollback()
                await asyncio.sleep(0.01)  # until the database is in the middle of it
        assert await second.documents.add(ADA, "k", [note("2")])
        assert await ids(second) == ["1", "2"]
        await adding
    await first.stop()
    await second.stop()
