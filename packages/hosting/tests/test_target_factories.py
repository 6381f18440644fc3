"""What a host serves: agents and workflows, given or made by a factory, entered and left with the host."""

from __future__ import annotations

import asyncio
import math
import warnings
from typing import Any, Self

import pytest
from agent_framework import Agent, Workflow, WorkflowBuilder, WorkflowContext, executor, workflow
from starlette.testclient import TestClient
from workflow_parts import Notebook, notebook, said, say

from agent_framework_hosting.errors import NotStarted, TargetError
from agent_framework_hosting.host import AgentFrameworkHost
from agent_framework_hosting.testing import ManagedAgent, ScriptedAgent, ScriptedChatClient


class OneTask(ScriptedAgent):
    """An agent that may only be left by the task that entered it."""

    def __init__(self, *, fails: str = "") -> None:
        super().__init__(every="ok")
        self.log: list[str] = []
        self._fails = fails
        self._task: Any = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.current_task()
        self.log.append("entered")
        if self._fails == "enter":
            raise OSError("cannot be entered")
        return self

    async def __aexit__(self, *error: object) -> None:
        assert asyncio.current_task() is self._task
        self.log.append("left")
        if self._fails == "leave":
            raise OSError("cannot be left")


@pytest.mark.parametrize("is_async", [False, True])
async def test_an_agent_factory_is_called_once_in_the_lifespan(is_async: bool) -> None:
    """The agent it made is entered, served, seen by everybody, and left."""
    made: list[OneTask] = []

    def make() -> OneTask:
        made.append(OneTask())
        return made[-1]

    async def make_later() -> OneTask:
        return make()

    factory = make_later if is_async else make
    host = AgentFrameworkHost(factory, channels=[])
    assert host.target is factory
    with pytest.raises(NotStarted):
        await host.run(say("early"))
    async with host:
        await asyncio.gather(*(host.run(say("hi", str(number))) for number in range(3)))
        assert host.target is made[0]
        assert made[0].log == ["entered"]
    assert [agent.log for agent in made] == [["entered", "left"]]


async def test_an_agent_is_entered_and_left_in_one_task() -> None:
    """Even when the host is started and stopped by two."""
    agent = OneTask()
    host = AgentFrameworkHost(agent, channels=[])
    await asyncio.create_task(host.__aenter__())
    await host.run(say("hi"))
    await asyncio.create_task(host.__aexit__(None, None, None))
    assert agent.log == ["entered", "left"]


async def test_an_agent_that_cannot_be_entered_fails_the_start() -> None:
    """With its own error, and nothing is served."""
    host = AgentFrameworkHost(OneTask(fails="enter"), channels=[])
    with pytest.raises(OSError, match="cannot be entered"):
        async with host:
            pass
    with pytest.raises(NotStarted):
        await host.run(say("hi"))


async def test_an_agent_that_cannot_be_left_fails_the_stop() -> None:
    """The error is raised, not lost."""
    with pytest.raises(OSError, match="cannot be left"):
        async with AgentFrameworkHost(OneTask(fails="leave"), channels=[]):
            pass


def test_an_agent_with_something_to_enter_needs_the_lifespan() -> None:
    """Without it a request is told so; an agent of Agent Framework that has nothing to open is served as it is."""
    host = AgentFrameworkHost(OneTask(), channels=[])
    assert TestClient(host.app).get("/readiness").status_code == 503
    plain = AgentFrameworkHost(Agent(ScriptedChatClient()), channels=[])
    assert TestClient(plain.app).get("/readiness").status_code == 200


async def test_a_managed_agent_is_left_in_the_end() -> None:
    """The fake counts it."""
    agent = ManagedAgent(every="ok")
    async with AgentFrameworkHost(agent, channels=[]) as host:
        assert (await host.run(say("hi"))).result.text == "ok"


with warnings.catch_warnings():
    warnings.simplefilter("ignore")

    @workflow
    async def shouting(text: str) -> str:
        """Shout."""
        return text.upper()


@pytest.mark.parametrize(
    "target",
    [shouting, lambda: shouting, shouting.build, notebook],
    ids=["definition", "factory of definition", "factory of built", "factory of workflow"],
)
async def test_workflows_are_served_in_every_shape(target: Any) -> None:
    """Functions, and factories of them."""
    async with AgentFrameworkHost(target, channels=[]) as host:
        assert said(await host.run(say("hi", "a")))[0].lower() == "hi"
        assert said(await host.run(say("ho", "b")))[0].lower() == "ho"


@pytest.mark.parametrize("result", [None, 5, "agent", ScriptedAgent, lambda: None])
async def test_what_a_factory_made_and_nobody_can_run_is_refused_at_the_start(result: Any) -> None:
    """The message names the factory, what it returned and what is accepted."""

    def make_it() -> Any:
        return result

    with pytest.raises(TargetError, match=r"'make_it' returned .*Give it an agent .*Workflow.*function"):
        async with AgentFrameworkHost(make_it, channels=[]):
            pass


@pytest.mark.parametrize("make", [notebook, shouting.build])
async def test_a_factory_that_returns_one_workflow_again_and_again_is_refused_at_the_start(make: Any) -> None:
    """All sessions would be one conversation, and see each other's secrets."""
    one = make()
    with pytest.raises(TargetError, match=r"a second time.*Build the workflow inside of the factory"):
        async with AgentFrameworkHost(lambda: one, channels=[]):
            pass


async def test_a_factory_whose_workflows_share_executors_is_warned_about(caplog: pytest.LogCaptureFixture) -> None:
    """An executor may keep what it heard; a function keeps nothing, and may be shared."""
    kept = Notebook()

    @executor(id="hear")
    async def hear(text: str, context: WorkflowContext[str, str]) -> None:
        await context.send_message(text)

    def make() -> Workflow:
        return WorkflowBuilder(start_executor=hear, name="hearing").add_edge(hear, kept).build()

    async with AgentFrameworkHost(make, channels=[]):
        assert "have the executor 'notebook' in common" in caplog.text
        assert "Make the executors inside of the factory" in caplog.text


def test_a_function_with_arguments_is_no_factory() -> None:
    """Refused at construction."""
    with pytest.raises(TargetError, match="needs arguments"):
        AgentFrameworkHost(math.sqrt, channels=[])


def test_a_built_workflow_function_is_one_conversation() -> None:
    """The function itself is wanted."""
    with pytest.raises(TargetError, match="give the workflow function itself, 'shouting'"):
        AgentFrameworkHost(shouting.build(), channels=[])


async def test_a_factory_that_fails_fails_the_start() -> None:
    """With its own error."""

    def fail() -> Any:
        raise OSError("no model today")

    with pytest.raises(OSError, match="no model today"):
        async with AgentFrameworkHost(fail, channels=[]):
            pass


def test_a_workflow_in_the_shape_of_an_agent_is_warned_about(caplog: pytest.LogCaptureFixture) -> None:
    """Its sessions share one instance; the mend is to serve the workflow."""
    agent = WorkflowBuilder(start_executor=Agent(ScriptedChatClient()), name="writing").build().as_agent("writer")
    AgentFrameworkHost(agent, channels=[])
    assert "Serve the workflow itself" in caplog.text
