"""WebSocket mode over real sockets, with the official client and with one that says what it likes.

Sections are those of "WebSocket transport" in the Open Responses specification (2026-04-24).
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from agent_framework import Agent, tool
from openai import AsyncOpenAI, OpenAI
from openai.types.responses import ResponsesServerEvent
from pydantic import TypeAdapter

from agent_framework_hosting.auth import ApiKeys
from agent_framework_hosting.host import AgentFrameworkHost
from agent_framework_hosting.limits import Limits
from agent_framework_hosting.testing import (
    Gate,
    LoopbackDriver,
    ScriptedAgent,
    ScriptedChatClient,
    Socket,
    SocketClosed,
    SocketRefused,
    recall,
)
from agent_framework_hosting_responses.channel import ResponsesChannel

from .responses_rules import check

EVENT: TypeAdapter[Any] = TypeAdapter(ResponsesServerEvent)
LAST = ("response.completed", "response.failed", "response.incomplete", "error")


@pytest.fixture(params=["memory", "sqlite"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> str | None:
    return None if request.param == "memory" else f"sqlite:///{tmp_path}/state/host.db"


def hosted(agent: Any, *, channel: dict[str, Any] | None = None, **options: Any) -> AgentFrameworkHost:
    return AgentFrameworkHost(agent, channels=[ResponsesChannel(**channel or {})], **options)


@asynccontextmanager
async def client_of(driver: LoopbackDriver, *, key: str = "unused") -> AsyncGenerator[AsyncOpenAI]:
    async with AsyncOpenAI(base_url=f"{driver.base_url}/v1", api_key=key, max_retries=0) as client:
        yield client


async def ask(socket: Socket, input: Any = "hi", **fields: Any) -> list[dict[str, Any]]:
    await socket.send(json.dumps({"type": "response.create", "input": input, **fields}))
    return await answered(socket)


async def answered(socket: Socket) -> list[dict[str, Any]]:
    """Return the events of one response, or the one error."""
    events: list[dict[str, Any]] = []
    while not events or events[-1]["type"] not in LAST:
        events.append(json.loads(await socket.receive()))
    return events


async def refused(socket: Socket, input: Any = "hi", **fields: Any) -> dict[str, Any]:
    (error,) = await ask(socket, input, **fields)
    assert error["type"] == "error"
    assert set(error) == {"type", "status", "error"}
    return {**error["error"], "status": error["status"]}


def text_of(events: list[dict[str, Any]]) -> str:
    return "".join(event["delta"] for event in events if event["type"] == "response.output_text.delta")


def id_of(events: list[dict[str, Any]]) -> str:
    return events[0]["response"]["id"]


def framed(events: list[dict[str, Any]]) -> bytes:
    """Return events as HTTP would have sent them, for those who check streams."""
    parts = [f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in events]
    return "".join([*parts, "data: [DONE]\n\n"]).encode()


# ------------------------------------------------------------------------------------------------- the official client


async def test_the_official_client_talks_over_one_connection(database: str | None) -> None:
    # "Same events": what comes has the meaning, and the schema, of a stream over HTTP.
    async with (
        LoopbackDriver(hosted(ScriptedAgent(every=recall), database=database).app) as driver,
        client_of(driver) as client,
        client.responses.connect() as connection,
    ):
        previous: Any = None
        for said in ("I like tea.", "What do I like?"):
            more: Any = {} if previous is None else {"previous_response_id": previous}
            await connection.response.create(model="m", input=said, **more)
            events: list[Any] = []
            async for event in connection:
                EVENT.validate_python(event.model_dump(warnings=False))
                events.append(event)
                if event.type in LAST:
                    break
            assert [event.sequence_number for event in events] == list(range(len(events)))
            previous = events[-1].response.id
        assert "I like tea." in events[-1].response.output_text
        # "Continuation": a stored response is continued elsewhere, and read over HTTP.
        stored = await client.responses.retrieve(previous)
        assert stored.output_text == events[-1].response.output_text
        replayed = [event async for event in await client.responses.retrieve(previous, stream=True)]
        assert [event.model_dump() for event in replayed] == [
            {name: value for name, value in event.model_dump().items() if name != "stream_id"} for event in events
        ]


async def test_the_synchronous_client_does_the_same() -> None:
    async with LoopbackDriver(hosted(ScriptedAgent(every=recall)).app) as driver:

        def talk() -> None:
            with (
                OpenAI(base_url=f"{driver.base_url}/v1", api_key="unused") as client,
                client.responses.connect() as connection,
            ):
                connection.response.create(model="m", input="hello", store=False)
                first: Any = next(event for event in connection if event.type in LAST)
                connection.response.create(model="m", input="and?", store=False, previous_response_id=first.response.id)
                second: Any = next(event for event in connection if event.type in LAST)
                assert "hello" in second.response.output_text

        await asyncio.to_thread(talk)


async def test_a_client_that_is_cut_off_in_mid_stream_goes_on_where_it_was_on_another_connection(
    database: str | None,
) -> None:
    # "Reconnect": a new connection continues from what was stored; what was cut has left nothing in the history.
    gate = Gate()
    agent = ScriptedAgent("one", ["half", gate], every=recall)
    async with LoopbackDriver(hosted(agent, database=database).app) as driver:
        async with driver.websocket("/v1/responses") as socket:
            first = id_of(await ask(socket, "I like tea."))
            await socket.send(
                json.dumps({"type": "response.create", "input": "never", "previous_response_id": first})
            )
            await gate.wait_reached()
        await agent.runs[1].wait_ended()
        async with driver.websocket("/v1/responses") as socket:
            events = await ask(socket, "What do I like?", previous_response_id=first)
    assert "I like tea." in text_of(events)
    assert "never" not in text_of(events)


async def test_a_client_that_leaves_has_its_run_cancelled_at_once() -> None:
    gate = Gate()
    agent = ScriptedAgent(["half", gate])
    async with LoopbackDriver(hosted(agent).app) as driver:
        async with driver.websocket("/responses") as socket:
            await socket.send('{"type":"response.create","input":"hi"}')
            await gate.wait_reached()
        async with asyncio.timeout(1):
            await agent.runs[0].wait_ended()
    assert agent.runs[0].stopped
