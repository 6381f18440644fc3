"""Real parts on both sides: the framework's agents speak, the framework's own client listens."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any

import httpx2
import pytest
from agent_framework import (
    Agent,
    AgentResponse,
    AgentResponseUpdate,
    BaseChatClient,
    ChatResponse,
    ChatResponseUpdate,
    Content,
    FunctionInvocationLayer,
    FunctionTool,
    ResponseStream,
    tool,
)
from agent_framework_openai import OpenAIChatClient
from openai import AsyncOpenAI
from responses_rules import check
from responses_updates import calls, machine, refusal, rendered, returns, says, stream, thinks, uses, without_ids


class Script(FunctionInvocationLayer[Any], BaseChatClient[Any]):
    """A chat client that says one list of contents for each turn, chunk by chunk."""

    def __init__(self, *turns: list[Content]) -> None:
        super().__init__()
        self._turns = iter(turns)

    def _inner_get_response(
        self, *, messages: Sequence[Any], stream: bool, options: Any, **kwargs: Any
    ) -> Awaitable[ChatResponse[Any]] | ResponseStream[ChatResponseUpdate, ChatResponse[Any]]:
        updates = [ChatResponseUpdate(role="assistant", contents=[content]) for content in next(self._turns)]
        if stream:
            return ResponseStream(_each(updates), finalizer=ChatResponse.from_updates)
        return _now(ChatResponse.from_updates(updates))


async def _each(updates: list[ChatResponseUpdate]) -> AsyncIterator[ChatResponseUpdate]:
    for update in updates:
        yield update


async def _now(response: ChatResponse[Any]) -> ChatResponse[Any]:
    return response


@tool(approval_mode="never_require")
def look(where: str) -> str:
    """Look somewhere."""
    if where == "away":
        raise ValueError("secret")
    return f"Nothing in {where}."


ASK = FunctionTool(name="ask", description="Asks.", func=None, input_model={"type": "object", "properties": {}})

Turns = list[list[Content]]


def tool_loop() -> Turns:
    return [
        [
            Content.from_text("Let me see. "),
            calls("c1", "look", '{"where":'),
            calls("", "", '"here"}'),
            calls("c2", "look", '{"where":"away"}'),
            uses(1, 1),
        ],
        [Content.from_text("Nothing "), Content.from_text("found."), uses(2, 2)],
    ]


def client_call() -> Turns:
    return [[calls("c1", "look", '{"where":"x"}'), calls("c2", "ask", "{"), calls("c2", "ask", "}")]]


async def streamed(turns: Turns, tools: list[Any]) -> tuple[list[AgentResponseUpdate], AgentResponse[Any]]:
    run = Agent(client=Script(*turns), tools=tools).run("Hi", stream=True)
    updates = [update async for update in run]
    return updates, await run.get_final_response()


async def whole(turns: Turns, tools: list[Any]) -> AgentResponse[Any]:
    return await Agent(client=Script(*turns), tools=tools).run("Hi")


def test_an_agents_tool_loop_is_shown_as_it_happened() -> None:
    updates, final = asyncio.run(streamed(tool_loop(), [look]))
    checked = check(stream(*updates))
    shown = [(item["type"], item.get("output"), item["status"]) for item in checked.body["output"]]
    assert shown == [
        ("message", None, "completed"),
        ("mcp_call", "Nothing in here.", "completed"),
        ("mcp_call", "Error: Function failed.", "failed"),
        ("message", None, "completed"),
    ]
    assert checked.body["usage"]["total_tokens"] == 6
    assert "secret" not in str(checked.events)
    assert without_ids(rendered(final)["output"]) == without_ids(checked.body["output"])


@pytest.mark.parametrize("turns", [tool_loop, client_call])
def test_a_run_without_streaming_gives_the_same_answer(turns: Callable[[], Turns]) -> None:
    updates, _ = asyncio.run(streamed(turns(), [look, ASK]))
    folded = check(stream(*updates)).body
    body = rendered(asyncio.run(whole(turns(), [look, ASK])))
    assert without_ids(body["output"]) == without_ids(folded["output"])
    assert {**body, "output": []} == {**folded, "output": []}


def test_a_clients_tool_call_ends_the_agents_turn_and_is_left_to_the_client() -> None:
    updates, _ = asyncio.run(streamed(client_call(), [look, ASK]))
    looked, asked = check(stream(*updates)).body["output"]
    assert (looked["type"], looked["output"]) == ("mcp_call", "Nothing in x.")
    assert (asked["type"], asked["arguments"], asked["call_id"]) == ("function_call", "{}", "c2")


async def heard(sent: bytes) -> list[AgentResponseUpdate]:
    """Return what the framework's own client makes of a stream."""

    def answer(request: httpx2.Request) -> httpx2.Response:
        assert json.loads(request.content)["stream"] is True
        return httpx2.Response(200, headers={"content-type": "text/event-stream"}, content=sent)

    async with httpx2.AsyncClient(transport=httpx2.MockTransport(answer)) as http:
        api = AsyncOpenAI(api_key="key", base_url="http://host/v1", http_client=http, max_retries=0)
        agent = Agent(client=OpenAIChatClient(model="m", async_client=api), tools=[ASK])
        return [update async for update in agent.run("Hi", stream=True)]


def test_an_agent_behind_a_host_behind_a_host_says_the_same() -> None:
    """The client repeats each text as a replacement at its end, so nothing may be said twice."""
    sent = stream(
        says(thinks("Hm, ")),
        says(thinks("yes.")),
        says("Hello "),
        says("there. "),
        says(refusal("But no.")),
        says(uses(3, 4)),
        says(calls("c1", "ask", '{"a":')),
        says(calls("c1", "ask", "1}")),
    )
    first = check(sent).body
    second = check(stream(*asyncio.run(heard(sent)))).body
    assert without_ids(second["output"]) == without_ids(first["output"])
    assert second["usage"] == first["usage"]


def test_the_frameworks_client_takes_the_agents_own_calls_for_what_they_are() -> None:
    sent = stream(says(calls("c1", "look", "{}")), returns("c1", "found"), says("Found it."))
    contents = [content for update in asyncio.run(heard(sent)) for content in update.contents]
    assert {"mcp_server_tool_call", "mcp_server_tool_result", "text"} <= {content.type for content in contents}
    assert not [content for content in contents if content.type == "function_call"]


def test_the_frameworks_client_learns_why_an_answer_was_cut() -> None:
    responder = machine()
    sent = responder.feed(says("Once upon", finish_reason="length"))
    responder.complete(completed_at=1)
    updates = asyncio.run(heard(sent + responder.closing()))
    assert "length" in [update.finish_reason for update in updates]
