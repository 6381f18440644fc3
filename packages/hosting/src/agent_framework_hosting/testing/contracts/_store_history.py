"""What every store keeps of turns: found by their ids, loaded, continued, forgotten."""

from __future__ import annotations

import asyncio

import pytest

from ..._state.encoded import Encoded
from ..._state.port import StateStore
from ..._state.store import Unfinished
from ...errors import (
    UnknownParent,
)
from ._store_turns import ADA, BOB, asked, done, placed, said


async def test_a_turn_is_found_by_its_owner_and_by_nobody_else(store: StateStore) -> None:
    point = await said(store, turn_id="t1")
    found = await store.find(ADA, "t1")
    assert found is not None
    assert (found.point, found.record, found.session.session_id) == (point, b'{"said":1}', "k")
    assert await store.find(BOB, "t1") is None
    assert await store.find(("other", 1, "ada"), "t1") is None
    assert await store.find(("default", 0, "ada"), "t1") is None
    assert await store.find(("default", 2, "ada"), "t1") is None
    assert await store.find(ADA, "t2") is None


async def test_many_turns_are_found_at_once_without_those_that_are_unknown(store: StateStore) -> None:
    ids = [f"t{number}" for number in range(70)]
    await asyncio.gather(*(said(store, turn_id, turn_id=turn_id) for turn_id in ids))
    await said(store, "bobs", turn_id="bobs", owner=BOB)
    found = await store.find_all(ADA, [*reversed(ids), "t3", "none", "bobs", "half \ud83d"])
    assert set(found) == set(ids)
    for each in ("t0", "t49", "t50", "t69"):
        assert found[each] == await store.find(ADA, each)
    assert await store.find_all(ADA, []) == {}


async def test_the_newest_turn_is_the_head_also_when_it_has_no_id(store: StateStore) -> None:
    first = await said(store, turn_id="t1")
    found = await store.find(ADA, "t1")
    assert found is not None
    assert await store.head(found.session) == first
    second = await said(store)
    assert await store.head(found.session) == second != first


async def test_a_key_is_known_by_what_it_stands_for_now(store: StateStore) -> None:
    assert (await store.named("default", "k")).session_id == "k"
    await asyncio.to_thread(store.rotate, "default", "k")
    name = await store.named("default", "k")
    assert (name.key, name.root) == ("k", "k")
    assert name.session_id.startswith("k#")


async def test_an_id_that_is_used_again_stands_for_the_later_turn(store: StateStore) -> None:
    await said(store, turn_id="t")
    second = await said(store, "other", turn_id="t", record=b"2")
    found = await store.find(ADA, "t")
    assert found is not None
    assert (found.point, found.record, found.session.key) == (second, b"2", "other")


async def test_an_id_that_turns_of_several_lines_are_given_at_once_stands_for_one_of_them(store: StateStore) -> None:
    """As an id factory that repeats itself may have it."""
    points = await asyncio.gather(*(said(store, f"line {number}", turn_id="t") for number in range(24)))
    found = await store.find(ADA, "t")
    assert found is not None
    assert found.point in points
    assert len(set(points)) == 24


async def test_an_id_that_turns_of_several_lines_leave_unfinished_at_once_stands_for_one_of_them(
    store: StateStore,
) -> None:
    async def fail(number: int) -> None:
        place = await placed(store, f"line {number}")
        opened = await place.open()
        remains = Unfinished(session=opened.name, version=0, owner=ADA, turn_id="t", record=b"%d" % number)
        await place.leave(remains, has_run=True)

    await asyncio.gather(*map(fail, range(24)))
    found = await store.find(ADA, "t")
    assert found is not None
    assert int(found.record) in range(24)


async def test_a_chain_is_loaded_from_its_last_base_on(store: StateStore) -> None:
    if not store.encodes:
        snapshot = object()
        assert await store.load(await said(store, snapshot=snapshot)) is snapshot
        return
    parts = [Encoded(b"1", b"r1"), Encoded(b"2", None), Encoded(b"3", b"r3", is_base=True), Encoded(b"4", None)]
    points = [await said(store, snapshot=part) for part in parts]
    assert await store.load(points[1]) == parts[:2]
    assert await store.load(points[3]) == parts[2:]


async def test_a_turn_continues_its_parent_only_as_its_owner_and_in_its_key(store: StateStore) -> None:
    point = await said(store, turn_id="t1")
    place = await placed(store, None, parent="t1")
    assert place.parent is not None
    assert place.parent.point == point
    opened = await place.open()
    assert (opened.name.key, opened.head) == ("k", point)
    await place.leave(has_run=False)
    for refused in (asked(None, parent="t2"), asked(None, parent="t1", owner=BOB), asked("other", parent="t1")):
        with pytest.raises(UnknownParent) as error:
            await store.accept(refused)
        assert "unknown or has expired" in error.value.message


async def test_a_reset_key_stands_for_another_session_at_once_and_old_turns_stay(store: StateStore) -> None:
    await said(store, turn_id="t1")
    running = await placed(store)
    before = await running.open()
    store.rotate("default", "k")
    await running.commit(done(store, before, turn_id="t2"))
    place = await placed(store)
    after = await place.open()
    await place.leave(has_run=False)
    assert before.name.session_id == "k"
    assert after.name.session_id.startswith("k#")
    assert after.head is None
    for turn_id in ("t1", "t2"):
        found = await store.find(ADA, turn_id)
        assert found is not None
        assert found.session.session_id == "k"


async def test_what_an_unfinished_turn_left_is_kept_beside_the_history(store: StateStore) -> None:
    await said(store, turn_id="t1")
    place = await placed(store)
    opened = await place.open()
    await place.leave(Unfinished(session=opened.name, version=opened.version, owner=ADA, rest=b"used up"), has_run=True)
    again = await placed(store)
    reopened = await again.open()
    assert reopened.head == opened.head
    assert await store.rest(opened.name) == (b"used up" if store.encodes else None)
    assert (reopened.version > opened.version) is store.encodes
    await again.leave(has_run=False)


async def test_what_an_unfinished_turn_had_sent_is_read_by_its_owner_and_continued_by_nobody(store: StateStore) -> None:
    point = await said(store, turn_id="t1")
    place = await placed(store, None, parent="t1")
    opened = await place.open()
    remains = Unfinished(session=opened.name, version=opened.version, owner=ADA, turn_id="t2", record=b"half")
    await place.leave(remains, has_run=True)
    found = await store.find(ADA, "t2")
    assert found is not None
    assert (found.record, found.is_finished) == (b"half", False)
    assert await store.find(BOB, "t2") is None
    assert await store.head(opened.name) == point
    with pytest.raises(UnknownParent, match="did not finish"):
        await store.accept(asked(None, parent="t2"))


async def test_a_forgotten_session_is_unknown(store: StateStore) -> None:
    await said(store, turn_id="t1")
    found = await store.find(ADA, "t1")
    assert found is not None
    await store.forget(found.session)
    assert await store.find(ADA, "t1") is None
    assert await store.head(found.session) is None
