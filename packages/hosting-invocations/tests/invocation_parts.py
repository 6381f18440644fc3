"""What the tests of this folder share: hosts, requests, and a reader of streams that trusts no final body."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from agent_framework_hosting.auth import ApiKeys, hash_key, new_key
from agent_framework_hosting.host import AgentFrameworkHost
from agent_framework_hosting.testing import Answer, Driver, InMemoryDriver
from agent_framework_hosting_invocations.channel import InvocationsChannel

KEYS = {"ada": new_key(), "bob": new_key()}
ENDS = ("completed", "input_required", "failed", "cancelled")


def hosting(target: Any, *, host: dict[str, Any] | None = None, **channel: Any) -> AgentFrameworkHost:
    """Return a host with this target and channel."""
    return AgentFrameworkHost(target, channels=[InvocationsChannel(**channel)], **(host or {}))


def serving(target: Any, *, host: dict[str, Any] | None = None, **channel: Any) -> InMemoryDriver:
    """Return a driver of such a host."""
    return InMemoryDriver(hosting(target, host=host, **channel).app, timeout=30)


def by_keys() -> ApiKeys:
    """Return what knows Ada and Bob."""
    return ApiKeys({name: hash_key(key) for name, key in KEYS.items()})


def as_caller(name: str) -> dict[str, str]:
    """Return the headers of somebody who is known."""
    return {"authorization": f"Bearer {KEYS[name]}"}


async def invoke(driver: Driver, input: Any = None, *, headers: dict[str, str] | None = None, **fields: Any) -> Answer:
    """Send a request."""
    body = {**({"input": input} if input is not None else {}), **fields}
    return await driver.request("POST", "/invocations", json=body, headers=headers or {})


async def final(driver: Driver, input: Any = None, *, headers: dict[str, str] | None = None, **fields: Any) -> Any:
    """Send a request that succeeds, and return the body, which a stream has told in its events as well."""
    answer = await invoke(driver, input, headers=headers, **fields)
    assert answer.status == 200, answer
    return folded(answer) if fields.get("stream") else answer.json()


def folded(answer: Answer) -> dict[str, Any]:
    """Return the last event of a stream, after its other events have told the same."""
    events = [(event.event, event.json()) for event in answer.events()]
    (first, started), *middle, (end, body) = events
    assert first == "started"
    assert end in ENDS
    assert end == body["status"]
    assert (started["id"], started["session_id"]) == (body["id"], body["session_id"])
    messages, requests = told(middle)
    assert messages == body["messages"]
    assert requests == body["requests"]
    return body


def told(events: Sequence[tuple[str | None, Any]]) -> tuple[list[dict[str, Any]], list[Any]]:
    """Return the messages and questions that events tell of."""
    messages: list[dict[str, Any]] = []
    requests: list[Any] = []
    for name, data in events:
        if name == "request":
            requests.append(data)
        elif name == "message":
            assert data["index"] == len(messages)
            messages.append({key: value for key, value in data.items() if key != "index"} | {"content": []})
        elif name == "part":
            content = cast("list[Any]", messages[data["index"]]["content"])
            assert data["part"] == len(content)
            content.append(data["content"])
        else:
            assert name == "delta"
            content = cast("list[Any]", messages[data["index"]]["content"])
            if data["part"] == len(content):
                content.append({"type": "text", "text": ""})
            content[data["part"]]["text"] += data["text"]
    return messages, requests


def refused(answer: Answer) -> tuple[int, str, str | None]:
    """Return status, code and place of a problem, whose shape is right."""
    problem = answer.json()
    assert answer.headers["content-type"] == "application/problem+json"
    assert problem["status"] == answer.status
    assert problem["request_id"] == answer.headers["x-request-id"]
    assert problem["type"] == "about:blank"
    assert problem["title"]
    assert problem["detail"]
    return answer.status, problem["code"], problem.get("param")


def same(body: dict[str, Any]) -> dict[str, Any]:
    """Return a body without what differs from run to run."""
    return {name: value for name, value in body.items() if name not in ("id", "session_id")}
