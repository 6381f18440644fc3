"""The thread that writes to a SQLite file: what it has taken it does, and what it does not take it says."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest

from agent_framework_hosting._state.sql.script import Script, one
from agent_framework_hosting._state.sql.sqlite import SqliteDriver
from agent_framework_hosting.errors import StateUnavailable

SOON = 60.0


def quick() -> Script[int]:
    row = yield from one("SELECT 1")
    assert row is not None
    return row[0]


async def test_what_comes_while_the_driver_stops_is_done_or_refused_and_never_waits_for_ever(tmp_path: Path) -> None:
    driver = SqliteDriver(tmp_path / "host.db")
    await driver.start(lambda: None)
    has_begun, may_end = threading.Event(), threading.Event()

    def slow() -> Script[int]:
        has_begun.set()
        assert may_end.wait(SOON)
        return (yield from quick())

    async with asyncio.timeout(SOON):
        first = asyncio.create_task(driver.run(slow, durable=False))
        await asyncio.to_thread(has_begun.wait, SOON)
        taken = asyncio.create_task(driver.run(quick, durable=False))
        await asyncio.sleep(0)
        stopping = asyncio.create_task(driver.stop())
        late: list[asyncio.Task[int]] = []
        while not any(each.done() for each in late):
            late.append(asyncio.create_task(driver.run(quick, durable=True)))
            await asyncio.sleep(0)
        may_end.set()
        assert await first == await taken == 1
        outcomes = await asyncio.gather(*late, return_exceptions=True)
        await stopping
    assert any(isinstance(each, StateUnavailable) for each in outcomes)
    assert {each for each in outcomes if not isinstance(each, StateUnavailable)} <= {1}
    with pytest.raises(StateUnavailable, match="has stopped"):
        driver.run_now(quick)
    await driver.stop()
