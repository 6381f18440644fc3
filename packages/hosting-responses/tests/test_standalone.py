"""The protocol's answers in a route of one's own."""

from __future__ import annotations

import json
from typing import Any

import pytest
from agent_framework import Content
from responses_rules import check, check_body, read_events

from agent_framework_hosting.errors import InvalidRequest
from agent_framework_hosting.testing import ScriptedAgent
from agent_framework_hosting_responses.standalone import response_events, response_object

CALL = Content.from_function_call("c1", "weather", arguments="{}")
TOOL = {"type": "function", "name": "weather", "parameters": {"type": "object"}, "strict": False}
ASKED = {"input": "hi", "model": "theirs", "tools": [TOOL], "metadata": {"k": "v"}, "previous_response_id": "resp_1"}


async def test_an_agents_answer_is_a_response_whole_and_streamed() -> None:
    """The same one, with what the request said in it, and its own tools as calls for the client."""
    agent = ScriptedAgent(every=["Hel", "lo", CALL])
    shown: dict[str, Any] = {"model": "guide", "request": ASKED, "response_id": "resp_2"}
    whole = response_object(await agent.run("hi"), **shown)
    stream = b"".join([event async for event in response_events(agent.run("hi", stream=True), **shown)])
    check_body(whole)
    check(stream)
    last = read_events(stream)[-1]["response"]
    assert last["output"] == whole["output"]
    assert [item["type"] for item in whole["output"]] == ["message", "function_call"]
    assert [(each["id"], each["model"], each["previous_response_id"]) for each in (whole, last)] == [
        ("resp_2", "theirs", "resp_1")
    ] * 2
    assert (whole["metadata"], [tool["name"] for tool in whole["tools"]]) == ({"k": "v"}, ["weather"])


async def test_without_a_request_the_id_is_new_and_calls_are_the_agents_own() -> None:
    """A call that the client knows nothing of is none for it to answer, and can be left out."""
    answer = await ScriptedAgent(every=["Hello", CALL, Content.from_function_result("c1", result="sun")]).run("hi")
    one, two = response_object(answer, model="guide"), response_object(answer, model="guide", show_tool_calls=False)
    check_body(one)
    assert one["id"] != two["id"]
    assert (one["model"], one["previous_response_id"]) == ("guide", None)
    assert [item["type"] for item in one["output"]] == ["message", "mcp_call"]
    assert [item["type"] for item in two["output"]] == ["message"]


async def test_a_failure_ends_the_stream_and_tells_nothing_of_its_text() -> None:
    updates = ScriptedAgent(every=["Hello", ValueError("secret")]).run("hi", stream=True)
    stream = b"".join([event async for event in response_events(updates, model="guide")])
    check(stream)
    last = read_events(stream)[-1]
    assert (last["type"], last["response"]["error"]["code"]) == ("response.failed", "server_error")
    assert b"secret" not in stream


def test_a_request_that_is_malformed_is_refused_before_the_first_event() -> None:
    updates = ScriptedAgent().run("hi", stream=True)
    with pytest.raises(InvalidRequest) as refused:
        response_events(updates, model="guide", request=json.dumps({"input": "hi", "temperature": "hot"}).encode())
    assert refused.value.param == "temperature"
