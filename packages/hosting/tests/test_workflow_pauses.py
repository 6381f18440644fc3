"""Pauses: what a workflow asks is seen in its result, and answered by a later request, once."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, Optional

import pytest
from agent_framework import (
    Agent,
    AgentExecutor,
    Content,
    FunctionTool,
    InMemoryCheckpointStorage,
    Message,
    RunContext,
    WorkflowBuilder,
    WorkflowRunResult,
    tool,
    workflow,
)
from hypothesis import given
from hypothesis import strategies as st
from workflow_parts import Order, answer, notebook, said, say

from agent_framework_hosting._target.workflow.answers import fitted
from agent_framework_hosting.channel import ChannelContext
from agent_framework_hosting.errors import InvalidRequest
from agent_framework_hosting.host import AgentFrameworkHost
from agent_framework_hosting.testing import ScriptedChatClient
from agent_framework_hosting.workflows import WorkflowAnswers, as_agent_response, pending_requests

Connect = Callable[..., ChannelContext]
KEY = "a key of thirty-two characters and more"


@pytest.fixture(params=["memory", "checkpoints", "storage"])
def host(request: pytest.FixtureRequest, tmp_path: Any) -> AgentFrameworkHost:
    """Return a host of the notebook that keeps its sessions in one of the ways there are."""
    location: Any = {"memory": None, "checkpoints": tmp_path / "kept", "storage": InMemoryCheckpointStorage()}
    return AgentFrameworkHost(notebook, channels=[], checkpoint_location=location[request.param], checkpoint_key=KEY)


@pytest.mark.parametrize(
    ("asked", "value", "expected"),
    [
        ("ask flag", True, "flag True"),
        ("ask flag", "false", "flag False"),
        ("ask text", "42", "text 42"),
        ("ask count", 42, "count 42"),
        ("ask count", "42", "count 42"),
        ("ask order", Order("tea", 2), "2 tea"),
        ("ask order", '{"item": "tea", "count": 2}', "2 tea"),
        ("ask order", {"item": "tea", "count": 2}, "2 tea"),
    ],
    ids=repr,
)
async def test_a_pause_is_answered(host: AgentFrameworkHost, asked: str, value: Any, expected: str) -> None:
    """With the type that was asked for, or with JSON that makes it."""
    async with host:
        await host.run(say("before"))
        paused = await host.run(say(asked))
        [event] = pending_requests(paused.result).values()
        assert event.data == asked
        assert said(await host.run(answer(value, to=paused))) == [expected]
        assert said(await host.run(say("after"))) == [f"before {asked} after"]


@pytest.mark.parametrize(
    ("asked", "value"),
    [
        ("ask flag", "perhaps"),
        ("ask flag", 1),
        ("ask count", "many"),
        ("ask count", True),
        ("ask order", {"item": "tea"}),
        ("ask order", None),
        ("ask order", "[" * 100_000),
        ("ask order", '{"item":' * 900 + "1" + "}" * 900),
        ("ask text", 5),
    ],
    ids=lambda value: repr(value)[:20],
)
async def test_an_answer_that_does_not_fit_leaves_the_pause_open(
    host: AgentFrameworkHost, asked: str, value: Any
) -> None:
    """The caller hears what is expected, and may answer again."""
    fitting: dict[str, Any] = {"ask flag": True, "ask count": 1, "ask order": Order("tea", 1), "ask text": "x"}
    async with host:
        paused = await host.run(say(asked))
        with pytest.raises(InvalidRequest, match="does not fit: the workflow expects"):
            await host.run(answer(value, to=paused))
        assert said(await host.run(answer(fitting[asked], to=paused)))


async def test_an_answer_to_nothing_is_refused(host: AgentFrameworkHost) -> None:
    """Whether nothing was asked, something else was, or it has been answered."""
    async with host:
        with pytest.raises(InvalidRequest, match="asks nothing with the id"):
            await host.run(say(WorkflowAnswers({"x": 1})))
        paused = await host.run(say("ask count"))
        with pytest.raises(InvalidRequest, match="asks nothing with the id 'x'"):
            await host.run(say(WorkflowAnswers({"x": 1})))
        with pytest.raises(InvalidRequest, match="empty"):
            await host.run(say(WorkflowAnswers({})))
        await host.run(answer(1, to=paused))
        with pytest.raises(InvalidRequest, match="answered already"):
            await host.run(answer(2, to=paused))


async def test_nobody_answers_for_another_session(host: AgentFrameworkHost) -> None:
    """An id is good in its own session alone."""
    async with host:
        paused = await host.run(say("ask count", "alice"))
        with pytest.raises(InvalidRequest, match="asks nothing"):
            await host.run(answer(1, to=paused, key="mallory"))
        assert said(await host.run(answer(2, to=paused, key="alice"))) == ["count 2"]


async def test_an_answered_pause_stays_answered_when_its_turn_fails(host: AgentFrameworkHost) -> None:
    """Nobody knows how far that turn came, so nothing is done twice; the session itself goes on."""
    async with host:
        paused = await host.run(say("ask text"))
        with pytest.raises(ValueError, match="after the answer was taken"):
            await host.run(answer("fail", to=paused))
        for _ in range(2):
            with pytest.raises(InvalidRequest, match=r"answered already, by a turn that did not finish.* reset"):
                await host.run(answer("again", to=paused))
            assert "new" in said(await host.run(say("new")))[0]


async def test_new_input_leaves_a_pause_open(host: AgentFrameworkHost) -> None:
    """As in Agent Framework itself: it can be answered later."""
    async with host:
        paused = await host.run(say("ask count"))
        assert said(await host.run(say("meanwhile"))) == ["ask count meanwhile"]
        assert said(await host.run(answer(3, to=paused))) == ["count 3"]


async def test_several_pauses_are_answered_one_by_one(host: AgentFrameworkHost) -> None:
    """In any order."""
    async with host:
        first = await host.run(say("ask count"))
        second = await host.run(say("ask flag"))
        assert said(await host.run(answer(True, to=second))) == ["flag True"]
        assert said(await host.run(answer(1, to=first))) == ["count 1"]


async def test_messages_answer_with_function_results(host: AgentFrameworkHost) -> None:
    """The call's id is the request's; what the model said before may be sent along."""
    async with host:
        paused = await host.run(say("ask count"))
        [call] = [content for message in as_agent_response(paused.result).messages for content in message.contents]
        assert (call.type, call.name, call.call_id in pending_requests(paused.result)) == (
            "function_call",
            "request_info",
            True,
        )
        result = Content.from_function_result(call.call_id or "", result="5")
        history = [Message("assistant", [call]), Message("tool", [result])]
        assert said(await host.run(say(history))) == ["count 5"]


async def test_an_approval_answers_a_flag(host: AgentFrameworkHost) -> None:
    """As channels with approvals send it."""
    async with host:
        paused = await host.run(say("ask flag"))
        [at] = pending_requests(paused.result)
        call = Content.from_function_call(at, "request_info")
        approval = Content.from_function_approval_response(approved=True, id=at, function_call=call)
        assert said(await host.run(say(Message("user", [approval])))) == ["flag True"]


async def test_answers_and_new_input_do_not_mix(host: AgentFrameworkHost) -> None:
    """The caller is told to send them apart, and the pause stays open."""
    async with host:
        paused = await host.run(say("ask count"))
        [at] = pending_requests(paused.result)
        mixed = Message("user", [Content.from_function_result(at, result="5"), Content.from_text("and hello")])
        with pytest.raises(InvalidRequest, match="request of its own"):
            await host.run(say([mixed]))
        assert said(await host.run(answer(5, to=paused))) == ["count 5"]


async def test_a_pause_outside_of_a_session_is_seen(connect: Connect) -> None:
    """Nobody can answer it, but it does not look as if the workflow had ended."""
    context = connect(notebook())
    assert pending_requests((await context.run(say("ask flag", None))).result)


with warnings.catch_warnings():
    warnings.simplefilter("ignore")

    @workflow
    async def booking(city: str, ctx: RunContext) -> str:
        """Ask twice."""
        nights = await ctx.request_info("how many nights?", int)
        breakfast = await ctx.request_info("breakfast?", bool)
        return f"{city}: {nights} nights, breakfast: {breakfast}"


@pytest.mark.parametrize("keeps", [False, True])
async def test_a_workflow_function_asks_more_than_once(keeps: bool, tmp_path: Any) -> None:
    """It runs from its beginning for every answer, so it hears the earlier answers again; twice over."""
    kept: Any = {"checkpoint_location": tmp_path, "checkpoint_key": KEY} if keeps else {}
    async with AgentFrameworkHost(booking, channels=[], **kept) as host:
        for city, nights in (("Rome", 2), ("Oslo", 3)):
            first = await host.run(say(city, "a"))
            other = await host.run(say("Bern", "b"))
            second = await host.run(answer(nights, to=first, key="a"))
            assert said(second) == []
            third = await host.run(answer("true", to=second, key="a"))
            assert said(third) == [f"{city}: {nights} nights, breakfast: True"]
            assert pending_requests(other.result)
            with pytest.raises(InvalidRequest, match="asks nothing"):
                await host.run(answer(nights, to=first, key="a"))


@dataclass
class Point:
    x: int
    y: Optional[float] = None  # noqa: UP045 - one of the ways in which people write it


@pytest.mark.parametrize(
    ("wanted", "value", "expected"),
    [
        (int | None, "null", None),
        (int | str, "5", "5"),
        (list[str], '["a"]', ["a"]),
        (list[int], [1, 2], [1, 2]),
        (dict[str, int], '{"a": 1}', {"a": 1}),
        (dict, '{"a": [1]}', {"a": [1]}),
        (float, 1, 1.0),
        (Literal["yes", "no"], "yes", "yes"),
        (Literal["yes", "no"], '"yes"', "yes"),
        (Point, '{"x": 1, "y": 2}', Point(1, 2.0)),
        (list[Point], [{"x": 1}], [Point(1)]),
        (object, "anything", "anything"),
        (Any, None, None),
    ],
    ids=repr,
)
def test_answers_are_made_to_fit(wanted: Any, value: Any, expected: Any) -> None:
    """Whatever way the type is written in."""
    assert fitted(value, wanted) == expected


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)


@given(JSON, st.sampled_from([int, bool, str, float, list[int], dict[str, str], Point, int | None, Order]))
def test_what_does_not_fit_is_a_value_error_and_nothing_else(value: Any, wanted: Any) -> None:
    """Whatever a caller sends; what fits has the type."""
    try:
        made = fitted(value, wanted)
    except ValueError:
        return
    if isinstance(wanted, type) and not hasattr(wanted, "__args__"):
        assert isinstance(made, wanted)


def test_no_request_is_pending_in_a_result_without_any() -> None:
    """And its response is empty."""
    assert pending_requests(WorkflowRunResult([])) == {}
    assert as_agent_response(WorkflowRunResult([])).messages == []


def test_json_text_is_read_to_a_bounded_depth() -> None:
    """Deeper text fits nothing but a text: whatever keeps an answer would stumble over it."""
    assert fitted("[" * 64 + "]" * 64, list) != []
    for text in ("[" * 65 + "]" * 65, "[" * 900 + "]" * 900, "[" * 100_000):
        assert fitted(text, str) == text
        with pytest.raises(ValueError, match="deeply"):
            fitted(text, list)


async def test_what_an_agent_inside_asks_is_answered_by_plain_values() -> None:
    """Yes or no for an approval, the result for a call that nobody but the caller can run."""
    paid: list[int] = []

    @tool(approval_mode="always_require")
    def pay(n: int) -> str:
        """Pay."""
        paid.append(n)
        return f"paid {n}"

    client = ScriptedChatClient(
        [Content.from_function_call("c1", "pay", arguments='{"n":5}')],
        [Content.from_function_call("c2", "weigh", arguments="{}")],
        lambda call: f"It weighs {call.messages[-1].contents[0].result}.",
    )
    agent = Agent(client, tools=[pay, FunctionTool(name="weigh", description="Weigh.", func=None)])

    def build() -> Any:
        return WorkflowBuilder(start_executor=AgentExecutor(agent, id="till"), name="till").build()

    async with AgentFrameworkHost(build, channels=[]) as host:
        asked = await host.run(say("pay 5"))
        more = await host.run(answer(True, to=asked))
        assert paid == [5]
        done = await host.run(answer("3 g", to=more))
    assert as_agent_response(done.result).text == "It weighs 3 g."
