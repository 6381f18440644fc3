"""One contract for what channels keep and read beside turns: memory, a SQLite file, PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from typing import Any

import pytest
from sqlalchemy import text, update

from agent_framework_hosting._state.database import open_engine, open_store
from agent_framework_hosting._state.documents import NewDocument
from agent_framework_hosting._state.memory import MemoryAliases
from agent_framework_hosting._state.memorystore import MemoryStore
from agent_framework_hosting._state.sql.documents import DOCUMENTS
from agent_framework_hosting._state.sql.sqlstore import SqlStore
from agent_framework_hosting._state.store import Claim, Encoded, Finished, Replay, StateStore, TurnRequest, Unfinished
from agent_framework_hosting.limits import Limits
from agent_framework_hosting.types import Owner

ADA: Owner = ("default", True, "ada")
BOB: Owner = ("default", True, "bob")
OTHERS: list[Owner] = [BOB, ("other", True, "ada"), ("default", False, "ada")]


@pytest.fixture(params=["memory", "sqlite", "postgres"])
async def store(request: pytest.FixtureRequest, make_database: Callable[[str], str]) -> AsyncGenerator[StateStore]:
    if request.param == "memory":
        yield MemoryStore(aliases=MemoryAliases(max_aliases=100), max_turns=100, max_waiting=64)
        return
    store = open_store(make_database(request.param), limits=Limits())
    await store.start()
    yield store
    await store.stop()


def note(id: str, body: bytes = b"1", *, kind: str = "note") -> NewDocument:
    return NewDocument(kind, id, body)


async def ids(store: StateStore, *, after: int = 0, limit: int = 100, **changes: Any) -> list[str]:
    """Return the ids of the notes of a key, in their order."""
    values: dict[str, Any] = {"owner": ADA, "kind": "note", "root": "k", **changes}
    return [each.id for each in await store.documents.listed(**values, after=after, limit=limit)]


async def said(
    store: StateStore, key: str = "k", *, turn_id: str, record: bytes = b"1", owner: Owner = ADA, **changes: Any
) -> None:
    """Take a whole turn."""
    values: dict[str, Any] = {"tenant": owner[0], "owner": owner, "key": None if "parent" in changes else key}
    place = await store.accept(TurnRequest(**values, **changes))
    assert not isinstance(place, Replay)
    await place.turn()
    opened = await place.open()
    snapshot = Encoded(b'"added"', b'"rest"') if store.encodes else object()
    finished = Finished(
        session=opened.name,
        version=opened.version,
        parent=opened.head,
        owner=owner,
        turn_id=turn_id,
        snapshot=snapshot,
        record=record,
    )
    await place.commit(finished)


async def told(store: StateStore, owner: Owner = ADA, **changes: Any) -> list[str]:
    values: dict[str, Any] = {"start": None, "newest_first": False, "limit": 100, **changes}
    return [each.turn_id for each in await store.records.told(owner, "k", **values)]


async def test_a_document_is_found_by_its_owner_under_its_kind_and_by_nobody_else(store: StateStore) -> None:
    await store.documents.add(ADA, "k", [note("1", b'{"a":1}')])
    found = await store.documents.find(ADA, "note", "1")
    assert found is not None
    assert (found.kind, found.id, found.root, found.body) == ("note", "1", "k", b'{"a":1}')
    for owner in OTHERS:
        assert await store.documents.find(owner, "note", "1") is None
        assert not await store.documents.replace(owner, "note", "1", b"2")
        assert not await store.documents.remove(owner, "note", "1")
        assert await ids(store, owner=owner) == []
        await store.documents.discard(owner, "note", "k")
    assert await store.documents.find(ADA, "other", "1") is None
    assert await store.documents.find(ADA, "note", "\0") is None
    assert await store.documents.find(ADA, "note", "1") == found


async def test_a_document_gets_another_body_only_when_it_is_there(store: StateStore) -> None:
    await store.documents.add(ADA, "k", [note("1")])
    assert await store.documents.replace(ADA, "note", "1", b"2")
    found = await store.documents.find(ADA, "note", "1")
    assert found is not None
    assert found.body == b"2"
    assert await store.documents.remove(ADA, "note", "1")
    assert not await store.documents.remove(ADA, "note", "1")
    assert not await store.documents.replace(ADA, "note", "1", b"3")
    assert await store.documents.find(ADA, "note", "1") is None


async def test_the_documents_of_a_key_are_listed_in_the_order_of_their_making(store: StateStore) -> None:
    await store.documents.add(ADA, "k", [note("c"), note("a"), note("x", kind="other")])
    await store.documents.add(ADA, "elsewhere", [note("e")])
    await store.documents.add(ADA, "k", [note("b")])
    await store.documents.replace(ADA, "note", "c", b"2")
    assert await ids(store) == ["c", "a", "b"]
    assert await ids(store, limit=2) == ["c", "a"]
    second = await store.documents.find(ADA, "note", "a")
    assert second is not None
    assert await ids(store, after=second.number) == ["b"]
    await store.documents.discard(ADA, "note", "k", until=second.number)
    assert await ids(store) == ["b"]
    await store.documents.discard(ADA, "note", "k")
    assert await ids(store) == []
    assert await ids(store, kind="other") == ["x"]
    assert await ids(store, root="elsewhere") == ["e"]


async def test_documents_go_with_the_conversation_of_their_key(store: StateStore) -> None:
    await said(store, turn_id="t1")
    await store.documents.add(ADA, "k", [note("1")])
    await store.documents.add(ADA, "elsewhere", [note("2")])
    found = await store.find(ADA, "t1")
    assert found is not None
    await store.forget(found.session)
    assert await store.documents.find(ADA, "note", "1") is None
    assert await store.documents.find(ADA, "note", "2") is not None


async def test_in_memory_documents_of_a_key_that_was_reset_outlive_the_session_before() -> None:
    store = MemoryStore(aliases=MemoryAliases(max_aliases=9), max_turns=9, max_waiting=1)
    await said(store, turn_id="t1")
    await store.documents.add(ADA, "k", [note("1")])
    before = await store.find(ADA, "t1")
    assert before is not None
    store.rotate("default", "k")
    await store.forget(before.session)
    assert await store.documents.find(ADA, "note", "1") is not None


async def test_what_a_conversation_told_is_listed_in_order_and_to_its_owner_alone(store: StateStore) -> None:
    for number in range(3):
        await said(store, turn_id=f"t{number}", record=str(number).encode())
    await said(store, turn_id="u", owner=BOB)
    await said(store, "elsewhere", turn_id="v")
    assert await told(store) == ["t0", "t1", "t2"]
    assert await told(store, newest_first=True, limit=2) == ["t2", "t1"]
    assert await told(store, start="t1") == ["t1", "t2"]
    assert await told(store, start="t1", newest_first=True) == ["t1", "t0"]
    assert await told(store, start="u") == await told(store, start="\0") == []
    assert await told(store, BOB) == ["u"]
    records = await store.records.told(ADA, "k", start=None, newest_first=False, limit=9)
    assert [each.record for each in records] == [b"0", b"1", b"2"]


async def test_a_reset_goes_on_with_the_conversation_and_has_no_newest_turn(store: StateStore) -> None:
    assert await store.records.newest("default", "k") is None
    await said(store, turn_id="t1", record=b"1")
    assert await store.records.newest("default", "k") == b"1"
    store.rotate("default", "k")
    assert await store.records.newest("default", "k") is None
    await said(store, turn_id="t2", record=b"2")
    assert await store.records.newest("default", "k") == b"2"
    assert await told(store) == ["t1", "t2"]


async def test_what_did_not_finish_is_told_and_is_not_the_newest(store: StateStore) -> None:
    await said(store, turn_id="t1", record=b"1")
    place = await store.accept(TurnRequest(tenant="default", owner=ADA, key="k"))
    assert not isinstance(place, Replay)
    opened = await place.open()
    left = Unfinished(session=opened.name, version=opened.version, owner=ADA, turn_id="t2", record=b"2")
    await place.leave(left, has_run=True)
    records = await store.records.told(ADA, "k", start=None, newest_first=False, limit=9)
    assert [(each.turn_id, each.is_finished) for each in records] == [("t1", True), ("t2", False)]
    assert await store.records.newest("default", "k") == b"1"


async def test_a_forgotten_turn_is_read_and_continued_by_nobody_and_its_session_goes_on(store: StateStore) -> None:
    claim = Claim("c", "key", b"hash")
    await said(store, turn_id="t1", record=b"1", claim=claim)
    assert not await store.records.forget(BOB, "t1")
    assert not await store.records.forget(ADA, "unknown")
    assert await store.records.forget(ADA, "t1")
    assert not await store.records.forget(ADA, "t1")
    assert await store.find(ADA, "t1") is None
    assert await told(store) == []
    # Known to be gone is not the same as never said.
    assert await store.records.newest("default", "k") == b""
    again = await store.accept(TurnRequest(tenant="default", owner=ADA, key="k", claim=claim))
    assert not isinstance(again, Replay)
    assert again.attempt == 1
    assert (await again.open()).head is not None
    await again.leave(has_run=False)


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
