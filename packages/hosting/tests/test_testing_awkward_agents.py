"""Agents of unusual shape: still agents, each awkward in its own way."""

from __future__ import annotations

import inspect
from typing import Any

import pytest
from agent_framework import AgentSession, SupportsAgentRun

from agent_framework_hosting.testing import CoroutineAgent, GeneratorAgent, ManagedAgent, OptionlessAgent


@pytest.mark.parametrize("kind", [GeneratorAgent, CoroutineAgent, OptionlessAgent, ManagedAgent])
async def test_each_passes_for_an_agent_and_remembers(kind: Any) -> None:
    """All satisfy the protocol's runtime check and keep their history like the plain one."""
    agent, session = kind(), AgentSession()
    await agent.run("one", session=session)
    await agent.run("two", session=session)
    assert agent.runs[1].seen == ["one", "echo: one", "two"]
    assert isinstance(agent, SupportsAgentRun)


async def test_a_generator_agent_streams_with_a_bare_generator() -> None:
    """There is nothing but an async generator; its end is the end of the turn."""
    agent, session = GeneratorAgent(), AgentSession()
    stream = agent.run("hi", stream=True, session=session)
    assert not hasattr(stream, "get_final_response")
    assert [update.text async for update in stream] == ["echo:", " hi"]
    assert [message.text for message in session.state["in_memory"]["messages"]] == ["hi", "echo: hi"]


async def test_a_generator_agent_notices_being_closed() -> None:
    """Its record tells, and the history stays as it was."""
    agent, session = GeneratorAgent(["one", "two"]), AgentSession()
    stream = agent.run("hi", stream=True, session=session)
    await anext(stream)
    await stream.aclose()
    assert agent.runs[0].closed
    assert session.state["in_memory"] == {}


async def test_a_coroutine_agent_must_be_awaited_for_its_stream() -> None:
    """As in the example of core's protocol."""
    pending = CoroutineAgent().run("hi", stream=True)
    assert inspect.iscoroutine(pending)
    stream = await pending
    assert [update.text async for update in stream] == ["echo:", " hi"]


async def test_an_optionless_agent_refuses_options() -> None:
    """Its signature has no such parameter, and no catch-all."""
    assert set(inspect.signature(OptionlessAgent().run).parameters) == {
        "messages",
        "stream",
        "session",
        "function_invocation_kwargs",
        "client_kwargs",
    }


async def test_a_managed_agent_knows_whether_it_is_entered() -> None:
    """A host that forgets to enter or to leave it is found out."""
    agent = ManagedAgent()
    assert not agent.is_open
    async with agent:
        assert agent.is_open
    assert (agent.is_open, agent.times_entered) == (False, 1)
