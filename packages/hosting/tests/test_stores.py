"""One contract for all stores: memory, a SQLite file, PostgreSQL; and what only some of them promise."""

from __future__ import annotations

import asyncio
import tracemalloc
from collections.abc import AsyncGenerator, Callable
from typing import Any

import msgspec
import pytest

from agent_framework_hosting._state.database import open_store
from agent_framework_hosting._state.memory import MemoryAliases
from agent_framework_hosting._state.memorystore import MemoryStore
from agent_framework_hosting.errors import IdempotencyConflict, LeaseLost
from agent_framework_hosting.limits import Limits
from agent_framework_hosting.stores import Claim, Opened, Replay, StateStore
from agent_framework_hosting.testing.contracts import StoreContract
from agent_framework_hosting.testing.contracts._store_turns import ADA, asked, done, placed, said


class TestOurStores(StoreContract):
    @pytest.fixture(params=["memory", "sqlite", "postgres"])
    async def store(
        self, request: pytest.FixtureRequest, make_database: Callable[[str], str]
    ) -> AsyncGenerator[StateStore]:
        if request.param == "memory":
            yield memory(max_waiting=64)
            return
        store = open_store(make_database(request.param), limits=Limits())
        await store.start()
        yield store
        await store.stop()

    @pytest.fixture
    def full_after_one(self, store: StateStore) -> StateStore:
        return memory(max_waiting=1) if isinstance(store, MemoryStore) else store


def memory(*, max_waiting: int) -> MemoryStore:
    return MemoryStore(aliases=MemoryAliases(max_aliases=100), max_turns=100, max_waiting=max_waiting)


async def test_an_idempotency_key_in_memory_is_forgotten_after_its_time() -> None:
    now = 0.0
    store = MemoryStore(
        aliases=MemoryAliases(max_aliases=9), max_turns=9, max_waiting=9, claim_ttl=60.0, clock=lambda: now
    )
    place = await placed(store, claim=Claim("c", "key", b"body"))
    await place.settle(b"1")
    now = 59.0
    assert isinstance(await store.accept(asked(claim=Claim("c", "key", b"body"))), Replay)
    now = 61.0
    await (await placed(store, claim=Claim("c", "key", b"another"))).leave(has_run=True)


async def test_an_idempotency_key_in_memory_is_not_forgotten_while_its_request_runs() -> None:
    """However long that takes, and however many others come: a second one under the key must not run beside it."""
    now = 0.0
    store = MemoryStore(
        aliases=MemoryAliases(max_aliases=9), max_turns=2, max_waiting=9, claim_ttl=60.0, clock=lambda: now
    )
    claim = Claim("c", "key", b"body")
    runs = await placed(store, claim=claim)
    for number in range(5):
        await (await placed(store, "other", claim=Claim("c", f"{number}", b"body"))).settle(b"1")
        with pytest.raises(IdempotencyConflict):
            await store.accept(asked(claim=claim))
    now = 61.0
    with pytest.raises(IdempotencyConflict):
        await store.accept(asked(claim=claim))
    assert not isinstance(await store.accept(asked("other", claim=Claim("c", "4", b"body"))), Replay)
    await runs.settle(b"1")
    assert isinstance(await store.accept(asked(claim=claim)), Replay)
    now = 122.0
    assert not isinstance(await store.accept(asked(claim=claim)), Replay)


async def test_the_records_of_turns_in_memory_are_bounded_by_bytes_and_the_oldest_goes_first() -> None:
    store = MemoryStore(aliases=MemoryAliases(max_aliases=9), max_turns=99, max_waiting=9, max_bytes=100)

    async def known() -> list[str]:
        return [turn_id for turn_id in ("t1", "t2", "t3", "t4") if await store.find(ADA, turn_id) is not None]

    head = await said(store, "k", turn_id="t1", record=b"x" * 40)
    await said(store, "l", turn_id="t2", record=b"x" * 40)
    assert await known() == ["t1", "t2"]
    await said(store, "m", turn_id="t3", record=b"x" * 40)
    assert await known() == ["t2", "t3"]
    # The session goes on from its newest turn, which holds no record any more; what was forgotten does not count.
    assert await store.head(head.session) is head
    assert head.record == await store.records.newest("default", "k") == b""
    await store.records.forget(ADA, "t2")
    await said(store, "n", turn_id="t4", record=b"x" * 60)
    assert await known() == ["t3", "t4"]
    # The newest stays, however large.
    await said(store, "n", turn_id="t1", record=b"x" * 400)
    assert await known() == ["t1"]


async def test_a_record_in_memory_is_kept_once_and_in_no_more_than_it_needs() -> None:
    """An encoder's buffer is larger than what was written into it."""
    store = MemoryStore(aliases=MemoryAliases(max_aliases=9), max_turns=99, max_waiting=9)
    record = msgspec.json.encode(["x" * 1000] * 1000)
    place = await placed(store, claim=Claim("c", "key", b"body"))
    await place.open()
    tracemalloc.start()
    try:
        await place.commit(done(store, await place.open(), turn_id="t1", record=record))
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    found, replay = await store.find(ADA, "t1"), await store.accept(asked(claim=Claim("c", "key", b"body")))
    assert found is not None
    assert isinstance(replay, Replay)
    assert replay.record is found.record == record
    assert taken < len(record) + 10_000


async def test_answers_under_idempotency_keys_in_memory_are_bounded_by_bytes() -> None:
    store = MemoryStore(aliases=MemoryAliases(max_aliases=9), max_turns=99, max_waiting=9, max_bytes=100)

    async def answer(key: str, size: int) -> None:
        await (await placed(store, claim=Claim("c", key, b"body"))).settle(b"x" * size)

    async def is_known(key: str) -> bool:
        place = await store.accept(asked(claim=Claim("c", key, b"body")))
        if not isinstance(place, Replay):
            await place.leave(has_run=False)
        return isinstance(place, Replay)

    await answer("1", 40)
    await answer("2", 40)
    assert [await is_known(key) for key in "12"] == [True, True]
    await answer("3", 40)
    assert [await is_known(key) for key in "123"] == [False, True, True]


async def test_a_commit_on_a_session_that_moved_on_stores_nothing(database: str) -> None:
    store = open_store(database, limits=Limits())
    await store.start()
    place = await placed(store)
    opened = await place.open()
    stale = done(store, Opened(opened.name, 7, None), turn_id="t1")
    with pytest.raises(LeaseLost):
        await place.commit(stale)
    assert await store.find(ADA, "t1") is None
    await place.leave(has_run=True)
    await store.stop()


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
async def test_a_turn_that_is_being_handed_over_is_never_taken_for_dropped(
    kind: str, make_database: Callable[[str], str]
) -> None:
    """Two processes that look without pause while their turns alternate."""
    url = make_database(kind)
    stores = [open_store(url, limits=Limits()) for _ in range(2)]
    for store in stores:
        await store.start()

    async def look(store: Any) -> None:
        while True:
            store._worker.wake()  # noqa: SLF001 - what a datagram does
            await asyncio.sleep(0)

    async def take_turns(store: StateStore) -> None:
        for _ in range(40):
            place = await placed(store)
            await place.open()
            await place.leave(has_run=True)

    looking = [asyncio.ensure_future(look(store)) for store in stores]
    await asyncio.gather(*(take_turns(store) for store in stores for _ in range(2)))
    for task in looking:
        task.cancel()
    await asyncio.gather(*looking, return_exceptions=True)
    for store in stores:
        await store.stop()
