"""Who leaves stops the run, and the conversation goes on without it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable

from .._agent import ScriptedAgent
from .._gate import Gate
from .._script import recall
from ._adapter import Line
from ._suite import ChannelSuite, Served


class Disconnect(ChannelSuite):
    """Leaving while the answer is made, whole or streamed."""

    async def test_who_leaves_stops_the_run(self) -> None:
        self.needs("disconnect")
        gate = Gate("never opened")
        async with self.serve(ScriptedAgent([gate, "never said"], every=recall)) as served:
            await _leaves(served, served.tell(Line(), "hello"), gate)

    async def test_who_leaves_a_stream_stops_the_run(self) -> None:
        self.needs("disconnect", "streaming")
        gate = Gate("never opened")
        async with self.serve(ScriptedAgent(["Well, ", gate, "never said"], every=recall)) as served:
            await _leaves(served, served.hear(Line(), "hello"), gate)

    async def test_after_somebody_has_left_the_conversation_goes_on_without_that_turn(self) -> None:
        self.needs("disconnect")
        gate = Gate("never opened")
        async with self.serve(ScriptedAgent(recall, ["half", gate, "never said"], every=recall)) as served:
            line = Line()
            await served.answer(line, "one")
            await _leaves(served, served.tell(line, "two"), gate)
            assert await served.answer(line, "three") == "one | three"


async def _leaves(served: Served, talking: Awaitable[object], gate: Gate) -> None:
    leaving = asyncio.ensure_future(talking)
    await gate.wait_reached(timeout=served.patience)
    leaving.cancel()
    await asyncio.wait({leaving})
    run = served.agent.runs[-1]
    await run.wait_ended(timeout=served.patience)
    assert run.stopped, f"The run was not stopped: {run}"
