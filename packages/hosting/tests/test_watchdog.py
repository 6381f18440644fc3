"""The watchdog says where the event loop stands still."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from typing import Any

import pytest

from agent_framework_hosting.channel import ChannelContext
from agent_framework_hosting.errors import ConfigurationError
from agent_framework_hosting.host import AgentFrameworkHost
from agent_framework_hosting.observability import Observability
from agent_framework_hosting.testing import ScriptedAgent
from agent_framework_hosting.types import ChannelRequest

CANARY = "hunter2-canary"
AFTER = 0.15


def stand_still(until: threading.Event) -> None:
    secret = CANARY  # what a frame knows is not shown
    until.wait(30)
    del secret


class Told(logging.Handler):
    """Lets go of what stands still once the watchdog has told of it."""

    def __init__(self) -> None:
        super().__init__()
        self.is_told = threading.Event()

    def emit(self, record: logging.LogRecord) -> None:
        if "has stood still" in record.getMessage():
            self.is_told.set()


def watchdogs() -> list[str]:
    return [thread.name for thread in threading.enumerate() if "watchdog" in thread.name]


async def test_a_target_that_blocks_is_found_with_its_frames(caplog: pytest.LogCaptureFixture, collected: Any) -> None:
    """In the middle of it, and without what its variables hold."""
    told = Told()

    def speak(_: Any) -> str:
        stand_still(told.is_told)
        return "done"

    logger = logging.getLogger("agent_framework.hosting")
    logger.addHandler(told)
    host = AgentFrameworkHost(
        ScriptedAgent(every=speak),
        channels=[],
        observability=Observability(watchdog=True, watchdog_after=AFTER),
    )
    began = time.monotonic()
    async with host:
        await host.run(ChannelRequest(channel="test", operation="message", input="hi"))
        await asyncio.sleep(0.3)  # two beats: what is waited for is that nothing more is said
        (lag,) = collected.metrics()["af_hosting.event_loop.lag"]
        took = time.monotonic() - began
    assert told.is_told.is_set()
    # A machine that is busy makes a loop stand still elsewhere, too.
    where = [each.stack_info or "" for each in caplog.records if "has stood still" in each.getMessage()]
    assert len([frames for frames in where if "in stand_still" in frames]) == 1
    assert CANARY not in caplog.text
    assert AFTER < lag.value <= took
    assert watchdogs() == []


async def test_a_loop_that_goes_on_is_not_told_of(caplog: pytest.LogCaptureFixture) -> None:
    host = AgentFrameworkHost(
        ScriptedAgent(), channels=[], observability=Observability(watchdog=True, watchdog_after=30)
    )
    async with host:
        assert watchdogs() == ["af-hosting watchdog"]
        await asyncio.sleep(0.25)
    assert watchdogs() == []
    assert not [record for record in caplog.records if "still" in record.getMessage()]


@pytest.mark.parametrize("observability", [None, Observability(watchdog=False)])
async def test_nobody_watches_inside_an_app_of_ones_own_unless_asked(observability: Observability | None) -> None:
    async with AgentFrameworkHost(ScriptedAgent(), channels=[], observability=observability):
        assert watchdogs() == []


def test_a_time_of_nothing_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="watchdog_after must be greater than 0"):
        Observability(watchdog_after=0)


def test_a_host_that_was_stopped_can_be_watched_again(connect: Any) -> None:
    context: ChannelContext = connect(ScriptedAgent())
    assert context.target is not None
    host = AgentFrameworkHost(ScriptedAgent(), channels=[], observability=Observability(watchdog=True))

    async def once() -> None:
        async with host:
            assert len(watchdogs()) == 1

    for _ in range(2):
        asyncio.run(once())
    assert watchdogs() == []
