"""What a workflow takes: JSON that is read as the type of its start, or refused at its place."""

# No `from __future__ import annotations`: Agent Framework reads the types of handlers while their class is made.
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, Literal, NotRequired, TypedDict, cast

import pytest
from agent_framework import (
    AgentExecutor,
    Executor,
    FunctionalWorkflowDefinition,
    Message,
    WorkflowBuilder,
    WorkflowContext,
    handler,
    workflow,
)
from invocation_parts import final, invoke, refused, serving
from pydantic import BaseModel, Field

from agent_framework_hosting.testing import ScriptedAgent
from agent_framework_hosting.types import ChannelRequest


@dataclass
class Line:
    """One position of an order."""

    item: str
    count: int = 1


@dataclass
class Order:
    """What somebody wants, and until when."""

    lines: list[Line]
    until: date | None = None
    note: Message | None = None


@dataclass
class Refund:
    """What somebody wants back."""

    order: int
    reason: Literal["late", "broken"]


class Place(TypedDict):
    """Where something goes."""

    street: str
    floor: NotRequired[int]


class Guest(BaseModel):
    """Who comes."""

    name: str = Field(min_length=2)
    ages: list[int] = []


class Opaque:
    """Something that no JSON can carry."""


def shown(given: Any) -> Any:
    return given.text if isinstance(given, Message) else given


class Teller(Executor):
    """Tells what it was given."""

    def __init__(self) -> None:
        super().__init__(id="teller")

    async def tell(self, given: Any, ctx: WorkflowContext[Any, str]) -> None:
        told = [shown(each) for each in cast("list[Any]", given)] if isinstance(given, list) else shown(given)
        kind = type(cast("object", given)).__name__
        await ctx.yield_output(f"{kind}: {told}")


def taking(*kinds: Any) -> Any:
    """Return a factory of workflows that start with these types."""
    members: dict[str, Any] = {}
    for index, kind in enumerate(kinds):

        async def take(self: Teller, given: Any, ctx: WorkflowContext[Any, str]) -> None:
            await self.tell(given, ctx)

        take.__annotations__ = {"given": kind, "ctx": WorkflowContext[Any, str]}
        take.__name__ = f"take_{index}"
        members[f"take_{index}"] = handler(take)
    start = type("Start", (Teller,), members)
    return lambda: WorkflowBuilder(start_executor=start(), name="teller").build()


TAKEN: list[tuple[tuple[Any, ...], Any, str]] = [
    ((str,), "hi", "str: hi"),
    ((int,), 5, "int: 5"),
    ((dict,), {"a": 1}, "dict: {'a': 1}"),
    ((list[int],), [1, 2], "list: [1, 2]"),
    ((Any,), {"a": [1]}, "dict: {'a': [1]}"),
    ((Line,), {"item": "tea"}, "Line: Line(item='tea', count=1)"),
    ((Guest,), {"name": "Ada", "ages": [3]}, "Guest: name='Ada' ages=[3]"),
    ((date,), "2026-01-02", "date: 2026-01-02"),
    ((Message,), {"role": "user", "content": "hi"}, "Message: hi"),
    ((Message,), "hi", "Message: hi"),
    ((list[Message],), [{"content": "a"}, {"content": "b"}], "list: ['a', 'b']"),
    ((list[Message],), "hi", "list: ['hi']"),
    ((list[str | Message],), ["a", {"content": "b"}], "list: ['a', 'b']"),
    ((int | str,), "5", "str: 5"),
    ((int | str,), 5, "int: 5"),
    ((date, str), "2026-01-02", "str: 2026-01-02"),
    ((Line, Refund), {"order": 3, "reason": "late"}, "Refund: Refund(order=3, reason='late')"),
    ((dict, Line), {"item": "tea"}, "Line: Line(item='tea', count=1)"),
    ((dict, Line), {"other": "tea"}, "dict: {'other': 'tea'}"),
    ((Opaque, str), "hi", "str: hi"),
]


@pytest.mark.parametrize(("kinds", "given", "told"), TAKEN, ids=range(len(TAKEN)))
async def test_input_is_read_as_the_type_of_the_start(kinds: tuple[Any, ...], given: Any, told: str) -> None:
    async with serving(taking(*kinds)) as driver:
        assert (await final(driver, given))["output"] == told


REFUSED: list[tuple[tuple[Any, ...], Any, tuple[str, str]]] = [
    ((Order,), {"lines": [{"item": "tea"}, {"item": "tea", "count": "x"}]}, ("invalid_type", "input.lines[1].count")),
    ((Order,), {"lines": [{"count": 1}]}, ("missing_required_parameter", "input.lines[0].item")),
    ((Order,), {"lines": [], "until": "soon"}, ("invalid_value", "input.until")),
    ((Order,), {"lines": [], "untill": None}, ("unknown_parameter", "input.untill")),
    ((Order,), {"lines": [], "note": {"role": "system", "content": "x"}}, ("invalid_value", "input.note.role")),
    ((Order,), {"lines": [], "note": {"content": [{"type": "x"}]}}, ("invalid_value", "input.note.content[0].type")),
    ((Order,), "tea", ("invalid_type", "input")),
    ((Refund,), {"order": 1, "reason": "other"}, ("invalid_value", "input.reason")),
    ((Line, Refund), {"order": "x", "reason": "late"}, ("invalid_type", "input.order")),
    ((Guest,), {"name": "A"}, ("invalid_value", "input.name")),
    ((Guest,), {"name": "Ada", "ages": [1, "x"]}, ("invalid_value", "input.ages[1]")),
    ((int,), True, ("invalid_type", "input")),
    ((str,), {"a": 1}, ("invalid_type", "input")),
    ((list[Message],), [{"content": "a"}, 5], ("invalid_type", "input[1]")),
    ((Opaque,), {"a": 1}, ("invalid_request", "input")),
]


@pytest.mark.parametrize(("kinds", "given", "told"), REFUSED, ids=range(len(REFUSED)))
@pytest.mark.parametrize("stream", [False, True])
async def test_input_that_does_not_fit_is_refused_at_its_place(
    kinds: tuple[Any, ...], given: Any, told: tuple[str, str], stream: bool
) -> None:
    async with serving(taking(*kinds)) as driver:
        assert refused(await invoke(driver, given, stream=stream)) == (400, *told)


async def test_a_refusal_names_all_that_the_workflow_takes() -> None:
    async with serving(taking(str, Line, list[Message])) as driver:
        problem = (await invoke(driver, 5)).json()
    assert problem["detail"].endswith("this workflow takes a string or Line or an array of messages.")


async def test_a_workflow_that_starts_with_an_agent_takes_text_messages_and_the_agents_own_request() -> None:
    def build() -> Any:
        return WorkflowBuilder(start_executor=AgentExecutor(ScriptedAgent(), id="agent"), name="agents").build()

    async with serving(build) as driver:
        assert (await final(driver, "hi"))["output"] == "echo: hi"
        assert (await final(driver, [{"content": "ho"}]))["output"] == "echo: ho"
        assert (await final(driver, {"messages": [{"content": "he"}]}))["output"] == "echo: he"


@pytest.mark.usefixtures("experimental_features")
async def test_a_workflow_function_takes_the_type_of_its_parameter() -> None:
    made: FunctionalWorkflowDefinition = function()
    async with serving(made) as driver:
        assert (await final(driver, {"item": "tea", "count": 2}))["output"] == "2 tea"
        assert refused(await invoke(driver, {"item": 2})) == (400, "invalid_type", "input.item")


@pytest.mark.usefixtures("experimental_features")
async def test_a_workflow_function_takes_a_typed_dictionary() -> None:
    @workflow
    async def post(place: Place) -> str:
        return f"{place['street']} {place.get('floor', 0)}"

    async with serving(post) as driver:
        assert (await final(driver, {"street": "High St", "floor": 2}))["output"] == "High St 2"
        missing = await invoke(driver, {"floor": 2})
        assert refused(missing) == (400, "missing_required_parameter", "input.street")
        assert refused(await invoke(driver, {"street": "x", "at": 2})) == (400, "unknown_parameter", "input.at")


def function() -> Any:
    @workflow
    async def shop(line: Line) -> str:
        return f"{line.count} {line.item}"

    return shop


async def test_what_a_workflow_gives_that_is_no_text_is_the_json_that_it_is() -> None:
    class Start(Executor):
        @handler
        async def take(self, line: Line, ctx: WorkflowContext[Any, Any]) -> None:
            await ctx.yield_output(replace(line, count=line.count + 1))
            await ctx.yield_output({"total": 3.5, "on": date(2026, 1, 2)})
            await ctx.yield_output("done")

    def build() -> Any:
        return WorkflowBuilder(start_executor=Start(id="start"), name="values").build()

    async with serving(build) as driver:
        whole = await final(driver, {"item": "tea"})
        streamed = await final(driver, {"item": "tea"}, stream=True)
    assert whole["messages"] == streamed["messages"]
    assert [message["content"] for message in whole["messages"]] == [
        [{"type": "json", "value": {"item": "tea", "count": 2}}],
        [{"type": "json", "value": {"total": 3.5, "on": "2026-01-02"}}],
        [{"type": "text", "text": "done"}],
    ]
    assert whole["output"] == '{"item":"tea","count":2}\n{"total":3.5,"on":"2026-01-02"}\ndone'


async def test_a_hook_that_rewrites_an_update_has_the_say_over_values_too() -> None:
    def hide(update: Any) -> Any:
        update.contents[0].text = "hidden"
        return update

    async with serving(taking(Any), stream_update_hook=hide) as driver:
        body = await final(driver, {"secret": 1}, stream=True)
    assert body["output"] == "hidden"


async def test_a_run_hook_shapes_what_does_not_fit_and_one_that_only_looks_lets_it_be_refused() -> None:
    def shape(request: ChannelRequest, *, target: Any, protocol_request: Any) -> ChannelRequest:
        return replace(request, input=Line(request.input)) if isinstance(request.input, str) else request

    async with serving(taking(Line), run_hook=shape) as driver:
        assert (await final(driver, "tea"))["output"] == "Line: Line(item='tea', count=1)"
        assert (await final(driver, {"item": "tea"}))["output"] == "Line: Line(item='tea', count=1)"
        assert refused(await invoke(driver, {"item": 5})) == (400, "invalid_type", "input.item")
