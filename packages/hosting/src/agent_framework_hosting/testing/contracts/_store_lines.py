"""How every store has turns wait for each other: in the line of their session key."""

from __future__ import annotations

import asyncio

import pytest

from ..._state.port import Place, StateStore
from ...errors import (
    QueueFull,
    RunCancelled,
    SessionBusy,
)
from ._store_turns import ADA, asked, done, placed, said


async def test_turns_of_one_key_come_one_after_another_in_their_order(store: StateStore) -> None:
    order: list[int] = []

    async def turn(number: int, place: Place) -> None:
        await place.open()
        order.append(number)
        opened = await place.open()
        await asyncio.sleep(0)
        order.append(number)
        await place.commit(done(store, opened))

    places = [await placed(store) for _ in range(20)]
    await asyncio.gather(*(turn(number, place) for number, place in reversed(list(enumerate(places)))))
    assert order == [number for number in range(20) for _ in range(2)]


async def test_turns_of_different_keys_do_not_wait_for_each_other(store: StateStore) -> None:
    first, second = await placed(store, "a"), await placed(store, "b")
    await second.open()
    await first.open()
    await second.leave(has_run=True)
    await first.leave(has_run=True)


async def test_equal_keys_of_two_tenants_never_meet(store: StateStore) -> None:
    await said(store, turn_id="t1")
    place = await placed(store, tenant="acme", owner=("acme", 1, "ada"))
    opened = await place.open()
    assert opened.head is None
    assert opened.name.session_id != "k"
    await place.leave(has_run=False)


async def test_a_line_that_is_full_refuses_and_takes_nothing(full_after_one: StateStore) -> None:
    first = await placed(full_after_one, max_waiting=1)
    waiting = await placed(full_after_one, max_waiting=1)
    with pytest.raises(QueueFull):
        await full_after_one.accept(asked(max_waiting=1, answers=("a",)))
    await first.leave(has_run=True)
    await waiting.open()
    await waiting.leave(has_run=True)
    answering = await placed(full_after_one, answers=("a",))
    await answering.leave(has_run=True)


async def test_whoever_leaves_the_line_while_waiting_is_passed_over(store: StateStore) -> None:
    first, second, third = [await placed(store) for _ in range(3)]
    await second.leave(has_run=False)
    await first.leave(has_run=True)
    await third.open()
    await third.leave(has_run=True)


async def test_an_abandoned_place_gives_the_turn_on(store: StateStore) -> None:
    first, second = await placed(store), await placed(store)
    first.abandon()
    await second.open()
    await second.leave(has_run=True)


async def test_a_turn_that_does_not_want_to_wait_is_refused_only_while_something_runs(store: StateStore) -> None:
    first = await placed(store)
    with pytest.raises(SessionBusy):
        await store.accept(asked(concurrency="reject"))
    await first.leave(has_run=True)
    second = await placed(store, concurrency="reject")
    await second.open()
    await second.leave(has_run=True)


async def test_who_cancels_a_key_stops_what_runs_and_what_waits(store: StateStore) -> None:
    running = await placed(store)
    await running.open()
    stopped: list[str] = []
    told = asyncio.Event()

    def on_loss(reason: str) -> None:
        stopped.append(reason)
        told.set()

    running.watch(on_loss)
    waiting = await placed(store)
    turn = asyncio.create_task(waiting.open())
    await asyncio.sleep(0)
    assert await store.cancel("default", "k")
    async with asyncio.timeout(30):
        await told.wait()
        with pytest.raises(RunCancelled):
            await turn
    assert stopped == ["interrupted"]
    await waiting.leave(has_run=False)
    await running.leave(has_run=True)
    following = await placed(store)
    await following.open()
    await following.leave(has_run=True)


async def test_where_nothing_runs_there_is_nothing_to_cancel(store: StateStore) -> None:
    assert not await store.cancel("default", "k")
    await said(store)
    assert not await store.cancel("default", "k")
    running = await placed(store)
    await running.open()
    assert not await store.cancel("other", "k")
    assert not await store.cancel("default", "another")
    await running.commit(done(store, await running.open()))


async def test_an_interrupting_turn_stops_what_runs_and_what_waits(store: StateStore) -> None:
    stopped: list[str] = []
    told = asyncio.Event()

    def stop(reason: str) -> None:
        stopped.append(reason)
        told.set()

    first, waiting = await placed(store), await placed(store)
    await first.open()
    first.watch(stop)
    newest = await placed(store, concurrency="interrupt")
    await told.wait()
    assert stopped == ["interrupted"]
    with pytest.raises(RunCancelled) as error:
        await waiting.open()
    assert error.value.reason == "interrupted"
    await waiting.leave(has_run=False)
    await first.leave(has_run=True)
    await newest.open()
    await newest.leave(has_run=True)


async def test_a_turn_can_move_to_a_line_of_its_own(store: StateStore) -> None:
    await said(store, turn_id="t1")
    first, second = await placed(store, None, parent="t1"), await placed(store)
    await first.open()
    opened = await first.move("branch")
    await second.open()
    assert (opened.name.session_id, opened.head) == ("branch", None)
    await first.commit(done(store, opened, turn_id="t2"))
    await second.leave(has_run=True)
    found = await store.find(ADA, "t2")
    assert found is not None
    assert found.session.key == "branch"


async def test_giving_a_place_up_twice_does_nothing(store: StateStore) -> None:
    first, second = await placed(store), await placed(store)
    await first.leave(has_run=True)
    await first.leave(has_run=True)
    first.abandon()
    third = await placed(store)
    await second.open()
    await second.leave(has_run=True)
    await third.open()
    await third.leave(has_run=True)
