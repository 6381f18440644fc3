"""What mostly does not wait is bounded in time all the same when it does."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Iterator
from typing import Any, cast

import pytest

from agent_framework_hosting._stepping import Noticed, TimeIsUp, within


async def test_what_waits_too_long_is_cancelled() -> None:
    ended = list[str]()

    async def wait() -> None:
        try:
            await asyncio.sleep(0)
            await asyncio.Event().wait()
        finally:
            ended.append("cancelled")

    with pytest.raises(TimeIsUp):
        await within(0.01, wait())
    assert ended == ["cancelled"]


async def test_a_timeout_of_its_own_is_its_own() -> None:
    async def fail() -> None:
        await asyncio.sleep(0)
        raise TimeoutError("mine")

    with pytest.raises(TimeoutError, match="mine") as raised:
        await within(10, fail())
    assert not isinstance(raised.value, TimeIsUp)


async def test_what_it_waits_for_comes_back_to_it() -> None:
    async def add() -> int:
        future = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_soon(future.set_result, 2)
        return 1 + await future

    assert await within(10, add()) == 3


class Steps:
    """What servers that are not written in Python may give to be awaited: it can be stepped, and nothing else."""

    def __init__(self, *, count: int) -> None:
        self._left = count

    def __await__(self) -> Iterator[None]:
        return self

    def __iter__(self) -> Iterator[None]:
        return self

    def __next__(self) -> None:
        if not self._left:
            raise StopIteration("done")
        self._left -= 1


async def test_anything_that_can_be_awaited_is_bounded() -> None:
    assert [await within(10, cast("Any", Steps(count=count))) for count in range(3)] == ["done"] * 3
    with pytest.raises(TimeIsUp):
        await within(0.01, cast("Any", Steps(count=1_000_000_000)))


async def test_a_task_says_each_time_that_it_is_about_to_wait() -> None:
    said = list[str]()

    async def work() -> str:
        for step in ("first", "second"):
            said.append(step)
            await asyncio.sleep(0)
        return "done"

    assert await asyncio.create_task(Noticed(work(), lambda: said.append("waits"))) == "done"
    assert said == ["first", "waits", "second", "waits"]


async def test_whoever_looks_into_such_a_task_sees_what_it_runs() -> None:
    """As of every other: in what asyncio says of a slow or a lost one, and in its stack."""

    async def work() -> None:
        await asyncio.sleep(0)

    noticed = Noticed(work(), lambda: None)
    task = asyncio.create_task(noticed)
    assert inspect.getcoroutinestate(noticed) == inspect.CORO_CREATED
    await asyncio.sleep(0)
    assert f"{work.__qualname__}() running at {__file__}" in repr(task)
    assert [frame.f_code for frame in task.get_stack()] == [work.__code__]
    assert inspect.getcoroutinestate(noticed) == inspect.CORO_SUSPENDED
    await task
    assert inspect.getcoroutinestate(noticed) == inspect.CORO_CLOSED


async def test_it_says_so_as_well_when_it_waits_on_after_being_cancelled() -> None:
    said = list[str]()
    started, ended = asyncio.Event(), asyncio.Event()

    async def work() -> None:
        try:
            started.set()
            await asyncio.Event().wait()
        finally:
            said.append("cleans up")
            await ended.wait()

    task = asyncio.create_task(Noticed(work(), lambda: said.append("waits")))
    await started.wait()
    task.cancel()
    await asyncio.sleep(0)
    assert said == ["waits", "cleans up", "waits"]
    ended.set()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_it_can_be_awaited_and_closed_as_a_coroutine() -> None:
    closed = list[str]()

    async def work() -> int:
        try:
            await asyncio.sleep(0)
        finally:
            closed.append("closed")
        return 3

    assert await Noticed(work(), lambda: None) == 3
    stepped = Noticed(work(), lambda: None)
    stepped.send(None)
    stepped.close()
    assert closed == ["closed", "closed"]
