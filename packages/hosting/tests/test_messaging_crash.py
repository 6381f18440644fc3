"""What was accepted is answered, although the process that accepted it was killed."""

from __future__ import annotations

import sys
from pathlib import Path

import anyio
import pytest
from anyio.streams.buffered import BufferedByteReceiveStream
from messaging_parts import Chats
from messaging_process import LEASE

from agent_framework_hosting.host import AgentFrameworkHost
from agent_framework_hosting.limits import Limits
from agent_framework_hosting.messaging.phrases import Phrases
from agent_framework_hosting.testing import Gate, ScriptedAgent

PROCESS = Path(__file__).with_name("messaging_process.py")


async def kill_while(until: str, url: str) -> None:
    """Let a process take two messages, and kill it once it is there."""
    process = await anyio.open_process([sys.executable, str(PROCESS), url, until], stderr=None)
    async with process:
        assert process.stdout is not None
        with anyio.fail_after(120):
            said = await BufferedByteReceiveStream(process.stdout).receive_until(b"\n", 100)
        assert said.decode() == until
        process.kill()


async def test_a_crash_between_acknowledgement_and_run_loses_no_message(database: str) -> None:
    chats, agent = Chats(), ScriptedAgent(every=lambda run: f"seen {run.seen}")
    await kill_while("running", database)
    async with AgentFrameworkHost(agent, channels=[chats], database=database, limits=Limits(lease=LEASE)):
        texts = await chats.until("seen ['one']", "'two']")
        assert not await chats.say("one", id="m1")
    assert len(texts) == 2
    assert len(agent.runs) == 2


async def test_a_crash_before_the_answer_has_left_runs_nothing_twice(
    database: str, caplog: pytest.LogCaptureFixture
) -> None:
    chats, agent = Chats(), ScriptedAgent(every=lambda run: f"seen {run.seen}")
    await kill_while("sending", database)
    async with AgentFrameworkHost(agent, channels=[chats], database=database, limits=Limits(lease=LEASE)):
        await chats.until("made before the crash", "seen ['one', 'made before the crash', 'two']")
    assert len(agent.runs) == 1
    assert "may have been sent already" in caplog.text


async def test_stop_reaches_the_process_that_runs(database: str) -> None:
    """Two hosts on one database; the message is in the hands of one, and the command comes to the other."""
    gate = Gate()
    agent = ScriptedAgent(["Half an answer", gate, "never"], every="another answer")
    one, other = Chats(), Chats()
    async with AgentFrameworkHost(agent, channels=[one], database=database):
        await one.say("slow", id="a")
        await gate.wait_reached()
        async with AgentFrameworkHost(ScriptedAgent(), channels=[other], database=database):
            await other.say("/stop", id="b")
            await one.until("Half an answer")
            assert agent.runs[0].stopped
    assert Phrases().stopped in [*one.at().texts, *other.at().texts]
