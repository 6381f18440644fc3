"""The channel starts and stops with the host, and leaves nothing behind."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import pytest

from ...channel import ChannelContext, ChannelContribution
from ...host import AgentFrameworkHost
from ...limits import Limits
from .._agent import ScriptedAgent
from .._gate import Gate
from .._script import recall
from ._adapter import Line
from ._suite import ChannelSuite, assert_refused


class Lifecycle(ChannelSuite):
    """Order of start and stop, a start that fails, draining, and what still runs at the end."""

    async def test_making_a_host_with_it_starts_nothing_yet(self) -> None:
        async with self.adapter() as adapter:
            before = asyncio.all_tasks()
            AgentFrameworkHost(ScriptedAgent(), channels=[adapter.make()], **adapter.host_options)
            assert asyncio.all_tasks() - before == set()

    async def test_it_stops_with_the_host_and_leaves_no_task_behind(self) -> None:
        before = asyncio.all_tasks()
        async with self.adapter() as adapter:
            async with AgentFrameworkHost(ScriptedAgent(), channels=[adapter.make()], **adapter.host_options):
                pass
            assert asyncio.all_tasks() - before == set()

    async def test_it_is_stopped_when_a_later_channel_fails_to_start(self) -> None:
        before = asyncio.all_tasks()
        async with self.adapter() as adapter:
            channels = [adapter.make(), _Failing()]
            host = AgentFrameworkHost(ScriptedAgent(), channels=channels, **adapter.host_options)
            with pytest.raises(LookupError, match="no start today"):
                async with host:
                    pass
            assert asyncio.all_tasks() - before == set()

    async def test_while_the_host_drains_a_message_is_refused_and_not_run(self) -> None:
        self.needs("refusals")
        async with self.serve() as served:
            served.host.begin_drain()
            assert_refused(served.adapter, await served.tell(Line(), "too late"), 503)
            assert served.agent.runs == []

    async def test_the_end_of_the_host_ends_what_still_runs(self) -> None:
        gate = Gate("never opened")
        agent = ScriptedAgent([gate, "never said"])
        async with self.serve(agent, limits=Limits(drain_timeout=0.1)) as served:
            telling = asyncio.create_task(served.tell(Line(), "hello"))
            await gate.wait_reached(timeout=self.patience)
        telling.cancel()
        await asyncio.wait({telling})
        if not telling.cancelled():
            telling.exception()
        await agent.runs[0].wait_ended(timeout=self.patience)
        assert agent.runs[0].stopped

    async def test_what_runs_when_the_drain_begins_is_answered_all_the_same(self) -> None:
        gate = Gate("work")
        async with self.serve(ScriptedAgent(every=lambda run: [gate, *recall(run)])) as served:
            telling = asyncio.create_task(served.answer(Line(), "in time"))
            await gate.wait_reached(timeout=self.patience)
            served.host.begin_drain()
            gate.open()
            assert await telling == "in time"


@dataclass
class _Failing:
    name: str = "fails-to-start"
    path: str = "/fails-to-start"

    def contribute(self, _: ChannelContext) -> ChannelContribution:
        return ChannelContribution(on_startup=[_fail])


def _fail() -> None:
    raise LookupError("no start today")
