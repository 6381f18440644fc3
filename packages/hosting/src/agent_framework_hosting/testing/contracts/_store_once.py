"""What every store has happen once only: an approval is answered, an idempotency key is used."""

from __future__ import annotations

import pytest

from ..._state.port import StateStore
from ..._state.store import Claim, Replay
from ...errors import (
    AnsweredAlready,
    IdempotencyConflict,
    UnknownParent,
)
from ._store_turns import ADA, BOB, CLAIM, asked, done, placed, said


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
