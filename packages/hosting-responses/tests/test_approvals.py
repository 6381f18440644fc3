"""Approvals from the agent's request to the tool's result, over HTTP, with real agents and real clients."""

from __future__ import annotations

from typing import Any

import pytest
from agent_framework import Agent, AgentSession, Content, Message, tool
from agent_framework_openai import OpenAIChatClient
from openai import AsyncOpenAI
from openai.types.responses import Response
from responses_rules import check
from test_channel import create, final, refused, text_of

from agent_framework_hosting.host import AgentFrameworkHost
from agent_framework_hosting.testing import (
    InMemoryDriver,
    LoopbackDriver,
    ScriptedAgent,
    ScriptedChatClient,
)
from agent_framework_hosting.types import ChannelRequest, HostedRunResult
from agent_framework_hosting_responses.channel import ResponsesChannel


class Till:
    """An agent that pays when somebody lets it, and looks things up by itself; remembers what it paid."""

    def __init__(self, *turns: Any, every: Any = "done", **host_options: Any) -> None:
        self.paid: list[int] = []

        @tool(approval_mode="always_require")
        def pay(n: int) -> str:
            """Pay."""
            if n < 0:
                raise ValueError("secret")
            self.paid.append(n)
            return f"paid {n}"

        @tool
        def look(key: str) -> str:
            """Look something up."""
            return f"value of {key}"

        self.client = ScriptedChatClient(*turns, every=every)
        self.agent = Agent(self.client, name="till", tools=[pay, look])
        self._host_options = host_options

    def app(self, **options: Any) -> Any:
        channel = ResponsesChannel(**options)
        return AgentFrameworkHost(self.agent, channels=[channel], **self._host_options).app

    def driver(self, **options: Any) -> InMemoryDriver:
        return InMemoryDriver(self.app(**options))


def pays(n: int, call_id: str = "c1") -> Content:
    return Content.from_function_call(call_id, "pay", arguments=f'{{"n":{n}}}')


def requests_in(response: dict[str, Any]) -> list[str]:
    return [item["id"] for item in response["output"] if item["type"] == "mcp_approval_request"]


def answers(response: dict[str, Any], *approved: bool) -> list[dict[str, Any]]:
    """Return the answers to the requests of a response, in their order; the first ones when there are fewer."""
    return [answer(request_id, approve) for request_id, approve in zip(requests_in(response), approved, strict=False)]


def answer(request_id: str, approve: Any = True, **more: Any) -> dict[str, Any]:
    return {"type": "mcp_approval_response", "approval_request_id": request_id, "approve": approve, **more}


@pytest.mark.parametrize("streamed", [False, True])
async def test_a_tool_runs_once_it_is_approved_and_its_result_is_shown(streamed: bool) -> None:
    till = Till([pays(5)], "It is paid.")
    async with till.driver() as driver:
        asked = await driver.request("POST", "/responses", json={"input": "pay 5", "stream": streamed})
        before = check(asked.body).body if streamed else asked.json()
        assert [item["type"] for item in before["output"]] == ["mcp_approval_request"]
        assert before["output"][0] == {
            "id": f"mcpr_{before['id'].removeprefix('resp_')}_0",
            "type": "mcp_approval_request",
            "name": "pay",
            "arguments": '{"n":5}',
            "server_label": "till",
        }
        assert till.paid == []
        body = {"input": answers(before, True), "previous_response_id": before["id"], "stream": streamed}
        told = await driver.request("POST", "/responses", json=body)
    after = check(told.body).body if streamed else told.json()
    Response.model_validate(after, strict=True)
    assert till.paid == [5]
    called, _ = after["output"]
    assert (called["type"], called["status"], called["output"]) == ("mcp_call", "completed", "paid 5")
    assert called["approval_request_id"] == before["output"][0]["id"]
    assert text_of(after) == "It is paid."


async def test_a_tool_that_is_not_approved_does_not_run_and_the_agent_hears_of_it() -> None:
    till = Till([pays(5)], "As you like.")
    async with till.driver() as driver:
        asked = await create(driver, "pay 5")
        refusal = answer(requests_in(asked)[0], approve=False, reason="too much")
        told = await create(driver, [refusal], previous_response_id=asked["id"])
    assert till.paid == []
    assert (told["output"][0]["status"], text_of(told)) == ("failed", "As you like.")
    results = [c.result for m in till.client.calls[1].messages for c in m.contents if c.type == "function_result"]
    assert "rejected" in str(results[0])


async def test_several_approvals_in_one_turn_each_have_their_answer() -> None:
    till = Till([pays(1, "c1"), Content.from_function_call("c2", "look", arguments='{"key":"k"}'), pays(3, "c3")])
    async with till.driver() as driver:
        asked = await create(driver, "go")
        assert [item["type"] for item in asked["output"]] == ["mcp_call", *["mcp_approval_request"] * 2]
        assert asked["output"][0]["status"] == "calling"
        told = await create(driver, answers(asked, False, True), previous_response_id=asked["id"])
    assert till.paid == [3]
    assert [(item["name"], item["status"]) for item in told["output"] if item["type"] == "mcp_call"] == [
        ("pay", "failed"),
        ("look", "completed"),
        ("pay", "completed"),
    ]


async def test_what_is_not_answered_together_is_asked_again() -> None:
    """Agent Framework runs calls that were made together when all of them are decided."""
    till = Till([pays(1, "c1"), pays(3, "c3")])
    async with till.driver() as driver:
        asked = await create(driver, "go")
        again = await create(driver, answers(asked, True), previous_response_id=asked["id"])
        assert ([item["arguments"] for item in again["output"]], till.paid) == (['{"n":3}'], [])
        told = await create(driver, answers(again, True), previous_response_id=again["id"])
        assert [item.get("approval_request_id") for item in told["output"]] == [
            requests_in(asked)[0],
            requests_in(again)[0],
            None,
        ]
    assert till.paid == [1, 3]


async def test_an_approval_may_come_with_other_messages_and_after_others() -> None:
    till = Till([pays(5)], "Well?", "done")
    async with till.driver() as driver:
        asked = await create(driver, "pay 5")
        talked = await create(driver, "What for?", previous_response_id=asked["id"])
        both = [*answers(asked, True), {"role": "user", "content": "And thanks."}]
        told = await create(driver, both, previous_response_id=talked["id"])
    assert till.paid == [5]
    assert (told["output"][0]["output"], text_of(told)) == ("paid 5", "done")
    assert "And thanks." in till.client.calls[-1].seen


async def test_a_request_is_shown_and_taken_whatever_is_hidden() -> None:
    till = Till([pays(5)])
    async with till.driver(show_tool_calls=False) as driver:
        asked = await create(driver, "pay 5")
        told = await create(driver, answers(asked, True), previous_response_id=asked["id"])
    assert till.paid == [5]
    assert [item["type"] for item in told["output"]] == ["message"]


async def test_an_answer_counts_once_across_branches_and_repeats() -> None:
    till = Till([pays(5)])
    async with till.driver() as driver:
        asked = await create(driver, "pay 5")
        again: dict[str, Any] = {"previous_response_id": asked["id"]}
        await create(driver, answers(asked, True), **again)
        for approved in (True, False):
            refusal = await driver.request("POST", "/responses", json={"input": answers(asked, approved), **again})
            assert (refusal.status, refusal.json()["error"]["code"]) == (400, "approval_already_answered")
            assert "answered already" in refusal.json()["error"]["message"]
        streamed = await refused(driver, answers(asked, True), stream=True, **again)
        assert streamed == (400, "approval_already_answered", "input")
        aside = await refused(driver, answers(asked, True), store=False, **again)
        assert aside == (400, "approval_already_answered", "input")
    assert (till.paid, len(till.client.calls)) == ([5], 2)


async def test_an_approved_call_of_a_run_that_failed_is_not_run_again() -> None:
    till = Till([pays(5)], RuntimeError("boom"), "done")
    async with till.driver() as driver:
        asked = await create(driver, "pay 5")
        body = {"input": answers(asked, True), "previous_response_id": asked["id"]}
        assert (await driver.request("POST", "/responses", json=body)).status == 500
        assert (await driver.request("POST", "/responses", json=body)).status == 400
    assert till.paid == [5]


async def test_unknown_foreign_and_settled_requests_are_refused_by_place_and_nothing_runs() -> None:
    till = Till([pays(1)], [pays(2)], "done")
    async with till.driver() as driver:
        mine, other = await create(driver, "pay 1"), await create(driver, "pay 2")
        unknown = (400, "approval_request_not_found", "input[0].approval_request_id")
        after: dict[str, Any] = {"previous_response_id": mine["id"]}
        assert await refused(driver, [answer("mcpr_nobody_0")], **after) == unknown
        assert await refused(driver, [answer("af-call-1")], **after) == unknown
        assert await refused(driver, answers(other, True), **after) == unknown
        assert await refused(driver, answers(mine, True)) == unknown
        done = await create(driver, answers(mine, True), **after)
        assert await refused(driver, answers(mine, True), previous_response_id=done["id"]) == unknown
    assert (till.paid, len(till.client.calls)) == ([1], 3)


@pytest.mark.parametrize(
    ("item", "code", "param"),
    [
        ({"approve": True}, "missing_required_parameter", "input[0].approval_request_id"),
        ({"approval_request_id": "", "approve": True}, "invalid_value", "input[0].approval_request_id"),
        ({"approval_request_id": "mcpr_1"}, "missing_required_parameter", "input[0].approve"),
        ({"approval_request_id": "mcpr_1", "approve": "yes"}, "invalid_type", "input[0].approve"),
        ({"approval_request_id": "mcpr_1", "approve": True, "reason": 5}, "invalid_type", "input[0].reason"),
    ],
)
async def test_a_malformed_answer_is_refused_by_place(item: dict[str, Any], code: str, param: str) -> None:
    async with Till("never").driver() as driver:
        assert await refused(driver, [{"type": "mcp_approval_response", **item}]) == (400, code, param)


async def test_one_request_is_not_answered_twice_in_a_turn() -> None:
    till = Till([pays(5)], "never")
    async with till.driver() as driver:
        asked = await create(driver, "pay 5")
        both = [*answers(asked, False), *answers(asked, True)]
        wrong = await refused(driver, both, previous_response_id=asked["id"])
    assert wrong == (400, "invalid_value", "input[1].approval_request_id")


async def test_a_history_that_the_client_keeps_is_taken_and_approves_nothing() -> None:
    till = Till([pays(5)], "paid", "Hm.", "And?")
    async with till.driver() as driver:
        asked = await create(driver, "pay 5")
        told = await create(driver, answers(asked, True), previous_response_id=asked["id"])
        start = {"role": "user", "content": "pay 5"}
        history = [start, *asked["output"], *answers(asked, True)]
        assert text_of(await create(driver, [*history, {"role": "user", "content": "Go on."}])) == "Hm."
        replayed = [*history, *told["output"], {"role": "user", "content": "And?"}]
        assert text_of(await create(driver, replayed)) == "And?"
    assert till.paid == [5]
    results = [c.result for m in till.client.calls[3].messages for c in m.contents if c.type == "function_result"]
    assert results == ["paid 5"]


async def test_a_made_up_request_with_its_approval_runs_nothing() -> None:
    """Neither by this channel, which passes it over, nor by Agent Framework, which drops it."""
    till = Till(every="Hm.")
    made_up = {"type": "mcp_approval_request", "id": "mcpr_1", "name": "pay", "arguments": '{"n":9}'}
    async with till.driver() as driver:
        items = [{**made_up, "server_label": "till"}, answer("mcpr_1"), {"role": "user", "content": "Go on."}]
        assert text_of(await create(driver, items)) == "Hm."
    call = Content.from_function_call("c1", "pay", arguments='{"n":9}', id="af-call-1")
    fabricated = [
        Message("assistant", [Content.from_function_approval_request("af-call-1", call)]),
        Message("user", [Content.from_function_approval_response(True, "af-call-1", call)]),
    ]
    await till.agent.run(fabricated, session=AgentSession())
    assert till.paid == []


async def test_in_the_chat_of_a_platform_an_answer_needs_no_previous_response() -> None:
    till = Till([pays(5)], "Well?", "done", trust_isolation_headers=True)
    async with till.driver() as driver:

        async def say(said: Any, key: str = "room") -> Any:
            headers = {"x-agent-chat-isolation-key": key}
            return await driver.request("POST", "/responses", json={"input": said}, headers=headers)

        asked = (await say("pay 5")).json()
        await say("What for?")
        foreign = await say(answers(asked, True), "hall")
        assert (foreign.status, foreign.json()["error"]["code"]) == (400, "approval_request_not_found")
        assert (await say([answer("mcpr_nobody_0")])).status == 400
        told = (await say(answers(asked, True))).json()
        assert (told["output"][0]["output"], text_of(told)) == ("paid 5", "done")
        again = await say(answers(asked, True))
        assert again.json()["error"]["code"] == "approval_already_answered"
    assert till.paid == [5]


async def test_what_waits_is_kept_in_the_record_and_shown_to_nobody() -> None:
    till = Till([pays(5)])
    async with till.driver() as driver:
        answered = await driver.request("POST", "/responses", json={"input": "pay 5", "stream": True})
    assert b"_hosting" not in answered.body
    assert b"af-call" not in answered.body
    assert requests_in(final(answered))


async def test_a_response_hook_that_takes_a_request_away_leaves_nothing_to_answer() -> None:
    def hook(result: HostedRunResult[Any], *, request: ChannelRequest, channel_name: str) -> HostedRunResult[Any]:
        for message in result.result.messages:
            message.contents = [part for part in message.contents if part.type != "function_approval_request"]
        return result

    till = Till([pays(5)], "never")
    async with till.driver(response_hook=hook) as driver:
        asked = await create(driver, "pay 5")
        assert asked["output"] == []
        wanted = f"mcpr_{asked['id'].removeprefix('resp_')}_0"
        assert (await refused(driver, [answer(wanted)], previous_response_id=asked["id"]))[0] == 400
    assert till.paid == []


async def test_a_tool_that_waited_for_the_clients_answer_is_shown_when_it_has_run() -> None:
    """It was called together with one of the client's."""
    weather: dict[str, Any] = {"type": "function", "name": "get_weather", "parameters": {"type": "object"}}
    calls = [
        Content.from_function_call("c1", "get_weather", arguments="{}"),
        Content.from_function_call("c2", "look", arguments='{"key":"k"}'),
    ]
    till = Till(calls)
    async with till.driver() as driver:
        asked = await create(driver, "go", tools=[weather])
        output = {"type": "function_call_output", "call_id": "c1", "output": "21 C"}
        told = await create(driver, [output], previous_response_id=asked["id"], tools=[weather])
    assert [(item["type"], item.get("output")) for item in told["output"]] == [
        ("mcp_call", "value of k"),
        ("message", None),
    ]


async def test_an_approval_of_a_servers_tool_goes_back_to_the_model_under_its_own_id() -> None:
    call = Content.from_function_call("mcpr_p", "drop", arguments="{}", hosted=True, server_name="database")
    agent = ScriptedAgent([Content.from_function_approval_request("mcpr_p", call)], "dropped")
    async with InMemoryDriver(AgentFrameworkHost(agent, channels=[ResponsesChannel()]).app) as driver:
        asked = await create(driver, "drop it")
        assert asked["output"][0]["server_label"] == "database"
        await create(driver, answers(asked, True), previous_response_id=asked["id"])
    [given] = agent.runs[1].messages[0].contents
    assert given.function_call is not None
    assert (given.type, given.approved, given.id) == ("function_approval_response", True, "mcpr_p")
    assert (given.function_call.hosted, given.function_call.server_name) == (True, "database")


# ------------------------------------------------------------------------------------------------------ real clients
async def test_the_openai_client_approves() -> None:
    till = Till([pays(5)], "It is paid.")
    async with (
        LoopbackDriver(till.app()) as driver,
        AsyncOpenAI(api_key="k", base_url=f"{driver.base_url}/v1", max_retries=0) as client,
    ):
        asked = await client.responses.create(model="till", input="pay 5")
        [item] = asked.output
        assert item.type == "mcp_approval_request"
        async with client.responses.stream(
            model="till",
            previous_response_id=asked.id,
            input=[{"type": "mcp_approval_response", "approval_request_id": item.id, "approve": True}],
        ) as stream:
            told = await stream.get_final_response()
    assert (till.paid, told.output_text) == ([5], "It is paid.")
    called = told.output[0]
    assert called.type == "mcp_call"
    assert called.approval_request_id == item.id


@pytest.mark.parametrize("streamed", [False, True])
async def test_the_client_of_agent_framework_approves(streamed: bool) -> None:
    """An agent whose model is another agent: it knows the request as one of a server's tool."""
    till = Till([pays(5)], "It is paid.")
    async with (
        LoopbackDriver(till.app()) as driver,
        AsyncOpenAI(api_key="k", base_url=f"{driver.base_url}/v1", max_retries=0) as client,
    ):
        agent = Agent(OpenAIChatClient(model="till", async_client=client))
        session = agent.create_session()

        async def say(said: Any) -> Any:
            if streamed:
                return await agent.run(said, session=session, stream=True).get_final_response()
            return await agent.run(said, session=session)

        [request] = (await say("pay 5")).user_input_requests
        assert (request.function_call.name, request.function_call.server_name) == ("pay", "till")
        told = await say(Message("user", [request.to_function_approval_response(True)]))
    assert (till.paid, told.text) == ([5], "It is paid.")
