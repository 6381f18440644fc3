"""Gates: how tests wait for fakes, and fakes for tests."""

from __future__ import annotations

import asyncio
import threading

import pytest

from agent_framework_hosting.testing import AgentRun, Gate


async def test_a_gate_holds_until_it_is_opened() -> None:
    """Nobody passes a shut gate; everybody passes once it is open, those who come later too."""
    gate = Gate()
    passing = asyncio.create_task(gate.wait())
    await gate.wait_reached()
    assert not passing.done()
    gate.open()
    await passing
    await gate.wait()
    assert gate.reached == 2


async def test_a_test_can_wait_until_several_stand_before_the_gate() -> None:
    """`wait_reached(times)` returns when so many have come, not earlier."""
    gate = Gate()
    arrived = asyncio.create_task(gate.wait_reached(3))
    passing: list[asyncio.Task[None]] = []
    for expected in (1, 2, 3):
        assert not arrived.done()
        passing.append(asyncio.create_task(gate.wait()))
        await gate.wait_reached(expected)
    await arrived
    gate.open()
    await asyncio.gather(*passing)


def test_a_gate_works_across_threads_and_event_loops() -> None:
    """One loop waits at the gate in its own thread, another sees it arrive and opens it."""
    gate = Gate()
    passed: list[int] = []

    async def elsewhere() -> None:
        await gate.wait()
        passed.append(threading.get_ident())

    async def here() -> None:
        await gate.wait_reached()
        gate.open()

    thread = threading.Thread(target=lambda: asyncio.run(elsewhere()))
    thread.start()
    asyncio.run(here())
    thread.join(timeout=30)
    assert passed == [thread.ident]


async def test_what_happens_between_looking_and_waiting_is_not_missed() -> None:
    """Another thread may ring just after the first look, when nobody is on the list yet."""
    bell, looks = AgentRun(index=0, messages=[]).bell, list[int]()

    def met() -> bool:
        looks.append(len(looks))
        if len(looks) == 1:
            bell.ring()
        return len(looks) > 1

    await bell.until(met, waiting_for="the second look", timeout=1)


async def test_a_gate_that_nobody_reaches_is_named_when_time_is_up() -> None:
    """The guard tells which gate was waited for."""
    with pytest.raises(TimeoutError, match=r"gate 'the end' to be reached 1 time\(s\)"):
        await Gate("the end").wait_reached(timeout=0.01)


async def test_whoever_gives_up_waiting_leaves_the_gate_usable() -> None:
    """A cancelled waiter does not disturb the next one."""
    gate = Gate()
    impatient = asyncio.create_task(gate.wait())
    await gate.wait_reached()
    impatient.cancel()
    await asyncio.wait({impatient})
    gate.open()
    await gate.wait()
    assert impatient.cancelled()


def test_a_gate_says_how_it_stands() -> None:
    """The repr is fit for a failing assertion."""
    gate = Gate("middle")
    assert repr(gate) == "<Gate 'middle' shut, reached 0 time(s)>"
    gate.open()
    assert repr(gate) == "<Gate 'middle' open, reached 0 time(s)>"
