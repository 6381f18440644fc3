"""What mostly does not wait is bounded in time all the same when it does."""

from __future__ import annotations

import asyncio

import pytest

from agent_framework_hosting._stepping import TimeIsUp, within


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
