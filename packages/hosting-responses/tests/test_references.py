"""Clients refer to what they were sent by its id alone; it is told to the agent once, and to its owner only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from agent_framework import Content, Message

from agent_framework_hosting.host import AgentFrameworkHost
from agent_framework_hosting.testing import Answer, InMemoryDriver, ScriptedAgent, events_from
from agent_framework_hosting.types import JSON
from agent_framework_hosting_responses._references import find_referenced
from agent_framework_hosting_responses.channel import ResponsesChannel


def serving(agent: Any, *, response_id_factory: Any = None) -> InMemoryDriver:
    channel = ResponsesChannel(response_id_factory=response_id_factory)
    return InMemoryDriver(AgentFrameworkHost(agent, channels=[channel], trust_isolation_headers=True).app)


async def post(driver: InMemoryDriver, input: Any, *, user: str = "ada", **fields: Any) -> Answer:
    headers = {"x-agent-user-isolation-key": user}
    return await driver.request("POST", "/responses", json={"input": input, **fields}, headers=headers)


async def create(driver: InMemoryDriver, input: Any, **fields: Any) -> dict[str, Any]:
    answer = await post(driver, input, **fields)
    assert answer.status == 200, answer
    return answer.json()


def reference(item_id: str) -> dict[str, Any]:
    return {"type": "item_reference", "id": item_id}


def told(messages: list[Message]) -> list[tuple[str, str]]:
    return [
        (message.role, content.text or content.name or str(content.result))
        for message in messages
        for content in message.contents
    ]


def bare_reference(item_id: str) -> dict[str, Any]:
    return {"id": item_id}


@pytest.mark.parametrize("form", [reference, bare_reference])
@pytest.mark.parametrize("stream", [False, True])
async def test_an_item_is_found_by_its_id(form: Any, *, stream: bool) -> None:
    """With `type` or without, from a response that was streamed or not."""
    agent = ScriptedAgent(every="Hello, I am here.")
    async with serving(agent) as driver:
        first = await post(driver, "Hi", stream=stream)
        body = events_from(first.body)[-2].json()["response"] if stream else first.json()
        item_id = body["output"][0]["id"]
        await create(driver, [{"role": "user", "content": "Hi"}, form(item_id), {"role": "user", "content": "And?"}])
    assert told(agent.runs[1].messages) == [
        ("user", "Hi"),
        ("assistant", "Hello, I am here."),
        ("user", "And?"),
    ]


async def test_ids_of_any_form_lead_back_to_their_responses() -> None:
    """A host may choose its own."""
    names = iter(["turn 1", "resp_turn 1", "turn_1_2", "ümlaut/3", "next"])
    agent = ScriptedAgent("one", "two", "three", "four", every="ok")

    def name(_: str | None) -> str:
        return next(names)

    async with serving(agent, response_id_factory=name) as driver:
        items = [(await create(driver, "Hi"))["output"][0]["id"] for _ in range(4)]
        await create(driver, [*map(reference, items), {"role": "user", "content": "And?"}])
    assert [text for _, text in told(agent.runs[-1].messages)] == ["one", "two", "three", "four", "And?"]


async def test_a_call_that_is_referred_to_is_answered_in_the_same_request() -> None:
    """The AI SDK sends a function's output in this way."""
    call = Content.from_function_call("c1", "ask", arguments='{"a":1}')
    agent = ScriptedAgent([call], "Thanks")
    tool: dict[str, Any] = {"type": "function", "name": "ask", "parameters": {"type": "object", "properties": {}}}
    async with serving(agent) as driver:
        asked = await create(driver, "Hi", tools=[tool])
        [item] = asked["output"]
        assert item["type"] == "function_call"
        output = {"type": "function_call_output", "call_id": "c1", "output": "answered"}
        await create(driver, [{"role": "user", "content": "Hi"}, reference(item["id"]), output], tools=[tool])
    assert told(agent.runs[1].messages) == [("user", "Hi"), ("assistant", "ask"), ("tool", "answered")]


async def test_what_the_continued_conversation_holds_is_not_told_twice() -> None:
    """From its last response to its first; items of other conversations are added."""
    agent = ScriptedAgent("one", "two", "other", every="ok")
    async with serving(agent) as driver:
        first = await create(driver, "a")
        second = await create(driver, "b", previous_response_id=first["id"])
        other = await create(driver, "c")
        items = [reference(response["output"][0]["id"]) for response in (first, second, other)]
        await create(driver, [*items, {"role": "user", "content": "d"}], previous_response_id=second["id"])
    assert agent.runs[3].seen == ["a", "one", "b", "two", "other", "d"]


async def test_unknown_and_foreign_items_are_refused_alike() -> None:
    """Byte for byte, apart from the id."""
    async with serving(ScriptedAgent(every="ok")) as driver:
        mine = (await create(driver, "Hi"))["output"][0]["id"]
        unstored = (await create(driver, "Hi", store=False))["output"][0]["id"]
        await create(driver, [reference(mine), {"role": "user", "content": "x"}])
        for strange, user in [(mine, "bob"), (unstored, "ada"), (f"{mine}1", "ada"), ("msg_5f2c", "ada"), ("x", "ada")]:
            answer = await post(driver, [{"role": "user", "content": "x"}, reference(strange)], user=user)
            assert answer.status == 400
            assert answer.json() == {
                "error": {
                    "message": f"Item with id '{strange}' not found.",
                    "type": "invalid_request_error",
                    "param": "input[1]",
                    "code": "item_not_found",
                }
            }


@pytest.mark.parametrize(
    ("item", "param", "code"),
    [
        ({"type": "item_reference"}, "input[0].id", "missing_required_parameter"),
        ({"type": "item_reference", "id": 5}, "input[0].id", "missing_required_parameter"),
        ({"id": 5}, "input[0].type", "missing_required_parameter"),
        (reference(""), "input[0]", "item_not_found"),
        (reference("x" * 5000), "input[0]", "item_not_found"),
    ],
)
async def test_a_malformed_reference_is_refused_where_it_stands(item: Any, param: str, code: str) -> None:
    async with serving(ScriptedAgent(every="ok")) as driver:
        error = (await post(driver, [item])).json()["error"]
    assert (error["param"], error["code"]) == (param, code)
    assert len(error["message"]) < 200


async def test_more_references_than_items_are_allowed_are_not_even_looked_for() -> None:
    """A lookup costs more than an item."""
    looked_for: list[str] = []

    async def read(ids: Sequence[str]) -> Mapping[str, JSON]:
        looked_for.extend(ids)
        return {}

    body: dict[str, Any] = {"input": [reference(f"msg_{number}_0") for number in range(3)]}
    assert await find_referenced(body, read, max_items=3) == {}
    assert len(looked_for) == 3
    looked_for.clear()
    with pytest.raises(Exception, match="3 items"):
        await find_referenced(body, read, max_items=2)
    assert looked_for == []


async def test_a_response_is_read_once_for_all_that_is_wanted_of_it() -> None:
    reads: list[str] = []
    output = [{"type": "message", "id": f"msg_r_{number}"} for number in range(5)]

    async def read(ids: Sequence[str]) -> Mapping[str, JSON]:
        reads.extend(ids)
        return {each: {"object": "response", "output": output, "previous_response_id": "resp_r"} for each in ids}

    body = {"input": [reference(item["id"]) for item in output], "previous_response_id": "resp_r"}
    assert await find_referenced(body, read, max_items=9) == {item["id"]: None for item in output}
    assert reads == ["resp_r"]


async def test_an_item_is_referred_to_once() -> None:
    """A few bytes stand for much; a thousand times the same picture would be gigabytes."""
    agent = ScriptedAgent(every="Hello.")
    async with serving(agent) as driver:
        item_id = (await create(driver, "Hi"))["output"][0]["id"]
        answer = await post(driver, [reference(item_id), bare_reference(item_id)])
    assert (answer.status, answer.json()["error"]["code"]) == (400, "duplicate_item")
    assert answer.json()["error"]["param"] == "input[1]"
    assert len(agent.runs) == 1


async def test_responses_of_many_items_are_read_with_one_question() -> None:
    """However many items a request refers to, the database is asked once for them."""
    asked: list[list[str]] = []

    async def read_records(ids: Sequence[str]) -> Mapping[str, Any]:
        asked.append(list(ids))
        return {
            each: {"object": "response", "output": [{"id": f"msg_{each.removeprefix('resp_')}_0", "type": "message"}]}
            for each in ids
        }

    items = [{"type": "item_reference", "id": f"msg_{number:032x}_0"} for number in range(300)]
    found = await find_referenced({"input": items}, read_records, max_items=500)
    assert len(found) == 300
    assert all(item is not None for item in found.values())
    [ids] = asked
    assert len(set(ids)) == len(ids) == 300
