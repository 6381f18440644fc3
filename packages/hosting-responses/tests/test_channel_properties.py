"""Any body at all gets a response or a well-formed refusal; any stream ends by the rules."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from agent_framework import Agent
from hypothesis import example, given
from hypothesis import strategies as st
from openai.types.responses import Response

from agent_framework_hosting.host import AgentFrameworkHost
from agent_framework_hosting.limits import Limits
from agent_framework_hosting.testing import Answer, InMemoryDriver, ScriptedChatClient, events_from
from agent_framework_hosting_responses.channel import ResponsesChannel

WORDS = st.text(max_size=8)
PARTS = st.fixed_dictionaries(
    {"type": st.sampled_from(["input_text", "output_text", "refusal", "input_image"])},
    optional={"text": WORDS, "refusal": WORDS},
)
ITEMS = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from(["message", "function_call", "function_call_output", "reasoning", "mcp_call", "odd"]),
        "role": st.sampled_from(["user", "assistant", "system", "developer", "tool"]),
        "content": WORDS | st.lists(PARTS, max_size=3),
        "call_id": st.sampled_from(["a", "b"]),
        "id": st.sampled_from(["a", "b"]),
        "name": st.sampled_from(["f", "g"]),
        "arguments": st.sampled_from(["{}", "[", '{"a":1}']),
        "output": WORDS,
        "summary": st.just([]),
        "server_label": st.just("s"),
    },
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=8,
)
FIELDS = st.fixed_dictionaries(
    {"input": WORDS | st.lists(ITEMS, max_size=4) | JSON},
    optional={
        "stream": st.booleans(),
        "store": st.booleans(),
        "temperature": st.floats(0, 2) | JSON,
        "tools": st.lists(st.fixed_dictionaries({"type": st.just("function"), "name": st.sampled_from("fg")})) | JSON,
        "tool_choice": st.sampled_from(["auto", "none", "required"]) | JSON,
        "instructions": WORDS,
        "metadata": st.dictionaries(WORDS, WORDS, max_size=2) | JSON,
        "text": JSON,
        "previous_response_id": WORDS,
        "max_output_tokens": st.integers(),
    },
)


def check(answer: Answer, asked: Any) -> None:
    """Check that an answer is one that the protocol knows."""
    assert answer.headers["x-request-id"].startswith("req_")
    if answer.status != 200:
        assert 400 <= answer.status < 500, (answer, asked)
        error = answer.json()["error"]
        assert set(error) == {"message", "type", "param", "code"}
        assert error["message"]
        return
    body = answer.json() if answer.headers["content-type"] == "application/json" else last_response(answer)
    assert body["status"] == "completed", (body, asked)
    Response.model_validate_json(json.dumps(body), strict=True)


def last_response(answer: Answer) -> dict[str, Any]:
    """Return the response in the terminal event of a stream, whose numbers must be without a gap."""
    *events, done = events_from(answer.body)
    assert done.data == "[DONE]"
    assert [event.json()["sequence_number"] for event in events] == list(range(len(events)))
    return events[-1].json()["response"]


async def exchange(body: bytes) -> Answer:
    """Send a body to a real agent whose model answers everything."""
    agent = Agent(ScriptedChatClient(every=["to ", "order"]))
    host = AgentFrameworkHost(agent, channels=[ResponsesChannel()], limits=Limits(max_json_depth=16))
    async with InMemoryDriver(host.app) as driver:
        answer = await driver.request("POST", "/v1/responses", body=body)
        assert driver.errors == []
    return answer


@given(FIELDS)
@example({"input": "hi", "metadata": {"k": "\ud800"}})
@example({"input": [{"role": "user", "content": "\x00"}], "stream": True})
def test_any_object_gets_a_response_or_a_refusal(fields: dict[str, Any]) -> None:
    """Near the protocol and far from it; nothing is a 500."""
    check(asyncio.run(exchange(json.dumps(fields).encode("utf-8", "surrogatepass"))), fields)


@given(JSON | st.binary(max_size=50))
def test_any_bytes_get_a_response_or_a_refusal(value: Any) -> None:
    """JSON that is no object, and bytes that are no JSON."""
    body = value if isinstance(value, bytes) else json.dumps(value).encode("utf-8", "surrogatepass")
    check(asyncio.run(exchange(body)), value)
