"""One run at a time in a conversation, in order; different conversations side by side."""

from __future__ import annotations

import asyncio

from .._agent import ScriptedAgent
from .._gate import Gate
from .._script import recall
from ._adapter import Line
from ._suite import ChannelSuite

_MANY = 20


class Concurrency(ChannelSuite):
    """Many at once, in one conversation and in several."""

    async def test_turns_of_one_conversation_run_one_at_a_time_in_the_order_in_which_they_came(self) -> None:
        self.needs("conversations")
        gates = [Gate(f"turn {number}") for number in range(3)]
        agent = ScriptedAgent(every=lambda run: [gates[run.index], *recall(run)])
        async with self.serve(agent) as served:
            telling: list[asyncio.Task[str]] = []
            for number in range(3):
                telling.append(asyncio.create_task(served.answer(Line(), f"t{number}")))
                await served.wait_taken(number + 1)
            await gates[0].wait_reached(timeout=self.patience)
            for gate in reversed(gates):
                gate.open()
            # In a chat all answers come to one place, so nobody can tell whose each of them is.
            assert sorted(await asyncio.gather(*telling)) == ["t0", "t0 | t1", "t0 | t1 | t2"]
            assert [run.seen[-1] for run in agent.runs] == ["t0", "t1", "t2"]
            assert agent.most_active == 1, "Two runs of one conversation went on at once."

    async def test_different_conversations_do_not_wait_for_each_other(self) -> None:
        gate = Gate("both at work")
        async with self.serve(ScriptedAgent(every=lambda run: [gate, *recall(run)])) as served:
            telling = [asyncio.create_task(served.answer(Line(name=name), name)) for name in ("lobby", "garden")]
            await gate.wait_reached(2, timeout=self.patience)
            gate.open()
            assert await asyncio.gather(*telling) == ["lobby", "garden"]

    async def test_many_conversations_at_once_never_meet(self) -> None:
        async with self.serve() as served:

            async def talk(number: int) -> list[str]:
                line = Line(name=f"talk {number}")
                return [await served.answer(line, f"{number}.{turn}") for turn in range(2)]

            talks = await asyncio.gather(*map(talk, range(_MANY)))
            assert talks == [[f"{number}.0", f"{number}.0 | {number}.1"] for number in range(_MANY)]
