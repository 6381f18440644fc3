"""Many streams at once take about the time of one: a stream that waits for its model holds up nobody."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from typing import Any, Final

from agent_framework_hosting.host import AgentFrameworkHost
from agent_framework_hosting.testing import LoopbackDriver, ScriptedAgent
from agent_framework_hosting_responses.channel import ResponsesChannel

STREAMS: Final = 200
BETWEEN: Final = 0.05
Record = Callable[[str, object], None]
Figure = Callable[[int, int], int]


async def read(driver: LoopbackDriver) -> str:
    answer = await driver.request("POST", "/v1/responses", json={"input": "hi", "stream": True})
    *_, last, _ = answer.events()
    return last.json()["response"]["output"][0]["content"][0]["text"]


async def test_two_hundred_streams_with_pauses_take_about_the_time_of_one(
    figure: Figure, record_property: Record
) -> None:
    chunks = figure(20, 200)
    words = [f"{number} " for number in range(chunks)]

    async def speak(_: Any) -> AsyncIterator[str]:
        for word in words:
            await asyncio.sleep(BETWEEN)
            yield word

    host = AgentFrameworkHost(ScriptedAgent(every=speak), channels=[ResponsesChannel()])
    async with LoopbackDriver(host.app, timeout=300) as driver:
        await read(driver)
        begun = time.perf_counter()
        assert await read(driver) == "".join(words)
        alone = time.perf_counter() - begun
        begun = time.perf_counter()
        said = await asyncio.gather(*(read(driver) for _ in range(STREAMS)))
        together = time.perf_counter() - begun
    assert set(said) == {"".join(words)}
    record_property(f"{STREAMS} streams of {chunks} chunks, together / alone", round(together / alone, 2))
    # One after another they would take 200 times as long. The client's own work, and other work of the machine, count.
    assert together < alone * figure(20, 4)
