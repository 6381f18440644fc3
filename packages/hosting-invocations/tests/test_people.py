"""What an agent or a workflow asks before it goes on: shown, answered once, by whoever was asked."""

# No `from __future__ import annotations`: Agent Framework reads the types of handlers while their class is made.
import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from agent_framework import (
    Agent,
    AgentExecutor,
    Content,
    Executor,
    FunctionTool,
    WorkflowBuilder,
    WorkflowContext,
    handler,
    register_checkpoint_type,
    response_handler,
    tool,
)
from invocation_parts import as_caller, by_keys, final, invoke, refused, serving

from agent_framework_hosting.testing import ChatCall, Gate, ScriptedChatClient
from agent_framework_hosting.types import Principal


@pytest.fixture(params=["memory", "sqlite"])
def host(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, Any]:
    """Options of a host, with each kind of state."""
    return {} if request.param == "memory" else {"database": f"sqlite:///{tmp_path}/state/host.db"}


class Till:
    """An agent that pays when somebody lets it, and leaves the weighing to its caller; remembers what it paid."""

    def __init__(self, *turns: Any, every: Any = "done") -> None:
        self.paid: list[int] = []

        @tool(approval_mode="always_require")
        def pay(n: int) -> str:
            """Pay."""
            self.paid.append(n)
            return f"paid {n}"

        weigh = FunctionTool(name="weigh", description="Weigh.", func=None)
        self.client = ScriptedChatClient(*turns, every=every)
        self.agent = Agent(self.client, name="till", tools=[pay, weigh])


def pays(n: int, call_id: str = "c1") -> Content:
    return Content.from_function_call(call_id, "pay", arguments=f'{{"n":{n}}}')


def ids(body: dict[str, Any]) -> list[str]:
    return [asked["request_id"] for asked in body["requests"]]


def as_it_is(name: str, principal: Principal) -> str:
    return name


def weighed(call: ChatCall) -> str:
    return f"It weighs {call.messages[-1].contents[0].result}."


def approve(body: dict[str, Any], *approved: bool) -> list[dict[str, Any]]:
    return [{"request_id": each, "approved": said} for each, said in zip(ids(body), approved, strict=True)]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("approved", [True, False])
async def test_a_tool_runs_once_it_is_approved(stream: bool, approved: bool, host: dict[str, Any]) -> None:
    till = Till([pays(5)], "Fine.")
    async with serving(till.agent, host=host) as driver:
        asked = await final(driver, "pay 5", stream=stream)
        assert (asked["status"], asked["output"]) == ("input_required", "")
        (request,) = asked["requests"]
        assert {**request, "request_id": ""} == {
            "request_id": "",
            "kind": "approval",
            "name": "pay",
            "arguments": {"n": 5},
        }
        assert not till.paid
        session = asked["session_id"]
        done = await final(driver, session_id=session, stream=stream, responses=approve(asked, approved))
    assert (done["status"], done["output"], done["requests"]) == ("completed", "Fine.", [])
    assert till.paid == ([5] if approved else [])


async def test_an_approval_is_used_once(host: dict[str, Any]) -> None:
    till = Till([pays(5)])
    async with serving(till.agent, host=host) as driver:
        asked = await final(driver, "pay 5")
        answer: dict[str, Any] = {"session_id": asked["session_id"], "responses": approve(asked, True)}
        first, *others = await asyncio.gather(*(invoke(driver, **answer) for _ in range(5)))
        again = await invoke(driver, **answer)
    assert sorted(each.status for each in (first, *others)) == [200, 400, 400, 400, 400]
    assert refused(again) == (400, "request_not_found", "responses[0].request_id")
    assert till.paid == [5]


async def test_an_approval_waits_while_something_else_is_said_and_through_a_restart(tmp_path: Path) -> None:
    options = {"database": f"sqlite:///{tmp_path}/state/host.db"}
    async with serving(Till([pays(5)], "Later.").agent, host=options) as driver:
        asked = await final(driver, "pay 5")
        between = await final(driver, "wait", session_id=asked["session_id"])
        assert (between["status"], between["output"]) == ("completed", "Later.")
    till = Till()
    async with serving(till.agent, host=options) as driver:
        await final(driver, session_id=asked["session_id"], responses=approve(asked, True))
    assert till.paid == [5]


async def test_what_one_turn_asks_is_not_lost_to_another_that_was_admitted_before(host: dict[str, Any]) -> None:
    gate = Gate()
    till = Till("hello", [gate, pays(5)], "Later.")
    async with serving(till.agent, host=host) as driver:
        session = (await final(driver, "hi"))["session_id"]
        asking = asyncio.ensure_future(final(driver, "pay 5", session_id=session))
        await gate.wait_reached()
        body = {"input": "wait", "session_id": session, "stream": True}
        async with driver.stream("POST", "/invocations", json=body) as between:
            gate.open()
            assert b"event: completed" in await between.read()
        await final(driver, session_id=session, responses=approve(await asking, True))
    assert till.paid == [5]


async def test_an_approval_is_for_whoever_was_asked() -> None:
    till = Till([pays(5)])
    async with serving(till.agent, host={"auth": by_keys()}, session_names=as_it_is) as driver:
        asked = await final(driver, "pay 5", session_id="shared", headers=as_caller("ada"))
        answer = {"session_id": "shared", "responses": approve(asked, True)}
        foreign = await invoke(driver, headers=as_caller("bob"), **answer)
        assert refused(foreign) == (400, "request_not_found", "responses[0].request_id")
        other = await final(driver, "hi", headers=as_caller("ada"))
        elsewhere = await invoke(
            driver, headers=as_caller("ada"), session_id=other["session_id"], responses=approve(asked, True)
        )
        assert refused(elsewhere) == (400, "request_not_found", "responses[0].request_id")
        await final(driver, headers=as_caller("ada"), **answer)
    assert till.paid == [5]


async def test_two_calls_at_once_are_two_requests() -> None:
    till = Till([pays(5), pays(6, "c2")])
    async with serving(till.agent) as driver:
        asked = await final(driver, "pay", stream=True)
        await final(driver, session_id=asked["session_id"], responses=approve(asked, True, False))
    assert till.paid == [5]


@pytest.mark.parametrize("stream", [False, True])
async def test_a_tool_that_the_caller_runs_is_asked_for_and_its_result_goes_back(stream: bool) -> None:
    pieces = [
        Content.from_function_call("c1", "weigh", arguments='{"of":'),
        Content.from_function_call("c1", "", arguments='"tea"}'),
    ]
    till = Till(pieces, weighed)
    async with serving(till.agent) as driver:
        asked = await final(driver, "weigh it", stream=stream)
        (request,) = asked["requests"]
        assert (request["kind"], request["name"], request["arguments"]) == ("tool_call", "weigh", {"of": "tea"})
        answer = {"request_id": request["request_id"], "data": "3 g"}
        wrong = await invoke(
            driver, session_id=asked["session_id"], responses=[{"request_id": request["request_id"], "approved": True}]
        )
        assert refused(wrong) == (400, "invalid_value", "responses[0]")
        done = await final(driver, session_id=asked["session_id"], responses=[answer], stream=stream)
    assert done["output"] == "It weighs 3 g."


@dataclass
class Terms:
    """What somebody agrees to."""

    price: int
    by: str = "card"


register_checkpoint_type(Terms)


class Seller(Executor):
    """Asks for terms, then says them."""

    def __init__(self) -> None:
        super().__init__(id="seller")

    @handler
    async def sell(self, item: str, ctx: WorkflowContext[str, str]) -> None:
        """Ask."""
        await ctx.request_info({"item": item}, Terms if item != "yes or no" else bool)

    @response_handler
    async def agree(self, asked: dict[str, str], terms: Terms, ctx: WorkflowContext[str, str]) -> None:
        """Say the terms."""
        await ctx.yield_output(f"{asked['item']}: {terms.price} by {terms.by}")

    @response_handler
    async def decide(self, asked: dict[str, str], yes: bool, ctx: WorkflowContext[str, str]) -> None:
        """Say the decision."""
        await ctx.yield_output(f"decided {yes}")


def sale() -> Any:
    return WorkflowBuilder(start_executor=Seller(), name="sale").build()


@pytest.mark.parametrize("stream", [False, True])
async def test_a_workflows_question_says_what_fits_and_goes_on_with_the_answer(
    stream: bool, host: dict[str, Any]
) -> None:
    async with serving(sale, host={**host, **({"checkpoint_key": "k" * 40} if host else {})}) as driver:
        asked = await final(driver, "tea", stream=stream)
        assert asked["status"] == "input_required"
        (request,) = asked["requests"]
        assert (request["kind"], request["data"]) == ("question", {"item": "tea"})
        assert set(request["answer_schema"]["$defs"]["input.Terms"]["properties"]) == {"price", "by"}
        session, known = asked["session_id"], request["request_id"]
        wrong = await invoke(driver, session_id=session, responses=[{"request_id": known, "data": {"price": "x"}}])
        assert refused(wrong) == (400, "invalid_request", "responses")
        answer = [{"request_id": known, "data": {"price": 3}}]
        done = await final(driver, session_id=session, responses=answer, stream=stream)
        assert (done["status"], done["output"]) == ("completed", "tea: 3 by card")
        again = await invoke(driver, session_id=session, responses=answer)
        assert refused(again) == (400, "invalid_request", "responses")


async def test_a_yes_or_no_of_a_workflow_may_be_said_as_an_approval() -> None:
    async with serving(sale) as driver:
        asked = await final(driver, "yes or no")
        done = await final(driver, session_id=asked["session_id"], responses=approve(asked, False))
    assert done["output"] == "decided False"


@pytest.mark.parametrize("stream", [False, True])
async def test_an_agent_inside_a_workflow_asks_for_approvals_and_for_results(stream: bool) -> None:
    till = Till([pays(5)], [Content.from_function_call("c2", "weigh", arguments="{}")], "Fine.")

    def build() -> Any:
        return WorkflowBuilder(start_executor=AgentExecutor(till.agent, id="till"), name="till").build()

    async with serving(build) as driver:
        asked = await final(driver, "pay 5", stream=stream)
        assert [(each["kind"], each["name"]) for each in asked["requests"]] == [("approval", "pay")]
        session = asked["session_id"]
        more = await final(driver, session_id=session, responses=approve(asked, True), stream=stream)
        assert till.paid == [5]
        assert [(each["kind"], each["name"]) for each in more["requests"]] == [("tool_call", "weigh")]
        answer = [{"request_id": ids(more)[0], "data": "3 g"}]
        done = await final(driver, session_id=session, responses=answer, stream=stream)
    assert (done["status"], done["output"]) == ("completed", "Fine.")
