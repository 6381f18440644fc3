"""Agent Framework's own client, whose provider answers in the background: over real sockets, on both sides."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from typing import Any, Self

import httpx2
import pytest
from agent_framework import Agent, tool
from agent_framework_openai import OpenAIChatClient
from openai import AsyncOpenAI

from agent_framework_hosting._target import unfinished
from agent_framework_hosting.host import AgentFrameworkHost
from agent_framework_hosting.testing import FakeClock, LoopbackDriver, PlatformCall, PlatformReply, PlatformServer
from agent_framework_hosting_responses import ResponsesChannel

USAGE = {
    "input_tokens": 3,
    "output_tokens": 4,
    "total_tokens": 7,
    "input_tokens_details": {"cached_tokens": 0},
    "output_tokens_details": {"reasoning_tokens": 0},
}


class Provider(PlatformServer):
    """Plays a model provider that works in the background: it has finished when it was asked `looks` times."""

    def __init__(self, *, looks: int = 2, calls_tool: bool = False) -> None:
        super().__init__()
        self.looks = looks
        self.calls_tool = calls_tool
        self.jobs: list[str] = []

    def method_of(self, verb: str, path: str) -> str:
        return "look" if "resp_" in path else "create"

    def answer(self, call: PlatformCall) -> PlatformReply:
        if call.method == "create":
            self.jobs.append(f"resp_SECRET{len(self.jobs)}")
            self._asked = 0
        else:
            self._asked += 1
        is_finished = self._asked >= self.looks
        # The client says it in the body of a new request, in the query when it asks for an old one.
        if str(call.params.get("stream")).lower() == "true":
            return self._stream(is_finished=is_finished)
        return PlatformReply(json=self._response("completed" if is_finished else "queued"))

    def _response(self, status: str) -> dict[str, Any]:
        is_done = status == "completed"
        return {
            "id": self.jobs[-1],
            "object": "response",
            "created_at": 1_700_000_000,
            "model": "m",
            "status": status,
            "background": True,
            "parallel_tool_calls": True,
            "tool_choice": "auto",
            "tools": [],
            "output": [self._item] if is_done else [],
            "usage": USAGE if is_done else None,
        }

    @property
    def _item(self) -> dict[str, Any]:
        if self.calls_tool and len(self.jobs) == 1:
            call = {"id": "fc_1", "type": "function_call", "call_id": "c1", "name": "weather", "status": "completed"}
            return {**call, "arguments": '{"city": "Rome"}'}
        text: dict[str, Any] = {"type": "output_text", "text": f"Answer {len(self.jobs)}", "annotations": []}
        return {
            "id": f"msg_{len(self.jobs)}",
            "type": "message",
            "role": "assistant",
            "status": "completed",
            "content": [text],
        }

    def _stream(self, *, is_finished: bool) -> PlatformReply:
        """Say all from the beginning; a stream that is not finished ends in the middle."""
        item = self._item
        at: dict[str, Any] = {"item_id": item["id"], "output_index": 0, "content_index": 0, "logprobs": []}
        events: list[dict[str, Any]] = [
            {"type": "response.created", "response": self._response("in_progress")},
            {"type": "response.output_item.added", "output_index": 0, "item": {**item, "content": []}},
            {"type": "response.output_text.delta", **at, "delta": "Answer"},
        ]
        if is_finished:
            events += [
                {"type": "response.output_text.delta", **at, "delta": f" {len(self.jobs)}"},
                {"type": "response.output_item.done", "output_index": 0, "item": item},
                {"type": "response.completed", "response": self._response("completed")},
            ]
        lines = [
            f"event: {event['type']}\ndata: {json.dumps({**event, 'sequence_number': number})}\n\n"
            for number, event in enumerate(events)
        ]
        return PlatformReply(body="".join(lines).encode(), headers={"content-type": "text/event-stream"})


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> FakeClock:
    clock = FakeClock()
    monkeypatch.setattr(unfinished, "SYSTEM_CLOCK", clock)
    return clock


class Served:
    """An agent with this provider behind the Responses channel, and a client in front of it."""

    def __init__(self, provider: Provider, clock: FakeClock, *, tools: Any = None) -> None:
        self.provider = provider
        self._clock = clock
        # The agent runs in the server's event loop, so no connection may be left for this one to close.
        connections = httpx2.AsyncClient(limits=httpx2.Limits(max_keepalive_connections=0), timeout=60)
        self._upstream = AsyncOpenAI(
            api_key="key", base_url=f"{provider.base_url}/v1", max_retries=0, http_client=connections
        )
        client = OpenAIChatClient(model="m", async_client=self._upstream)
        agent: Any = Agent(client=client, tools=tools, default_options={"background": True})
        self.host = AgentFrameworkHost(agent, channels=[ResponsesChannel()])

    async def __aenter__(self) -> Self:
        self._driver = LoopbackDriver(self.host.app)
        await self._driver.__aenter__()
        self._client = AsyncOpenAI(api_key="none", base_url=f"{self._driver.base_url}/v1", max_retries=0)
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._client.close()
        await self._driver.__aexit__(*error)
        await self._upstream.close()

    async def ask(self, *, times: int, **more: Any) -> Any:
        """Ask, and let the host look as many times."""
        create: Any = self._client.responses.create
        task = asyncio.ensure_future(self._events(create(model="m", **more)) if "stream" in more else create(**more))
        for _ in range(times):
            await self._clock.wait_sleeping()
            self._clock.advance(self._clock.sleeps[-1])
        return await task

    async def _events(self, asking: Any) -> list[Any]:
        return [event async for event in await asking]


@pytest.fixture
async def provider() -> AsyncGenerator[Provider]:
    async with Provider() as provider:
        yield provider


async def test_a_provider_in_the_background_is_waited_for(provider: Provider, clock: FakeClock) -> None:
    """The caller gets one finished answer, and the next turn goes on from it."""
    async with Served(provider, clock) as served:
        answer = await served.ask(times=2, input="Hello")
        assert (answer.status, answer.output_text, answer.usage.total_tokens) == ("completed", "Answer 1", 7)
        assert "SECRET" not in answer.model_dump_json()
        again = await served.ask(times=2, input="And now?", previous_response_id=answer.id)
        assert again.output_text == "Answer 2"
    assert [call.method for call in provider.calls] == ["create", "look", "look"] * 2
    first, second = (call.json for call in provider.calls if call.method == "create")
    assert [part["text"] for item in first["input"] for part in item["content"]] == ["Hello"]
    assert [part["text"] for item in second["input"] for part in item["content"]] == ["And now?"]
    assert (first["background"], second["previous_response_id"]) == (True, "resp_SECRET0")


async def test_a_stream_that_the_provider_ends_early_is_gone_on_with(provider: Provider, clock: FakeClock) -> None:
    """The provider says all again from its beginning; the caller sees each word once, in one item."""
    async with Served(provider, clock) as served:
        events = await served.ask(times=2, input="Hello", stream=True)
    assert [event.delta for event in events if event.type == "response.output_text.delta"] == ["Answer", " 1"]
    assert [event.type for event in events].count("response.output_item.added") == 1
    last = events[-1]
    assert (last.type, last.response.output_text, last.response.usage.total_tokens) == (
        "response.completed",
        "Answer 1",
        7,
    )
    assert "SECRET" not in "".join(event.model_dump_json() for event in events)
    assert [call.method for call in provider.calls] == ["create", "look", "look"]


async def test_a_tool_that_was_called_in_the_background_runs_once(clock: FakeClock) -> None:
    """Its result goes to the provider as a new piece of background work, which is waited for as well."""
    ran: list[str] = []

    @tool(approval_mode="never_require")
    def weather(city: str) -> str:
        ran.append(city)
        return "rain"

    async with Provider(looks=1, calls_tool=True) as provider, Served(provider, clock, tools=[weather]) as served:
        answer = await served.ask(times=2, input="Hello")
        assert answer.output_text == "Answer 2"
        assert answer.usage.total_tokens == 14
        assert [item.type for item in answer.output] == ["mcp_call", "message"]
    assert ran == ["Rome"]
    assert [call.method for call in provider.calls] == ["create", "look", "create", "look"]
