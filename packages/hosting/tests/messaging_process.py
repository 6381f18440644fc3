"""A process that takes two messages, and gets no further than the test says: it is killed there.

Arguments: the database, and `running` (the agent never answers) or `sending` (its answer never leaves).
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence

from messaging_parts import Chats, Place

from agent_framework_hosting.host import AgentFrameworkHost
from agent_framework_hosting.limits import Limits
from agent_framework_hosting.testing import Gate, ScriptedAgent

LEASE = 1.0


class Stuck(Place):
    async def send(self, text: str, *, plain: bool = False, choices: Sequence[str] = ()) -> str:
        print("sending", flush=True)  # noqa: T201 - the test waits for it
        await asyncio.Event().wait()
        raise AssertionError


async def main(url: str, until: str) -> None:
    gate = Gate()
    agent = ScriptedAgent(every=[gate, "never"]) if until == "running" else ScriptedAgent(every="made before the crash")
    chats = Chats(places={"home": Stuck()})
    async with AgentFrameworkHost(agent, channels=[chats], database=url, limits=Limits(lease=LEASE)):
        for text in ("one", "two"):
            assert await chats.say(text)
        if until == "running":
            await gate.wait_reached()
            print("running", flush=True)  # noqa: T201 - likewise
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
