"""Requests for the background that cannot be served: refused where that is known, told as failed where it is not."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from agent_framework import Agent, Content, Workflow, WorkflowBuilder, tool

from agent_framework_hosting.errors import InvalidRequest
from agent_framework_hosting.host import AgentFrameworkHost
from agent_framework_hosting.limits import Limits
from agent_framework_hosting.testing import Gate, InMemoryDriver, ScriptedAgent, ScriptedChatClient
from agent_framework_hosting.types import ChannelRequest, ChannelSession
from agent_framework_hosting_responses.channel import ResponsesChannel

from .responses_rules import read_events
from .responses_workflow import Notebook, clerk
from .test_background import SOON, begin, followed, polled, post, said

Refusal = tuple[int, str, str | None]


def serving(agent: Any, *, limits: Limits | None = None, database: str | None = None, **options: Any) -> InMemoryDriver:
    host = AgentFrameworkHost(agent, channels=[ResponsesChannel(**options)], limits=limits, database=database)
    return InMemoryDriver(host.app, timeout=SOON)


async def refusals(driver: InMemoryDriver, input: Any, **fields: Any) -> list[Refusal]:
    """Return how a request is refused in the foreground and in the background."""
    answers = [await post(driver, input, background=background, **fields) for background in (False, True)]
    errors = [answer.json()["error"] for answer in answers]
    return [(answer.status, each["code"], each["param"]) for answer, each in zip(answers, errors, strict=True)]


async def test_a_point_that_cannot_be_continued_is_refused_as_in_the_foreground() -> None:
    async with serving(clerk) as driver:
        first = (await post(driver, "5")).json()
        call = next(item for item in first["output"] if item["type"] == "function_call")
        answer = [{"type": "function_call_output", "call_id": call["call_id"], "output": "true"}]
        await post(driver, answer, previous_response_id=first["id"])
        told = await refusals(driver, answer, previous_response_id=first["id"])
    assert told == [(400, "previous_response_not_latest", "previous_response_id")] * 2


async def test_an_input_that_the_workflow_does_not_take_is_refused_as_in_the_foreground() -> None:
    def notebook() -> Workflow:
        return WorkflowBuilder(name="notebook", start_executor=Notebook()).build()

    async with serving(notebook) as driver:
        told = await refusals(driver, "this workflow takes text")
    assert [each[:2] for each in told] == [(400, "invalid_request")] * 2


@pytest.mark.parametrize("where", ["memory", "sqlite"])
async def test_an_approval_that_was_answered_is_refused_as_in_the_foreground(where: str, make_database: Any) -> None:
    """Also in a branch that begins before the answer."""

    @tool(approval_mode="always_require")
    def pay() -> str:
        return "paid"

    client = ScriptedChatClient([Content.from_function_call("c1", "pay", arguments="{}")], every="done")
    database = None if where == "memory" else make_database(where)
    async with serving(Agent(client, name="till", tools=[pay]), database=database) as driver:
        asking = (await post(driver, "pay")).json()
        request = next(item["id"] for item in asking["output"] if item["type"] == "mcp_approval_request")
        answer = [{"type": "mcp_approval_response", "approval_request_id": request, "approve": True}]
        accepted = await begin(driver, answer, previous_response_id=asking["id"])
        assert (await polled(driver, accepted))["status"] == "completed"
        told = await refusals(driver, answer, previous_response_id=asking["id"])
    assert told == [(400, "approval_already_answered", "input")] * 2


async def test_whoever_has_no_tokens_left_is_refused_as_in_the_foreground() -> None:
    used = [Content.from_usage({"input_token_count": 900, "output_token_count": 900}), "ok"]
    async with serving(ScriptedAgent(every=used), limits=Limits(tokens_per_day=1)) as driver:
        assert (await post(driver)).status == 200
        told = await refusals(driver, "more")
    assert told == [(429, "quota_exceeded", None)] * 2


async def test_who_has_as_much_under_way_as_they_may_waits_in_the_background() -> None:
    gate = Gate()
    agent = ScriptedAgent([gate, "one"], every="two")
    async with serving(agent, limits=Limits(max_runs_per_principal=1)) as driver:
        foreground = asyncio.create_task(post(driver))
        await gate.wait_reached()
        response = await begin(driver)
        following = asyncio.create_task(followed(driver, response))
        assert (await post(driver)).status == 429
        gate.open()
        assert (await foreground).status == 200
        assert (await polled(driver, response))["status"] == "completed"
        assert read_events(await following)[-1]["type"] == "response.completed"


async def test_what_a_run_hook_refuses_has_failed_with_the_code_of_the_refusal() -> None:
    """It is called when the run begins, and no sooner."""

    def hook(request: ChannelRequest, **_: Any) -> ChannelRequest:
        raise InvalidRequest("Not today.", code="closed")

    agent = ScriptedAgent(every="ok")
    async with serving(agent, run_hook=hook) as driver:
        refused = await post(driver)
        assert (refused.status, refused.json()["error"]["code"]) == (400, "closed")
        response = await begin(driver)
        failed = await polled(driver, response)
        assert failed["error"] == {"code": "invalid_prompt", "message": "Not today.", "reason": "closed"}
        assert read_events(await followed(driver, response))[-1]["response"] == failed
    assert not agent.runs


async def test_a_hook_may_yet_make_good_what_could_not_be_served() -> None:
    """So nothing is refused before it."""

    def hook(request: ChannelRequest, **_: Any) -> ChannelRequest:
        return replace(request, session=ChannelSession("elsewhere"))

    async with serving(ScriptedAgent(every="ok"), run_hook=hook) as driver:
        response = await begin(driver, previous_response_id="resp_nobody")
        assert (await polled(driver, response))["status"] == "completed"


async def test_a_conversation_that_has_moved_on_meanwhile_is_told_as_the_reason() -> None:
    """Two answers to one call were accepted while neither had run; the first one counts."""
    call = Content.from_function_call("c1", "ask_client", arguments="{}")
    gate = Gate()
    tools: list[dict[str, Any]] = [
        {"type": "function", "name": "ask_client", "parameters": {"type": "object", "properties": {}}}
    ]
    async with serving(ScriptedAgent([call], [gate, "thanks"], every="more")) as driver:
        talk = (await driver.request("POST", "/v1/conversations", json={})).json()["id"]
        await post(driver, "hi", conversation=talk, tools=tools)
        answer = [{"type": "function_call_output", "call_id": "c1", "output": "x"}]
        first = await begin(driver, answer, conversation=talk, tools=tools)
        await gate.wait_reached()
        second = await begin(driver, answer, conversation=talk, tools=tools)
        gate.open()
        assert said(await polled(driver, first)) == "thanks"
        failed = await polled(driver, second)
        late = (await post(driver, answer, conversation=talk, tools=tools)).json()["error"]
    assert (failed["status"], failed["error"]["code"]) == ("failed", "invalid_prompt")
    assert (failed["error"]["reason"], failed["error"]["message"]) == (late["code"], late["message"])


@pytest.mark.parametrize("where", ["memory", "sqlite"])
@pytest.mark.parametrize("is_background_first", [False, True])
async def test_a_key_stands_for_one_request_whichever_way_it_came(
    where: str, is_background_first: bool, make_database: Any
) -> None:
    """It is told of another one while that runs, when it has ended, and no more when that was deleted."""
    gate = Gate()
    agent = ScriptedAgent([gate, "one"], every="ok")
    database = None if where == "memory" else make_database(where)
    async with serving(agent, database=database) as driver:
        first = asyncio.create_task(post(driver, "one", key="k", background=is_background_first))
        await gate.wait_reached()
        running = await post(driver, "one", key="k", background=not is_background_first)
        gate.open()
        response = (await first).json()["id"]
        await polled(driver, response)
        ended = await post(driver, "two", key="k", background=not is_background_first)
        again = await post(driver, "one", key="k", background=is_background_first)
        assert (again.headers["idempotent-replayed"], again.json()["id"]) == ("true", response)
        assert [(each.status, each.json()["error"]["code"]) for each in (running, ended)] == [
            (409, "idempotency_conflict")
        ] * 2
        assert len(agent.runs) == 1
        await driver.request("DELETE", f"/responses/{response}")
        anew = await post(driver, "two", key="k", background=not is_background_first)
        assert anew.status == 200
        await polled(driver, anew.json()["id"])


async def test_one_of_two_requests_that_name_a_key_at_once_is_refused_and_leaves_nothing() -> None:
    agent = ScriptedAgent(every="ok")
    async with serving(agent) as driver:
        answers = await asyncio.gather(
            *(post(driver, str(number), key="k", background=bool(number % 2)) for number in range(6))
        )
        [taken] = [answer for answer in answers if answer.status == 200]
        assert {answer.status for answer in answers} == {200, 409}
        await polled(driver, taken.json()["id"])
    assert len(agent.runs) == 1
