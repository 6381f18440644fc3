"""The clock that stands still until a test moves it."""

from __future__ import annotations

import asyncio
import threading

import pytest

from agent_framework_hosting.testing import FakeClock


async def test_it_moves_only_when_it_is_told_to() -> None:
    clock = FakeClock(now=100)
    assert (clock.time(), clock.monotonic()) == (100, 100)
    clock.advance(2.5)
    assert (clock.time(), clock.monotonic()) == (102.5, 102.5)
    with pytest.raises(ValueError, match="does not go backwards"):
        clock.advance(-1)


async def test_who_sleeps_wakes_when_due_and_in_that_order() -> None:
    clock = FakeClock(now=0)
    woken: list[tuple[str, float]] = []

    async def sleeper(name: str, seconds: float) -> None:
        await clock.sleep(seconds)
        woken.append((name, clock.time()))

    async with asyncio.TaskGroup() as group:
        for name, seconds in [("third", 30), ("first", 10), ("second", 20)]:
            group.create_task(sleeper(name, seconds))
        await clock.wait_sleeping(3)
        clock.advance(9.9)
        assert clock.sleeping == 3
        clock.advance(20)
        assert clock.sleeping == 1
        clock.advance(1)
    assert [name for name, _ in woken] == ["first", "second", "third"]
    assert clock.sleeps == [30, 10, 20]


async def test_nothing_or_less_takes_no_time_but_gives_way() -> None:
    clock = FakeClock(now=0)
    went = asyncio.ensure_future(asyncio.sleep(0))
    await clock.sleep(0)
    await clock.sleep(-3)
    assert went.done()
    assert clock.time() == 0


async def test_who_is_cancelled_sleeps_no_more() -> None:
    clock = FakeClock()
    sleeping = asyncio.ensure_future(clock.sleep(5))
    await clock.wait_sleeping()
    sleeping.cancel()
    await asyncio.wait({sleeping})
    assert clock.sleeping == 0


def test_it_is_moved_from_another_thread() -> None:
    clock = FakeClock(now=0)
    thread = threading.Thread(target=lambda: asyncio.run(clock.sleep(60)))
    thread.start()
    asyncio.run(clock.wait_sleeping())
    clock.advance(60)
    thread.join(timeout=30)
    assert not thread.is_alive()


async def test_a_sleeper_that_never_comes_is_named_by_the_wait() -> None:
    with pytest.raises(TimeoutError, match=r"1 sleeper\(s\) on <FakeClock 5.0 sleeping=0>"):
        await FakeClock(now=5).wait_sleeping(timeout=0.01)
