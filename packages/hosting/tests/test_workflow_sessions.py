"""Workflows: every session has an instance of its own, and what happens to one is none of the others' business."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypedDict

import pytest
from agent_framework import (
    Agent,
    Executor,
    InMemoryCheckpointStorage,
    Workflow,
    WorkflowBuilder,
    WorkflowContext,
    WorkflowRunResult,
    handler,
)
from agent_framework.exceptions import WorkflowConvergenceException
from starlette.testclient import TestClient
from workflow_parts import Broken, Forgetful, Locked, notebook, said, say

from agent_framework_hosting.channel import ChannelContext
from agent_framework_hosting.errors import (
    InvalidRequest,
    NotForkable,
    NotRestorable,
    OneSessionOnly,
    RunCancelled,
    RunError,
    TargetError,
)
from agent_framework_hosting.host import AgentFrameworkHost
from agent_framework_hosting.limits import Limits
from agent_framework_hosting.testing import Gate, ScriptedChatClient
from agent_framework_hosting.workflows import as_agent_response, is_workflow, is_workflow_result

Connect = Callable[..., ChannelContext]


@pytest.fixture(params=["factory", "async factory", "template", "checkpoints", "storage"])
def hosted(request: pytest.FixtureRequest, tmp_path: Any) -> Callable[..., AgentFrameworkHost]:
    """Return a function that hosts a notebook in one of the ways in which sessions have instances of their own."""

    def host(**options: Any) -> AgentFrameworkHost:
        async def make() -> Workflow:
            return notebook(**options)

        key = "a key of thirty-two characters and more"
        match request.param:
            case "factory":
                return AgentFrameworkHost(lambda: notebook(**options), channels=[])
            case "async factory":
                return AgentFrameworkHost(make, channels=[])
            case "template":
                return AgentFrameworkHost(notebook(**options), channels=[])
            case "checkpoints":
                return AgentFrameworkHost(make, channels=[], checkpoint_location=tmp_path / "kept", checkpoint_key=key)
            case _:
                return AgentFrameworkHost(make, channels=[], checkpoint_location=InMemoryCheckpointStorage())

    return host


def test_what_stands_on_a_class_of_the_framework_is_known_by_it_and_what_only_bears_its_name_is_not() -> None:
    derived, namesake = type("Mine", (WorkflowRunResult,), {}), type("Workflow", (), {})
    assert is_workflow(notebook())
    assert not is_workflow(namesake())
    assert is_workflow_result(WorkflowRunResult([]))
    assert is_workflow_result(derived([]))
    assert not is_workflow_result(notebook())


async def test_a_session_goes_on_where_its_last_turn_ended(hosted: Callable[..., AgentFrameworkHost]) -> None:
    """And no session knows what was said in another one, nor does a request that belongs to none."""
    async with hosted() as host:
        await host.run(say("alice's secret", "alice"))
        assert said(await host.run(say("hi", "mallory"))) == ["hi"]
        assert said(await host.run(say("hi", None))) == ["hi"]
        assert said(await host.run(say("again", "alice"))) == ["alice's secret again"]


@pytest.mark.parametrize("word", ["fail", "loop"])
async def test_a_turn_that_fails_leaves_the_session_as_it_was(
    hosted: Callable[..., AgentFrameworkHost], word: str
) -> None:
    """Also a runaway, whose messages would block the instance for good; the others hear nothing of it."""
    async with hosted() as host:
        await host.run(say("one"))
        await host.run(say("other", "hall"))
        with pytest.raises((ValueError, WorkflowConvergenceException)):
            await host.run(say(word))
        assert said(await host.run(say("two"))) == ["one two"]
        assert said(await host.run(say("more", "hall"))) == ["other more"]


async def test_a_first_turn_that_fails_leaves_nothing(hosted: Callable[..., AgentFrameworkHost]) -> None:
    """The next one begins anew."""
    async with hosted() as host:
        with pytest.raises(ValueError, match="nobody's business"):
            await host.run(say("fail"))
        assert said(await host.run(say("one"))) == ["one"]


async def test_a_stream_that_is_closed_leaves_the_session_as_it_was(make_probe: Callable[[], Any]) -> None:
    """Wherever the run was held up; and what was held up runs no longer."""
    gate, probe = Gate(), make_probe()
    async with AgentFrameworkHost(lambda: notebook(gate=gate), channels=[probe]) as host:
        await host.run(say("one"))
        stream = await probe.context.run_stream(say("wait"))
        reading = asyncio.ensure_future(stream.get_final_response())
        await gate.wait_reached()
        await stream.aclose()
        with pytest.raises(RunCancelled):
            await reading
        assert said(await host.run(say("two"))) == ["one two"]


async def test_a_slow_session_holds_nobody_up() -> None:
    """Another one has its answer while the first one is still waiting."""
    gate = Gate()
    async with AgentFrameworkHost(lambda: notebook(gate=gate), channels=[]) as host:
        slow = asyncio.ensure_future(host.run(say("wait", "slow")))
        await gate.wait_reached()
        assert said(await host.run(say("quick", "fast"))) == ["quick"]
        gate.open()
        assert said(await slow) == ["wait"]


async def test_a_drain_stops_a_workflow_that_does_not_end() -> None:
    """Like any agent's run."""
    gate = Gate()
    limits = Limits(drain_timeout=0.01)
    host = AgentFrameworkHost(lambda: notebook(gate=gate), channels=[], limits=limits)
    async with host:
        slow = asyncio.ensure_future(host.run(say("wait")))
        await gate.wait_reached()
    with pytest.raises(RunCancelled) as stopped:
        await slow
    assert stopped.value.reason == "drained"


class OneGate(Gate):
    """Stays the same when the workflow that has it is copied."""

    def __deepcopy__(self, _: object) -> OneGate:
        return self


@pytest.mark.parametrize("is_factory", [True, False], ids=["factory", "template"])
async def test_twenty_sessions_run_side_by_side(is_factory: bool) -> None:
    """None ends before all of them have begun."""
    gate = OneGate()

    def make() -> Workflow:
        return notebook(gate=gate)

    async with AgentFrameworkHost(make if is_factory else make(), channels=[]) as host:
        running = [asyncio.ensure_future(host.run(say("wait", f"room {number}"))) for number in range(20)]
        await gate.wait_reached(20)
        gate.open()
        assert [said(answer) for answer in await asyncio.gather(*running)] == [["wait"]] * 20


async def test_turns_of_one_session_run_in_order() -> None:
    """Also when they come at once."""
    async with AgentFrameworkHost(notebook, channels=[]) as host:
        answers = await asyncio.gather(*(host.run(say(str(number))) for number in range(5)))
    assert [said(answer)[0] for answer in answers] == ["0", "0 1", "0 1 2", "0 1 2 3", "0 1 2 3 4"]


async def test_a_conversation_is_continued_from_its_head_only(connect: Connect) -> None:
    """An older point is refused, and the conversation goes on."""
    context = connect(notebook())
    await context.run(say("one", None, commit_as="a"))
    await context.run(say("two", None, parent="a", commit_as="b"))
    with pytest.raises(NotForkable):
        await context.run(say("fork", None, parent="a", commit_as="c"))
    assert said(await context.run(say("three", None, parent="b", commit_as="d"))) == ["one two three"]


async def test_a_reset_begins_anew(hosted: Callable[..., AgentFrameworkHost]) -> None:
    """What was said before the reset does not come back."""
    async with hosted() as host:
        await host.run(say("old"))
        host.reset_session("room")
        assert said(await host.run(say("new"))) == ["new"]


async def test_no_session_and_no_options_are_passed(connect: Connect) -> None:
    """The result is the workflow's own, with no AgentSession beside it."""
    context = connect(notebook())
    result = await context.run(replace(say("one"), options={"temperature": 1}))
    assert result.session is None
    assert not context.accepts_options
    assert isinstance(result.result, WorkflowRunResult)


@pytest.mark.parametrize("value", [5, None, ["one"]])
async def test_an_input_of_the_wrong_type_is_the_callers_to_mend(connect: Connect, value: Any) -> None:
    """The message names what the workflow takes."""
    context = connect(notebook())
    with pytest.raises(InvalidRequest, match=r"takes str|needs an input"):
        await context.run(say(value))
    assert said(await context.run(say("one"))) == ["one"]


class Order(TypedDict):
    item: str


class Shop(Executor):
    """Takes what no program can tell from other dictionaries."""

    @handler
    async def sell(self, order: Order, context: WorkflowContext[None, str]) -> None:
        await context.yield_output(order["item"])


class Warehouse(Executor):
    """Takes a list of such."""

    @handler
    async def sell(self, orders: list[Order], context: WorkflowContext[None, str]) -> None:
        await context.yield_output(f"{len(orders)} orders")


def test_a_start_to_which_nothing_can_be_given_is_refused_with_the_mend() -> None:
    """Agent Framework would fail on each request."""
    with pytest.raises(TargetError, match=r"'shop' takes Order, a TypedDict.* Let it take a dataclass"):
        AgentFrameworkHost(WorkflowBuilder(start_executor=Shop("shop"), name="shop").build(), channels=[])


async def test_a_value_that_cannot_be_told_is_the_callers_to_mend(connect: Connect) -> None:
    """A list can be told from what is none, its items cannot."""
    context = connect(WorkflowBuilder(start_executor=Warehouse("store"), name="store").build())
    with pytest.raises(InvalidRequest, match=r"takes list\[.*Order\], not list\[dict\]"):
        await context.run(say([{"item": "tea"}]))
    assert said(await context.run(say([]))) == ["0 orders"]


async def test_agents_in_copies_share_no_conversation() -> None:
    """The agent is shared, its sessions are not."""
    client = ScriptedChatClient(every=lambda call: " | ".join(message.text for message in call.messages))
    agent = Agent(client, name="writer")
    workflow = WorkflowBuilder(start_executor=agent, name="writing").build()
    async with AgentFrameworkHost(workflow, channels=[]) as host:
        await host.run(say("alice's secret", "alice"))
        answer = await host.run(say("hi", "mallory"))
    assert "secret" not in as_agent_response(answer.result).text


async def test_the_template_may_be_run_by_its_owner() -> None:
    """What the owner does with the workflow that was given is not seen by the host, and does not hinder it."""
    workflow = notebook()
    async with AgentFrameworkHost(workflow, channels=[]) as host:
        await workflow.run("owner")
        assert said(await host.run(say("one"))) == ["one"]
        assert host.target is workflow


async def test_a_workflow_that_cannot_be_copied_holds_one_session(caplog: pytest.LogCaptureFixture) -> None:
    """The warning names what stands in the way and the mend; a second session is refused, and sees nothing."""
    async with AgentFrameworkHost(notebook(Locked()), channels=[]) as host:
        assert "attribute 'lock' of the executor 'notebook'" in caplog.text
        assert "function that builds the workflow" in caplog.text
        await host.run(say("one"))
        with pytest.raises(OneSessionOnly) as refused:
            await host.run(say("two", "hall"))
        assert refused.value.status == 409
        with pytest.raises(OneSessionOnly):
            await host.run(say("two", None))
        with pytest.raises(ValueError, match="nobody's business"):
            await host.run(say("fail"))
        assert said(await host.run(say("three"))) == ["one three"]


async def test_a_reset_of_the_only_conversation_gives_it_to_the_same_key_anew() -> None:
    """It is not lost to everybody, and stays out of the others' reach."""
    async with AgentFrameworkHost(notebook(Locked()), channels=[]) as host:
        await host.run(say("old"))
        host.reset_session("room")
        assert said(await host.run(say("new"))) == ["new"]
        with pytest.raises(OneSessionOnly):
            await host.run(say("two", "hall"))


async def test_a_workflow_that_cannot_be_copied_serves_many_with_checkpoints() -> None:
    """One after the other, each restored from its own checkpoint; a new one starts from nothing."""
    storage = InMemoryCheckpointStorage()
    async with AgentFrameworkHost(notebook(Locked()), channels=[], checkpoint_location=storage) as host:
        await asyncio.gather(*(host.run(say(f"secret {name}", name)) for name in "abc"))
        with pytest.raises(WorkflowConvergenceException):
            await host.run(say("loop", "a"))
        assert said(await host.run(say("hi", None))) == ["hi"]
        assert said(await host.run(say("more", "a"))) == ["secret a more"]
        assert said(await host.run(say("more", "b"))) == ["secret b more"]


def test_a_poisoned_instance_makes_the_host_unready() -> None:
    """Whoever runs it is to restart it."""
    host = AgentFrameworkHost(
        notebook(Broken()), channels=[], checkpoint_location=InMemoryCheckpointStorage(), limits=Limits()
    )
    with TestClient(host.app) as client:
        assert client.portal is not None
        client.portal.call(host.run, say("one", "a"))
        assert client.get("/readiness").status_code == 200
        with pytest.raises(RunError):
            client.portal.call(host.run, say("two", "b"))
        assert client.get("/readiness").status_code == 503


async def test_a_session_that_cannot_be_brought_back_is_refused_and_can_be_reset() -> None:
    """It hears so, instead of being served from nothing in silence."""
    async with AgentFrameworkHost(lambda: notebook(Forgetful()), channels=[]) as host:
        await host.run(say("one"))
        with pytest.raises(ValueError, match="nobody's business"):
            await host.run(say("fail"))
        with pytest.raises(NotRestorable):
            await host.run(say("two"))
        host.reset_session("room")
        assert said(await host.run(say("three"))) == ["three"]
