"""Requests that are answered before their body has arrived."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator

import pytest

from agent_framework_hosting.host import AgentFrameworkHost
from agent_framework_hosting.limits import Limits
from agent_framework_hosting.testing import Gate, InMemoryDriver, ScriptedAgent
from agent_framework_hosting.web import upload as upload_module
from agent_framework_hosting_responses.channel import ResponsesChannel

EARLY = {
    "too large a body": ("POST", "/responses", 413),
    "another method": ("PUT", "/responses", 405),
    "another path": ("POST", "/v1/conversations/a/b/c", 404),
}


class Upload:
    """A body whose second half waits at a gate; remembers whether all of it was taken."""

    def __init__(self) -> None:
        self.gate = Gate("second half")
        self.was_taken = False

    async def chunks(self) -> AsyncGenerator[bytes]:
        yield b"x" * 1000
        await self.gate.wait()
        yield b"x" * 1000
        yield b"x" * 1000
        self.was_taken = True


def serving() -> InMemoryDriver:
    host = AgentFrameworkHost(ScriptedAgent(), channels=[ResponsesChannel()], limits=Limits(max_request_bytes=100))
    return InMemoryDriver(host.app)


@pytest.mark.parametrize(("method", "path", "status"), EARLY.values(), ids=EARLY)
async def test_a_refusal_is_told_at_once_and_the_rest_of_the_body_is_let_pass(
    method: str, path: str, status: int
) -> None:
    """A connection that is closed while the client sends would reach it as a reset, in place of the refusal."""
    upload = Upload()
    async with serving() as driver, driver.stream(method, path, body=upload.chunks()) as answer:
        assert answer.status == status
        assert json.loads(await anext(answer))["error"]["message"]
        upload.gate.open()
        assert await answer.read() == b""
    assert upload.was_taken


async def test_a_body_that_never_ends_is_let_pass_for_a_bounded_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upload_module, "LINGER", 0.01)
    upload = Upload()
    async with serving() as driver:
        answer = await driver.request("POST", "/responses", body=upload.chunks())
    assert (answer.status, answer.json()["error"]["code"]) == (413, "request_too_large")
    assert not upload.was_taken
