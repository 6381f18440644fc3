"""What every store keeps: order, turns, what was answered, what was asked twice; `_store_kept` has the rest.

The tests are functions of a store, and `StoreContract` gathers them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from inspect import Parameter, Signature, signature
from typing import Any

import pytest

from ..._state.encoded import Encoded
from ..._state.port import Place, StateStore
from ..._state.store import Claim, Replay, Unfinished
from ...errors import (
    AnsweredAlready,
    IdempotencyConflict,
    QueueFull,
    RunCancelled,
    SessionBusy,
    UnknownParent,
)
from . import _store_kept
from ._store_turns import ADA, BOB, CLAIM, asked, done, placed, said


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


async def test_an_approval_is_answered_once_also_from_a_branch(store: StateStore) -> None:
    await said(store, turn_id="t1")
    place = await placed(store, None, parent="t1", answers=("yes",))
    await place.open()
    await place.move("branch")
    await place.leave(has_run=True)
    with pytest.raises(AnsweredAlready):
        await store.accept(asked(None, parent="t1", answers=("no", "yes")))
    # All or nothing: the refused turn has not used its other answer up.
    other = await placed(store, None, parent="t1", answers=("no",))
    await other.leave(has_run=False)


async def test_an_approval_that_is_said_twice_in_one_turn_is_one_answer(store: StateStore) -> None:
    place = await placed(store, answers=["r1", "r1"])
    await place.leave(has_run=False)
    again = await placed(store, answers=["r1"])
    await again.leave(has_run=True)


async def test_a_turn_that_never_ran_gives_its_answers_back(store: StateStore) -> None:
    place = await placed(store, answers=("a",))
    await place.leave(has_run=False)
    again = await placed(store, answers=("a",))
    await again.leave(has_run=True)
    with pytest.raises(AnsweredAlready):
        await store.accept(asked(answers=("a",)))


async def test_an_idempotency_key_gives_the_record_again_once_it_is_there(store: StateStore) -> None:
    place = await placed(store, claim=CLAIM)
    with pytest.raises(IdempotencyConflict) as error:
        await store.accept(asked("elsewhere", claim=CLAIM))
    assert error.value.retry_after
    await place.commit(done(store, await place.open(), record=b"said"))
    assert await store.accept(asked("elsewhere", claim=CLAIM)) == Replay(b"said")
    with pytest.raises(IdempotencyConflict):
        await store.accept(asked(claim=Claim("responses", "key-1", b"other")))


async def test_an_idempotency_key_is_its_owners_and_its_channels(store: StateStore) -> None:
    first = await placed(store, "a", claim=CLAIM)
    second = await placed(store, "b", claim=CLAIM, owner=BOB)
    third = await placed(store, "c", claim=Claim("other", "key-1", b"hash"))
    assert [place.attempt for place in (first, second, third)] == [1, 1, 1]
    for place in (first, second, third):
        await place.leave(has_run=True)


async def test_a_run_that_came_to_nothing_can_be_tried_again_as_the_next_attempt(store: StateStore) -> None:
    first = await placed(store, claim=CLAIM)
    await first.leave(has_run=True)
    second = await placed(store, claim=CLAIM)
    assert second.attempt == 2
    await second.commit(done(store, await second.open(), record=b"said"))
    assert await store.accept(asked(claim=CLAIM)) == Replay(b"said")


async def test_a_key_whose_turn_never_ran_is_as_new(store: StateStore) -> None:
    first = await placed(store, claim=CLAIM)
    await first.leave(has_run=False)
    second = await placed(store, claim=Claim("responses", "key-1", b"other"))
    assert second.attempt == 1
    await second.leave(has_run=False)


async def test_a_refused_turn_lets_its_idempotency_key_go(store: StateStore) -> None:
    with pytest.raises(UnknownParent):
        await store.accept(asked(None, parent="nothing", claim=CLAIM))
    place = await placed(store, claim=CLAIM)
    assert place.attempt == 1
    await place.leave(has_run=False)


async def test_requests_that_were_answered_beside_turns_are_known_in_their_conversation(store: StateStore) -> None:
    await said(store, turn_id="t1")
    found = await store.find(ADA, "t1")
    assert found is not None
    await store.mark_answered(found.session, ["a", "b"])
    await store.mark_answered(found.session, ["b", "c"])
    assert sorted(await store.answered(found.session)) == ["a", "b", "c"]
    with pytest.raises(AnsweredAlready):
        await store.accept(asked(answers=("b",)))


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


@pytest.mark.anyio
class StoreContract:
    """Everything that a `StateStore` has to keep: inherit, and give a fixture `store`.

    The fixture gives an empty store that was started, and stops it. One whose lines are bounded by more than each
    request's `max_waiting` overrides the fixture `full_after_one` as well.

    Example:
        >>> import pytest
        >>> from agent_framework_hosting.testing.contracts import StoreContract
        >>> class TestMyStore(StoreContract):
        ...     @pytest.fixture
        ...     async def store(self, tmp_path):
        ...         store = MyStore(tmp_path)
        ...         await store.start()
        ...         yield store
        ...         await store.stop()
    """

    @pytest.fixture
    def anyio_backend(self) -> str:
        """Agent Framework runs on asyncio."""
        return "asyncio"

    @pytest.fixture
    def store(self) -> StateStore:
        """Give the store; to be overridden."""
        raise NotImplementedError(f"{type(self).__name__} needs a fixture `store` that gives the store to be tested.")

    @pytest.fixture
    def full_after_one(self, store: StateStore) -> StateStore:
        """Give a store in whose lines one turn can wait, when that is asked for."""
        return store


def _as_method(test: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
    async def method(_: StoreContract, **given: Any) -> None:
        await test(**given)

    method.__name__, method.__doc__ = test.__name__, test.__doc__
    own = Parameter("self", Parameter.POSITIONAL_OR_KEYWORD)
    # The fixtures that pytest has to give are read from here.
    vars(method)["__signature__"] = Signature([own, *signature(test).parameters.values()])
    return method


for _name, _test in [*globals().items(), *vars(_store_kept).items()]:
    if _name.startswith("test_"):
        setattr(StoreContract, _name, _as_method(_test))
