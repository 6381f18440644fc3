"""Many streams at once: a stream that waits for its model holds up nobody."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from typing import Any, Final

from agent_framework_hosting.host import AgentFrameworkHost
from agent_framework_hosting.testing import Gate, LoopbackDriver, ScriptedAgent
from agent_framework_hosting_responses.channel import ResponsesChannel

STREAMS: Final = 200
BETWEEN: Final = 0.05
Record = Callable[[str, object], None]
Figure = Callable[[int, int], int]


async def read(driver: LoopbackDriver) -> str:
    answer = await driver.request("POST", "/v1/responses", json={"input": "hi", "stream": True})
    *_, last, _ = answer.events()
    return last.json()["response"]["output"][0]["content"][0]["text"]


async def test_two_hundred_streams_with_pauses_run_side_by_side(figure: Figure, record_property: Record) -> None:
    """None ends before all of them are in its middle; at full figures they take about the time of one, too."""
    chunks, middle, is_alone = figure(8, 200), Gate(), True
    words = [f"{number} " for number in range(chunks)]

    async def speak(_: Any) -> AsyncIterator[str]:
        for number, word in enumerate(words):
            await (middle.wait() if number == chunks // 2 and not is_alone else asyncio.sleep(BETWEEN))
            yield word

    host = AgentFrameworkHost(ScriptedAgent(every=speak), channels=[ResponsesChannel()])
    async with LoopbackDriver(host.app, timeout=300) as driver:
        await read(driver)
        begun = time.perf_counter()
        assert await read(driver) == "".join(words)
        alone = time.perf_counter() - begun
        begun, is_alone = time.perf_counter(), False
        reading = [asyncio.ensure_future(read(driver)) for _ in range(STREAMS)]
        await middle.wait_reached(STREAMS, timeout=300)
        middle.open()
        said = await asyncio.gather(*reading)
        together = time.perf_counter() - begun
    assert set(said) == {"".join(words)}
    record_property(f"{STREAMS} streams of {chunks} chunks, together / alone", round(together / alone, 2))
    # One after another they would take 200 times as long. The client's own work counts, and other work of the machine,
    # which few chunks do not outweigh.
    assert chunks == 8 or together < alone * 4
