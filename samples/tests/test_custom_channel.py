"""The custom channel: whole and streamed answers, chains, hooks, and errors that say what to mend."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from agent_framework import AgentResponse, AgentResponseUpdate, Content, Message

from agent_framework_hosting import AgentFrameworkHost, ChannelRequest, HostedRunResult
from agent_framework_hosting.testing import Answer, Gate, InMemoryDriver, LoopbackDriver, ScriptedAgent

from .conftest import Load


def serve(sample: Load, agent: ScriptedAgent, **hooks: Any) -> InMemoryDriver:
    channel = sample("custom_channel.py").AskChannel(**hooks)
    return InMemoryDriver(AgentFrameworkHost(agent, channels=[channel]).app)


def pieces(answer: Answer) -> list[str]:
    return [event.json() for event in answer.events() if event.event == "piece"]


async def test_answers_go_on_from_each_other_and_can_be_read_again(sample: Load) -> None:
    with LoopbackDriver(sample("custom_channel.py").host.app) as driver:
        first = (await driver.request("POST", "/ask", json={"question": "One?"})).json()
        second = (await driver.request("POST", "/ask", json={"question": "Two?", "after": first["id"]})).json()
        assert second["answer"] == "One? | Two?"
        assert (await driver.request("GET", f"/ask/{second['id']}")).json() == second


async def test_a_streamed_answer_comes_in_pieces_and_ends_with_what_is_stored(sample: Load) -> None:
    gate = Gate()
    async with serve(sample, ScriptedAgent(["Let me see: ", gate, "five."])) as driver:
        asked = {"question": "2 + 3?", "stream": True}
        async with driver.stream("POST", "/ask", json=asked) as answer:
            events = answer.events()
            assert (await anext(events)).json() == "Let me see: "
            gate.open()
            rest = [event async for event in events]
        assert [event.event for event in rest] == ["piece", "answer"]
        record = rest[-1].json()
        assert record["answer"] == "Let me see: five."
        assert (await driver.request("GET", f"/ask/{record['id']}")).json() == record


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"", "The body is no question"),
        (b"{", "The body is no question"),
        (b"\xff", "The body is no question"),
        (b"[]", "Expected `object`, got `array`"),
        (b"{}", "missing required field `question`"),
        (b'{"question": 5}', "Expected `str`, got `int` - at `$.question`"),
        (b'{"question": "Hi", "loud": true}', "contains unknown field `loud`"),
        (b'{"question": "Hi", "after": "ans_0"}', "ans_0"),
    ],
)
async def test_bad_input_is_told_what_to_mend(sample: Load, body: bytes, told: str) -> None:
    agent = ScriptedAgent()
    async with serve(sample, agent) as driver:
        answer = await driver.request("POST", "/ask", body=body)
        assert answer.status == 400
        assert answer.json()["error"]["type"] == "invalid_request_error"
        assert told in answer.json()["error"]["message"]
        assert (await driver.request("GET", "/ask/ans_0")).status == 404
        assert (await driver.request("PUT", "/ask")).status == 405
    assert agent.runs == []


async def test_a_body_that_is_too_large_is_refused(sample: Load) -> None:
    async with serve(sample, ScriptedAgent()) as driver:
        answer = await driver.request("POST", "/ask", headers={"content-length": "999999999"}, body=b"{}")
        assert answer.status == 413


async def test_an_agent_that_fails_shows_an_error_and_nothing_of_its_own(sample: Load) -> None:
    async with serve(sample, ScriptedAgent(every=["Well, ", RuntimeError("the password is 123")])) as driver:
        whole = await driver.request("POST", "/ask", json={"question": "Hi"})
        assert (whole.status, whole.json()["error"]["code"]) == (500, "run_failed")
        streamed = await driver.request("POST", "/ask", json={"question": "Hi", "stream": True})
        assert [event.event for event in streamed.events()] == ["piece", "error"]
        assert "password" not in whole.text + streamed.text


async def test_hooks_shape_what_goes_in_and_what_comes_out(sample: Load) -> None:
    def shout(request: ChannelRequest, *, protocol_request: Any, **_: Any) -> ChannelRequest:
        return replace(request, input=protocol_request.question.upper())

    def sign(result: HostedRunResult[AgentResponse[Any]], **_: Any) -> HostedRunResult[Any]:
        signed = Message("assistant", [f"{result.result.text} (A.)"])
        return result.replace(result=AgentResponse(messages=[signed]))

    def soften(update: AgentResponseUpdate) -> AgentResponseUpdate:
        return AgentResponseUpdate(contents=[Content.from_text(update.text.lower())])

    streaming = {"question": "Hi", "stream": True}
    async with serve(sample, ScriptedAgent(), run_hook=shout, response_hook=sign, stream_update_hook=soften) as driver:
        whole = (await driver.request("POST", "/ask", json={"question": "Hi"})).json()
        assert whole["answer"] == "echo: HI (A.)"
        streamed = await driver.request("POST", "/ask", json=streaming)
        assert "".join(pieces(streamed)) == "echo: hi"
        assert streamed.events()[-1].json()["answer"] == "echo: HI (A.)"
    async with serve(sample, ScriptedAgent(), stream_update_hook=soften) as driver:
        streamed = await driver.request("POST", "/ask", json={"question": "HI", "stream": True})
        assert streamed.events()[-1].json()["answer"] == "echo: hi"


@pytest.mark.parametrize("stream", [False, True])
async def test_who_leaves_stops_the_run(sample: Load, stream: bool) -> None:
    gate = Gate()
    agent = ScriptedAgent(["Well, ", gate, "never"])
    async with serve(sample, agent) as driver:
        asking = driver.request("POST", "/ask", json={"question": "Hi", "stream": stream})
        leaving = asyncio.create_task(asking)
        await gate.wait_reached()
        leaving.cancel()
        await agent.runs[0].wait_ended()
    assert agent.runs[0].stopped
