"""The form of an answer is asked for by the official client, and reaches the agent's model as it was meant."""

from __future__ import annotations

import json
from typing import Any

import httpx2
import pytest
from agent_framework import Agent
from agent_framework_openai import OpenAIChatClient, OpenAIChatCompletionClient
from openai import AsyncOpenAI
from pydantic import BaseModel

from agent_framework_hosting.host import AgentFrameworkHost
from agent_framework_hosting.testing import ScriptedAgent
from agent_framework_hosting_responses.channel import ResponsesChannel


class City(BaseModel):
    """What the caller wants to know."""

    name: str
    people: int


PARIS = City(name="Paris", people=2_100_000)


def caller(agent: Any) -> AsyncOpenAI:
    """Return the official client of a host that serves this agent."""
    app = AgentFrameworkHost(agent, channels=[ResponsesChannel()]).app
    http = httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app))
    return AsyncOpenAI(api_key="key", base_url="http://host/v1", http_client=http, max_retries=0)


async def test_the_official_client_parses_what_it_asked_for() -> None:
    agent = ScriptedAgent(PARIS.model_dump_json())
    parsed = await caller(agent).responses.parse(model="m", input="Paris?", text_format=City)
    assert parsed.output_parsed == PARIS
    wanted: Any = agent.runs[0].options["response_format"]
    assert (wanted["type"], wanted["json_schema"]["name"], wanted["json_schema"]["strict"]) == (
        "json_schema",
        "City",
        True,
    )
    assert set(wanted["json_schema"]["schema"]["properties"]) == {"name", "people"}


async def test_the_official_client_parses_a_stream_of_it() -> None:
    text = PARIS.model_dump_json()
    agent = ScriptedAgent([text[:9], text[9:]])
    async with caller(agent).responses.stream(model="m", input="Paris?", text_format=City) as events:
        async for _ in events:
            pass
        assert (await events.get_final_response()).output_parsed == PARIS


class Model:
    """A model provider that answers in the wanted form, in either protocol."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        http = httpx2.AsyncClient(transport=httpx2.MockTransport(self._answer))
        self.api = AsyncOpenAI(api_key="key", base_url="http://model/v1", http_client=http, max_retries=0)

    def _answer(self, request: httpx2.Request) -> httpx2.Response:
        self.asked.append(json.loads(request.content))
        said = PARIS.model_dump_json()
        if request.url.path.endswith("/chat/completions"):
            message = {"role": "assistant", "content": said}
            choices = [{"index": 0, "finish_reason": "stop", "message": message}]
            return httpx2.Response(
                200, json={"id": "c", "object": "chat.completion", "created": 0, "model": "m", "choices": choices}
            )
        content: Any = [{"type": "output_text", "text": said, "annotations": []}]
        output = [{"id": "msg_1", "type": "message", "role": "assistant", "status": "completed", "content": content}]
        body = {"id": "resp_1", "object": "response", "created_at": 0, "model": "m", "status": "completed"}
        rest: dict[str, Any] = {"parallel_tool_calls": True, "tool_choice": "auto", "tools": [], "output": output}
        return httpx2.Response(200, json={**body, **rest})


@pytest.mark.parametrize("client", [OpenAIChatClient, OpenAIChatCompletionClient])
async def test_a_model_behind_the_agent_is_asked_for_the_same_form(client: Any) -> None:
    """From the official client over the host and Agent Framework's client to the model, and back."""
    model = Model()
    agent: Any = Agent(client=client(model="m", async_client=model.api))
    parsed = await caller(agent).responses.parse(model="m", input="Paris?", text_format=City)
    assert parsed.output_parsed == PARIS
    [asked] = model.asked
    wanted = asked["text"]["format"] if "text" in asked else asked["response_format"]["json_schema"]
    assert (wanted["name"], wanted["strict"]) == ("City", True)
    assert wanted["schema"]["additionalProperties"] is False
    assert set(wanted["schema"]["required"]) == {"name", "people"}
