"""A conversation is packed into one item, and goes on from it as from the whole."""

from __future__ import annotations

import base64
import zlib
from typing import Any

import msgspec
import pytest
from agent_framework import Agent, Content
from hypothesis import given
from hypothesis import strategies as st
from openai import AsyncOpenAI
from openai.types.responses import CompactedResponse

from agent_framework_hosting.errors import RequestTooLarge
from agent_framework_hosting.host import AgentFrameworkHost
from agent_framework_hosting.limits import Limits
from agent_framework_hosting.testing import InMemoryDriver, LoopbackDriver, ScriptedAgent, ScriptedChatClient, recall
from agent_framework_hosting_responses._inbound.compaction import pack, unpack
from agent_framework_hosting_responses.channel import ResponsesChannel


def hosted(agent: Any, **options: Any) -> Any:
    return AgentFrameworkHost(agent, channels=[ResponsesChannel()], **options).app


async def create(driver: InMemoryDriver, input: Any, **fields: Any) -> dict[str, Any]:
    answer = await driver.request("POST", "/responses", json={"input": input, **fields})
    assert answer.status == 200, answer
    return answer.json()


async def compact(driver: InMemoryDriver, **fields: Any) -> list[Any]:
    answer = await driver.request("POST", "/v1/responses/compact", json={"model": "m", **fields})
    assert answer.status == 200, answer
    return answer.json()["output"]


async def test_the_official_client_compacts_and_goes_on() -> None:
    agent = ScriptedAgent(every=recall)
    async with (
        LoopbackDriver(hosted(agent)) as driver,
        AsyncOpenAI(base_url=f"{driver.base_url}/v1", api_key="unused", max_retries=0) as client,
    ):
        first = await client.responses.create(model="m", input="a")
        second = await client.responses.create(model="m", input="b", previous_response_id=first.id)
        compacted = await client.responses.compact(model="m", previous_response_id=second.id, input="c")
        CompactedResponse.model_validate(compacted.model_dump(), strict=True)
        (item,) = compacted.output
        assert (compacted.object, item.type, compacted.usage.total_tokens) == ("response.compaction", "compaction", 0)
        given: Any = [*compacted.output, {"role": "user", "content": "d"}]
        await client.responses.create(model="m", input=given)
    assert agent.runs[2].seen == ["a", "a", "b", "a | b", "c", "d"]


async def test_a_compaction_is_compacted_with_what_came_after_it() -> None:
    agent = ScriptedAgent(every="ok")
    async with InMemoryDriver(hosted(agent)) as driver:
        first = await create(driver, "a")
        before = await compact(driver, previous_response_id=first["id"])
        second = await create(driver, [*before, {"role": "user", "content": "b"}])
        stored = await compact(driver, previous_response_id=second["id"])
        sent = await compact(driver, input=[*before, {"role": "user", "content": "b"}, *second["output"]])
        for output in (stored, sent):
            await create(driver, [*output, {"role": "user", "content": "c"}])
        listed = await driver.request("GET", f"/responses/{second['id']}/input_items?order=asc")
    assert agent.runs[2].seen == agent.runs[3].seen == ["a", "ok", "b", "ok", "c"]
    # What was sent is listed as it was sent.
    assert listed.json()["data"][0]["encrypted_content"] == before[0]["encrypted_content"]


async def test_a_conversation_is_compacted_up_to_the_response_that_is_named() -> None:
    agent = ScriptedAgent(every="ok")
    async with InMemoryDriver(hosted(agent)) as driver:
        conversation = (await driver.request("POST", "/conversations", json={})).json()["id"]
        said = [await create(driver, text, conversation=conversation) for text in ("a", "b", "c")]
        output = await compact(driver, previous_response_id=said[1]["id"])
        await create(driver, [*output, {"role": "user", "content": "d"}])
    assert agent.runs[3].seen == ["a", "ok", "b", "ok", "d"]


async def test_calls_and_their_answers_survive_and_open_calls_stay_open() -> None:
    call = Content.from_function_call("c1", "f", arguments={"x": 1})
    client = ScriptedChatClient([call], every="ok")
    tools: list[Any] = [{"type": "function", "name": "f", "parameters": {"type": "object", "properties": {}}}]
    async with InMemoryDriver(hosted(Agent(client=client, name="a"))) as driver:
        first = await create(driver, "a", tools=tools)
        output = await compact(driver, previous_response_id=first["id"])
        silent = await driver.request("POST", "/responses", json={"input": output})
        assert (silent.status, silent.json()["error"]["param"]) == (400, "input[0]")
        answer = {"type": "function_call_output", "call_id": "c1", "output": "42"}
        second = await create(driver, [*output, answer], tools=tools)
        again = await compact(driver, previous_response_id=second["id"])
        await create(driver, [*again, {"role": "user", "content": "b"}], tools=tools)


@given(st.lists(st.dictionaries(st.text(max_size=5), st.text(max_size=20), max_size=3), max_size=5))
def test_what_is_packed_is_what_comes_out(items: list[Any]) -> None:
    kept = [item for item in items if item.get("type") != "compaction"]
    assert unpack(pack(kept), max_bytes=10_000, max_depth=9) == kept


@given(
    st.text(max_size=50) | st.binary(max_size=50).map(lambda data: "afc1." + base64.urlsafe_b64encode(data).decode())
)
def test_any_other_text_is_none_of_ours(text: str) -> None:
    assert unpack(text, max_bytes=10_000, max_depth=9) is None


@pytest.mark.parametrize("inner", [5, [5], {"items": 5}, {"items": [5]}, {"items": [{"type": "compaction"}]}, {}])
def test_what_is_packed_otherwise_is_none_of_ours(inner: Any) -> None:
    packed = "afc1." + base64.urlsafe_b64encode(zlib.compress(msgspec.json.encode(inner))).decode()
    assert unpack(packed, max_bytes=10_000, max_depth=9) is None


def test_a_small_text_cannot_fill_the_memory() -> None:
    bomb = "afc1." + base64.urlsafe_b64encode(zlib.compress(b'{"items":["' + b"a" * 50_000_000)).decode()
    with pytest.raises(RequestTooLarge):
        unpack(bomb, max_bytes=1_000_000, max_depth=9)


async def test_many_compactions_together_hold_no_more_than_a_request_may() -> None:
    bomb = {"type": "compaction", "encrypted_content": pack([{"role": "user", "content": "a" * 40_000}])}
    app = hosted(ScriptedAgent(every="ok"), limits=Limits(max_request_bytes=100_000))
    async with InMemoryDriver(app) as driver:
        assert (await driver.request("POST", "/responses", json={"input": [bomb] * 2})).status == 200
        refused = await driver.request("POST", "/responses", json={"input": [bomb] * 3})
        many = pack([{"role": "user", "content": "a"}] * 3_000)
        crowd = await driver.request(
            "POST", "/responses", json={"input": [{"type": "compaction", "encrypted_content": many}]}
        )
    assert (refused.status, refused.json()["error"]["code"]) == (413, "request_too_large")
    assert (crowd.status, crowd.json()["error"]["param"]) == (413, "input")


REFUSED: dict[str, tuple[dict[str, Any], int, str, str]] = {
    "no model": ({"input": "x"}, 400, "missing_required_parameter", "model"),
    "nothing": ({"model": "m"}, 400, "missing_required_parameter", "input"),
    "empty": ({"model": "m", "input": []}, 400, "missing_required_parameter", "input"),
    "unknown field": ({"model": "m", "input": "x", "store": True}, 400, "unknown_parameter", "store"),
    "input number": ({"model": "m", "input": 5}, 400, "invalid_type", "input"),
    "input role": ({"model": "m", "input": [{"role": "king", "content": "x"}]}, 400, "invalid_value", "input[0].role"),
    "unknown response": (
        {"model": "m", "previous_response_id": "resp_no"},
        400,
        "previous_response_not_found",
        "previous_response_id",
    ),
    "model number": ({"model": 5, "input": "x"}, 400, "invalid_type", "model"),
    "unknown item": (
        {"model": "m", "input": [{"type": "item_reference", "id": "msg_no"}]},
        400,
        "item_not_found",
        "input[0]",
    ),
    "foreign compaction": (
        {"model": "m", "input": [{"type": "compaction", "encrypted_content": "gAAAAA"}]},
        400,
        "invalid_value",
        "input[0].encrypted_content",
    ),
    "compaction without content": (
        {"model": "m", "input": [{"type": "compaction"}]},
        400,
        "missing_required_parameter",
        "input[0].encrypted_content",
    ),
}


@pytest.mark.parametrize(("body", "status", "code", "param"), REFUSED.values(), ids=REFUSED)
async def test_a_bad_request_says_what_is_wrong_and_where(
    body: dict[str, Any], status: int, code: str, param: str
) -> None:
    async with InMemoryDriver(hosted(ScriptedAgent(every="ok"))) as driver:
        answer = await driver.request("POST", "/responses/compact", json=body)
    error = answer.json()["error"]
    assert (answer.status, error["code"], error["param"]) == (status, code, param)


async def test_a_conversation_with_a_gap_is_not_compacted_as_if_it_were_whole() -> None:
    async with InMemoryDriver(hosted(ScriptedAgent(every="ok"))) as driver:
        first = await create(driver, "a")
        second = await create(driver, "b", previous_response_id=first["id"])
        await driver.request("DELETE", f"/responses/{first['id']}")
        body = {"model": "m", "previous_response_id": second["id"], "instructions": "be short"}
        answer = await driver.request("POST", "/responses/compact", json=body)
        assert (answer.status, answer.json()["error"]["code"]) == (400, "conversation_incomplete")
        fine = await driver.request(
            "POST", "/responses/compact", json={"model": None, "input": "x", "instructions": "y"}
        )
        assert (fine.status, fine.headers["x-ignored-parameters"]) == (200, "instructions")
