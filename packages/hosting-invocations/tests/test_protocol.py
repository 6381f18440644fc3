"""The protocol from a route of one's own, without the host."""

from __future__ import annotations

from typing import Any

import pytest
from invocation_parts import folded, same
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from agent_framework_hosting.errors import InvalidRequest
from agent_framework_hosting.testing import InMemoryDriver, ScriptedAgent
from agent_framework_hosting_invocations import parse_invocation, render_invocation, stream_invocation


def app(agent: Any) -> Starlette:
    async def ask(request: Request) -> Response:
        asked = parse_invocation(await request.body(), target=agent, headers=request.headers)
        if asked.stream:
            events = stream_invocation(agent.run(asked.input, stream=True), session_id=asked.session_id)
            return StreamingResponse(events, media_type="text/event-stream")
        return JSONResponse(render_invocation(await agent.run(asked.input), session_id=asked.session_id))

    return Starlette(routes=[Route("/ask", ask, methods=["POST"])])


async def test_a_route_of_ones_own_says_the_same_whole_and_streamed() -> None:
    async with InMemoryDriver(app(ScriptedAgent()), lifespan=False) as driver:
        whole = await driver.request("POST", "/ask", json={"input": "hi", "session_id": "mine"})
        streamed = await driver.request("POST", "/ask", json={"input": "hi", "session_id": "mine", "stream": True})
    assert whole.json()["session_id"] == "mine"
    assert same(whole.json()) == same(folded(streamed))
    assert whole.json()["output"] == "echo: hi"


async def test_a_stream_that_fails_says_so_as_its_last_event() -> None:
    async with InMemoryDriver(app(ScriptedAgent(["half", RuntimeError("secret")])), lifespan=False) as driver:
        answer = await driver.request("POST", "/ask", json={"input": "hi", "stream": True})
    assert (folded(answer)["status"], folded(answer)["output"]) == ("failed", "half")
    assert "secret" not in answer.text


@pytest.mark.parametrize("body", [b"{}", b'{"input": {}}', b'{"responses": [{"request_id": "r", "approved": true}]}'])
def test_what_cannot_be_read_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidRequest):
        parse_invocation(body, target=ScriptedAgent())
