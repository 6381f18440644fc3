"""What holds for every completion and every stream of chunks, by the official SDK's own types."""

from __future__ import annotations

import json
from typing import Any

from openai.lib.streaming._deltas import accumulate_delta
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from agent_framework_hosting.host import AgentFrameworkHost
from agent_framework_hosting.testing import Answer, InMemoryDriver, ServerSentEvent, events_from
from agent_framework_hosting_chat_completions.channel import ChatCompletionsChannel

PATH = "/v1/chat/completions"
HELLO: list[dict[str, Any]] = [{"role": "user", "content": "hi"}]
FUNCTION: dict[str, Any] = {
    "type": "function",
    "function": {"name": "f", "parameters": {"type": "object", "properties": {"a": {"type": "integer"}}}},
}
_OF_THE_HOST = ("limits", "auth", "trust_isolation_headers", "checkpoint_location", "database")


def serving(agent: Any, **options: Any) -> InMemoryDriver:
    """Return a driver of a host that serves this agent; options of the host are told apart by name."""
    host_options = {name: options.pop(name) for name in _OF_THE_HOST if name in options}
    return InMemoryDriver(AgentFrameworkHost(agent, channels=[ChatCompletionsChannel(**options)], **host_options).app)


async def ask(
    driver: InMemoryDriver, messages: Any = None, *, headers: dict[str, str] | None = None, **fields: Any
) -> Answer:
    """Send a request."""
    body = {"messages": HELLO if messages is None else messages, **fields}
    return await driver.request("POST", PATH, json=body, headers=headers or {})


async def complete(
    driver: InMemoryDriver, messages: Any = None, *, headers: dict[str, str] | None = None, **fields: Any
) -> dict[str, Any]:
    """Create a completion that has to succeed, and return its body; that of a stream is put together of its chunks."""
    answer = await ask(driver, messages, headers=headers, **fields)
    assert answer.status == 200, answer
    if fields.get("stream"):
        return folded(answer.body)
    check_completion(answer.json())
    return answer.json()


async def message_of(driver: InMemoryDriver, messages: Any = None, **fields: Any) -> dict[str, Any]:
    """Create a completion that has to succeed, and return its message."""
    return (await complete(driver, messages, **fields))["choices"][0]["message"]


def error_of(answer: Answer) -> tuple[int, str, str | None]:
    """Return the status, the code and the param of an error, which has to be of the API's shape."""
    error = answer.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert error["message"]
    assert answer.headers["x-request-id"].startswith("req_")
    return answer.status, error["code"], error["param"]


def check_completion(body: dict[str, Any]) -> None:
    """Check that a body is a completion."""
    ChatCompletion.model_validate_json(json.dumps(body), strict=True)
    assert body["object"] == "chat.completion"
    assert body["id"].startswith("chatcmpl-")
    message = body["choices"][0]["message"]
    assert ("tool_calls" in message) <= (body["choices"][0]["finish_reason"] in ("tool_calls", "length"))
    ids = [call["id"] for call in message.get("tool_calls") or ()]
    assert len(ids) == len(set(ids))


def chunks_of(stream: bytes) -> list[dict[str, Any]]:
    """Return the chunks of a stream that ends well."""
    *events, done = events_from(stream)
    assert done.data == "[DONE]"
    assert all(event.event in (None, "message") for event in events)
    chunks = [_chunk(event) for event in events]
    for chunk in chunks:
        ChatCompletionChunk.model_validate_json(json.dumps(chunk), strict=True)
        assert chunk["object"] == "chat.completion.chunk"
        assert {name: chunk[name] for name in ("id", "created", "model")} == {
            name: chunks[0][name] for name in ("id", "created", "model")
        }
    assert chunks[0]["choices"][0]["delta"]["role"] == "assistant"
    reasons = [choice["finish_reason"] for chunk in chunks for choice in chunk["choices"]]
    assert [reason for reason in reasons if reason] == reasons[-1:]
    return chunks


def _chunk(event: ServerSentEvent) -> dict[str, Any]:
    chunk = event.json()
    assert "error" not in chunk, chunk
    return chunk


def folded(stream: bytes) -> dict[str, Any]:
    """Return the completion that the chunks of a stream make, put together as the SDK's helpers do it."""
    chunks = chunks_of(stream)
    message: dict[Any, Any] = {}
    for chunk in chunks:
        for choice in chunk["choices"]:
            message = accumulate_delta(message, choice["delta"])
    told = [chunk for chunk in chunks if not chunk["choices"]]
    assert chunks[len(chunks) - len(told) :] == told
    calls = message.pop("tool_calls", [])
    assert [call.pop("index") for call in calls] == list(range(len(calls)))
    if calls:
        message["tool_calls"] = calls
    message = {"refusal": None, "annotations": [], **message}
    message["content"] = message["content"] or (None if calls or message["refusal"] else "")
    reason = [choice["finish_reason"] for chunk in chunks for choice in chunk["choices"]][-1]
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": reason}
    head = {name: value for name, value in chunks[0].items() if name not in ("object", "choices", "usage")}
    usage = told[-1]["usage"] if told else None
    body = {**head, "object": "chat.completion", "choices": [choice], "usage": usage}
    check_completion(body)
    return body
