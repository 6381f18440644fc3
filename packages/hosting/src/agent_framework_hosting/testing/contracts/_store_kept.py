"""What every store keeps beside turns, and reads of them: documents and records."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from ..._state.documents import NewDocument
from ..._state.port import StateStore
from ..._state.store import Unfinished
from ...types import Owner
from ._store_turns import ADA, BOB, CLAIM, done, placed, said

_OTHERS: Final[tuple[Owner, ...]] = (BOB, ("other", 1, "ada"), ("default", 0, "ada"), ("default", 2, "ada"))


def note(id: str, body: bytes = b"1", *, kind: str = "note") -> NewDocument:
    return NewDocument(kind, id, body)


async def ids(store: StateStore, *, after: int = 0, limit: int = 100, **changes: Any) -> list[str]:
    """Return the ids of the notes of a key, in their order."""
    values: dict[str, Any] = {"owner": ADA, "kind": "note", "root": "k", **changes}
    return [each.id for each in await store.documents.listed(**values, after=after, limit=limit)]


async def told(store: StateStore, owner: Owner = ADA, **changes: Any) -> list[str]:
    """Return the ids of the turns that the conversation of a key told, in their order."""
    values: dict[str, Any] = {"start": None, "newest_first": False, "limit": 100, **changes}
    return [each.turn_id for each in await store.records.told(owner, "k", **values)]


async def test_a_document_is_found_by_its_owner_under_its_kind_and_by_nobody_else(store: StateStore) -> None:
    await store.documents.add(ADA, "k", [note("1", b'{"a":1}')])
    found = await store.documents.find(ADA, "note", "1")
    assert found is not None
    assert (found.kind, found.id, found.root, found.body) == ("note", "1", "k", b'{"a":1}')
    for owner in _OTHERS:
        assert await store.documents.find(owner, "note", "1") is None
        assert not await store.documents.replace(owner, "note", "1", b"2")
        assert not await store.documents.remove(owner, "note", "1")
        assert await ids(store, owner=owner) == []
        await store.documents.discard(owner, "note", "k")
    assert await store.documents.find(ADA, "other", "1") is None
    for never in ("", "\0", "half \ud83d", "x" * 10_000):
        assert await store.documents.find(ADA, "note", never) is None
        assert not await store.documents.remove(ADA, "note", never)
        assert await ids(store, root=never) == []
    assert await store.documents.find(ADA, "note", "1") == found


async def test_of_documents_of_one_id_the_first_stays_and_none_of_those_beside_the_second_is_made(
    store: StateStore,
) -> None:
    assert await store.documents.add(ADA, "k", [note("1")])
    assert not await store.documents.add(ADA, "k", [note("2"), note("1", b"2")])
    assert not await store.documents.add(ADA, "elsewhere", [note("1", b"2")])
    found = await store.documents.find(ADA, "note", "1")
    assert found is not None
    assert (found.root, found.body) == ("k", b"1")
    assert await ids(store) == ["1"]
    for other in _OTHERS:
        assert await store.documents.add(other, "k", [note("1")])


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


async def test_what_a_conversation_told_is_listed_in_order_and_to_its_owner_alone(store: StateStore) -> None:
    for number in range(3):
        await said(store, turn_id=f"t{number}", record=str(number).encode())
    await said(store, turn_id="u", owner=BOB)
    await said(store, "elsewhere", turn_id="v")
    assert await told(store) == ["t0", "t1", "t2"]
    assert await told(store, newest_first=True, limit=2) == ["t2", "t1"]
    assert await told(store, start="t1") == ["t1", "t2"]
    assert await told(store, start="t1", newest_first=True) == ["t1", "t0"]
    assert await told(store, start="u") == await told(store, start="half \ud83d") == []
    assert await told(store, BOB) == ["u"]
    records = await store.records.told(ADA, "k", start=None, newest_first=False, limit=9)
    assert [each.record for each in records] == [b"0", b"1", b"2"]


async def test_a_reset_goes_on_with_the_conversation_and_has_no_newest_turn(store: StateStore) -> None:
    assert await store.records.newest("default", "k") is None
    await said(store, turn_id="t1", record=b"1")
    assert await store.records.newest("default", "k") == b"1"
    await asyncio.to_thread(store.rotate, "default", "k")
    assert await store.records.newest("default", "k") is None
    await said(store, turn_id="t2", record=b"2")
    assert await store.records.newest("default", "k") == b"2"
    assert await told(store) == ["t1", "t2"]


async def test_what_did_not_finish_is_told_and_is_not_the_newest(store: StateStore) -> None:
    await said(store, turn_id="t1", record=b"1")
    place = await placed(store)
    opened = await place.open()
    left = Unfinished(session=opened.name, version=opened.version, owner=ADA, turn_id="t2", record=b"2")
    await place.leave(left, has_run=True)
    records = await store.records.told(ADA, "k", start=None, newest_first=False, limit=9)
    assert [(each.turn_id, each.is_finished) for each in records] == [("t1", True), ("t2", False)]
    assert await store.records.newest("default", "k") == b"1"


async def test_a_forgotten_turn_is_read_and_continued_by_nobody_and_its_session_goes_on(store: StateStore) -> None:
    place = await placed(store, claim=CLAIM)
    await place.commit(done(store, await place.open(), turn_id="t1", record=b"1"))
    assert not await store.records.forget(BOB, "t1")
    assert not await store.records.forget(ADA, "unknown")
    assert await store.records.forget(ADA, "t1")
    assert not await store.records.forget(ADA, "t1")
    assert await store.find(ADA, "t1") is None
    assert await told(store) == []
    # Known to be gone is not the same as never said.
    assert await store.records.newest("default", "k") == b""
    again = await placed(store, claim=CLAIM)
    assert again.attempt == 1
    assert (await again.open()).head is not None
    await again.leave(has_run=False)
