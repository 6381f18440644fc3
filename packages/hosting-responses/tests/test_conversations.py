"""Conversations: named, owned, one turn at a time; what was said in them, and what a client adds."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from agent_framework import Agent, Content, tool
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openai import AsyncOpenAI, BadRequestError, NotFoundError, OpenAI
from openai.types.conversations import Conversation, ConversationItem
from pydantic import TypeAdapter

from agent_framework_hosting.host import AgentFrameworkHost
from agent_framework_hosting.limits import Limits
from agent_framework_hosting.testing import (
    AgentRun,
    Answer,
    Gate,
    InMemoryDriver,
    LoopbackDriver,
    ScriptedAgent,
    ScriptedChatClient,
    recall,
)
from agent_framework_hosting.types import ChannelRequest
from agent_framework_hosting_responses.channel import ResponsesChannel

from .responses_rules import check, read_events

ITEM: TypeAdapter[Any] = TypeAdapter(ConversationItem)


def hosted(agent: Any, *, database: str | None = None, concurrency: Any = "queue", **options: Any) -> Any:
    host = AgentFrameworkHost(agent, channels=[ResponsesChannel(**options)], database=database, concurrency=concurrency)
    return host.app


@pytest.fixture(params=["memory", "sqlite"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> str | None:
    return None if request.param == "memory" else f"sqlite:///{tmp_path}/state/host.db"


@asynccontextmanager
async def client_of(agent: Any, **options: Any) -> AsyncGenerator[AsyncOpenAI]:
    async with (
        LoopbackDriver(hosted(agent, **options)) as driver,
        AsyncOpenAI(base_url=f"{driver.base_url}/v1", api_key="unused", max_retries=0) as client,
    ):
        yield client


async def begin(driver: InMemoryDriver, **fields: Any) -> str:
    answer = await driver.request("POST", "/conversations", json=fields)
    assert answer.status == 200, answer
    return answer.json()["id"]


async def create(driver: InMemoryDriver, input: Any, conversation: Any, **fields: Any) -> dict[str, Any]:
    body = {"input": input, "conversation": conversation, **fields}
    answer = await driver.request("POST", "/responses", json=body)
    assert answer.status == 200, answer
    return answer.json()


async def add(driver: InMemoryDriver, conversation: str, *items: Any) -> list[str]:
    answer = await driver.request("POST", f"/conversations/{conversation}/items", json={"items": items})
    assert answer.status == 200, answer
    return [item["id"] for item in answer.json()["data"]]


async def items_of(driver: InMemoryDriver, conversation: str, query: str = "?order=asc&limit=100") -> list[Any]:
    answer = await driver.request("GET", f"/conversations/{conversation}/items{query}")
    assert answer.status == 200, answer
    return answer.json()["data"]


def user(text: str) -> dict[str, Any]:
    return {"role": "user", "content": text}


def texts(items: list[Any]) -> list[str]:
    return [item["content"][0]["text"] for item in items]


async def test_the_official_client_uses_every_endpoint(database: str | None) -> None:
    agent = ScriptedAgent(every=recall)
    async with client_of(agent, database=database) as client:
        conversation = await client.conversations.create(
            metadata={"topic": "x"}, items=[{"role": "user", "content": "a"}]
        )
        Conversation.model_validate(conversation.model_dump(), strict=True)
        assert conversation.id.startswith("conv_")
        assert len(conversation.id) >= 37
        assert (await client.conversations.retrieve(conversation.id)) == conversation
        changed = await client.conversations.update(conversation.id, metadata={"topic": "y"})
        assert (changed.metadata, changed.created_at) == ({"topic": "y"}, conversation.created_at)
        made = await client.responses.create(model="m", input="b", conversation=conversation.id)
        assert made.output_text == "a | b"
        assert made.conversation is not None
        assert made.conversation.id == conversation.id
        added = await client.conversations.items.create(
            conversation.id, items=[{"type": "message", "role": "user", "content": "c"}], include=[]
        )
        pages = client.conversations.items.list(conversation.id, order="asc", limit=2)
        items: list[Any] = [item async for item in pages]
        assert [item.content[0].text for item in items] == ["a", "b", "a | b", "c"]
        for item in items:
            ITEM.validate_python(item.model_dump())
            assert await client.conversations.items.retrieve(item.id, conversation_id=conversation.id) == item
        assert items[-1] == added.data[0]
        after = await client.conversations.items.delete(items[-1].id, conversation_id=conversation.id)
        assert after == changed
        for item in items[:-1]:
            with pytest.raises(BadRequestError) as kept:
                await client.conversations.items.delete(item.id, conversation_id=conversation.id)
            assert kept.value.code == "item_in_use"
        with pytest.raises(NotFoundError):
            await client.conversations.items.retrieve(items[-1].id, conversation_id=conversation.id)
        gone = await client.conversations.delete(conversation.id)
        assert (gone.id, gone.deleted, gone.object) == (conversation.id, True, "conversation.deleted")
        for use in (client.conversations.retrieve, client.conversations.delete, client.conversations.items.list):
            with pytest.raises(NotFoundError):
                await use(conversation.id)
        with pytest.raises(BadRequestError) as unknown:
            await client.responses.create(model="m", input="d", conversation=conversation.id)
        assert (unknown.value.code, unknown.value.param) == ("conversation_not_found", "conversation")
        # Its responses are not the conversation's alone.
        assert (await client.responses.retrieve(made.id)).id == made.id
        later = await client.responses.create(model="m", input="e", previous_response_id=made.id)
        assert later.output_text == "a | b | e"


async def test_the_synchronous_client_does_the_same() -> None:
    async with LoopbackDriver(hosted(ScriptedAgent(every=recall))) as driver:

        def talk() -> None:
            with OpenAI(base_url=f"{driver.base_url}/v1", api_key="unused", max_retries=0) as client:
                conversation = client.conversations.create()
                for text in ("a", "b"):
                    with client.responses.stream(model="m", input=text, conversation={"id": conversation.id}) as stream:
                        stream.until_done()
                assert stream.get_final_response().output_text == "a | b"
                items = list(client.conversations.items.list(conversation.id, limit=1))
                assert len(items) == 4
                client.conversations.items.create(conversation.id, items=[{"role": "user", "content": "c"}])
                client.conversations.update(conversation.id, metadata={"k": "v"})
                client.conversations.delete(conversation.id)

        await asyncio.to_thread(talk)


@pytest.mark.parametrize("stream", [False, True])
async def test_turns_of_one_conversation_run_in_order_and_see_each_other(database: str | None, stream: bool) -> None:
    gate = Gate()
    agent = ScriptedAgent([gate, "one"], every="ok")
    async with InMemoryDriver(hosted(agent, database=database)) as driver:
        conversation = await begin(driver)

        async def say(text: str) -> Answer:
            body = {"input": text, "conversation": conversation, "stream": stream}
            return await driver.request("POST", "/responses", json=body)

        first = asyncio.ensure_future(say("a"))
        await gate.wait_reached()
        second = asyncio.ensure_future(say("b"))
        await asyncio.sleep(0)
        gate.open()
        await first
        await second
        assert texts(await items_of(driver, conversation)) == ["a", "one", "b", "ok"]
    assert agent.runs[1].seen == ["a", "one", "b"]


async def test_concurrency_applies_to_conversations() -> None:
    gate = Gate()
    async with InMemoryDriver(hosted(ScriptedAgent([gate, "ok"]), concurrency="reject")) as driver:
        conversation = await begin(driver)
        running = asyncio.ensure_future(create(driver, "a", conversation))
        await gate.wait_reached()
        busy = await driver.request("POST", "/responses", json={"input": "b", "conversation": conversation})
        assert (busy.status, busy.json()["error"]["code"]) == (409, "session_busy")
        gate.open()
        await running


async def test_what_is_added_is_read_once_by_the_next_turn_also_when_that_had_to_wait(database: str | None) -> None:
    gate = Gate()
    agent = ScriptedAgent([gate, "one"], every="ok")
    async with InMemoryDriver(hosted(agent, database=database)) as driver:
        conversation = await begin(driver, items=[user("zero")])
        running = asyncio.ensure_future(create(driver, "a", conversation))
        await gate.wait_reached()
        waiting = asyncio.ensure_future(create(driver, "c", conversation))
        await add(driver, conversation, user("b1"), {"role": "assistant", "content": "b2"})
        gate.open()
        await asyncio.gather(running, waiting)
        await create(driver, "d", conversation)
        said = texts(await items_of(driver, conversation))
    assert said == ["zero", "a", "one", "b1", "b2", "c", "ok", "d", "ok"]
    assert agent.runs[1].seen == ["zero", "a", "one", "b1", "b2", "c"]
    assert agent.runs[2].seen == ["zero", "a", "one", "b1", "b2", "c", "ok", "d"]


@pytest.mark.parametrize("stream", [False, True])
async def test_what_is_added_is_read_again_when_the_turn_that_read_it_fails(database: str | None, stream: bool) -> None:
    agent = ScriptedAgent(["half", RuntimeError("gone")], "ok")
    async with InMemoryDriver(hosted(agent, database=database)) as driver:
        conversation = await begin(driver, items=[user("a")])
        await driver.request("POST", "/responses", json={"input": "b", "conversation": conversation, "stream": stream})
        assert texts(await items_of(driver, conversation)) == ["a"]
        await create(driver, "c", conversation)
        assert texts(await items_of(driver, conversation)) == ["a", "c", "ok"]
    assert agent.runs[1].seen == ["a", "c"]


async def test_a_response_without_input_answers_what_was_added() -> None:
    agent = ScriptedAgent(every=recall)
    async with InMemoryDriver(hosted(agent)) as driver:
        conversation = await begin(driver)
        await add(driver, conversation, user("a"))
        body = {"conversation": {"id": conversation}}
        answer = (await driver.request("POST", "/responses", json=body)).json()
    assert answer["output"][0]["content"][0]["text"] == "a"


async def test_a_call_is_answered_in_its_conversation_and_nothing_else_is_said_before(database: str | None) -> None:
    tools: list[Any] = [{"type": "function", "name": "f", "parameters": {"type": "object", "properties": {}}}]

    def speak(run: Any) -> Any:
        return [Content.from_function_call("c1", "f", arguments="{}")] if len(agent.runs) == 1 else "ok"

    agent = ScriptedAgent(every=speak)
    async with InMemoryDriver(hosted(agent, database=database)) as driver:
        conversation = await begin(driver)
        first = await create(driver, "a", conversation, tools=tools)
        assert first["output"][0]["type"] == "function_call"
        silent = await driver.request("POST", "/responses", json={"input": "b", "conversation": conversation})
        assert (silent.status, silent.json()["error"]["param"]) == (400, "input")
        output = {"type": "function_call_output", "call_id": "c1", "output": "42"}
        await add(driver, conversation, output)
        await create(driver, "b", conversation)
        again = await driver.request("POST", "/responses", json={"input": [output], "conversation": conversation})
        assert again.status == 400
        kinds = [item["type"] for item in await items_of(driver, conversation)]
    assert kinds == ["message", "function_call", "function_call_output", "message", "message"]


async def test_a_turn_that_waited_is_refused_when_the_conversation_has_moved_on_to_a_call() -> None:
    gate = Gate()

    async def speak(run: Any) -> Any:
        await gate.wait()
        return [Content.from_function_call("c1", "f", arguments="{}")]

    agent = ScriptedAgent(every=speak)
    tools: list[Any] = [{"type": "function", "name": "f", "parameters": {"type": "object", "properties": {}}}]
    async with InMemoryDriver(hosted(agent)) as driver:
        conversation = await begin(driver)
        running = asyncio.ensure_future(create(driver, "a", conversation, tools=tools))
        await gate.wait_reached()
        body = {"input": "b", "conversation": conversation}
        waiting = asyncio.ensure_future(driver.request("POST", "/responses", json=body))
        streaming = asyncio.ensure_future(driver.request("POST", "/responses", json={**body, "stream": True}))
        for _ in range(50):
            await asyncio.sleep(0)
        gate.open()
        await running
        refused, streamed = await waiting, await streaming
    assert (refused.status, refused.json()["error"]["param"]) == (400, "input")
    failed = read_events(streamed.body)[-1]
    assert (failed["type"], failed["response"]["error"]["code"]) == ("response.failed", "invalid_prompt")
    assert len(agent.runs) == 1


async def test_an_approval_is_given_in_the_conversation(database: str | None) -> None:
    paid: list[int] = []

    @tool(approval_mode="always_require")
    def pay(amount: int) -> str:
        """Pay."""
        paid.append(amount)
        return "paid"

    client = ScriptedChatClient([Content.from_function_call("c1", "pay", arguments={"amount": 5})], every="done")
    agent = Agent(client=client, name="a", tools=[pay])
    async with InMemoryDriver(hosted(agent, database=database)) as driver:
        conversation = await begin(driver)
        asked = await create(driver, "pay 5", conversation)
        (request,) = [item for item in asked["output"] if item["type"] == "mcp_approval_request"]
        answer = {"type": "mcp_approval_response", "approval_request_id": request["id"], "approve": True}
        refused = await driver.request("POST", f"/conversations/{conversation}/items", json={"items": [answer]})
        assert refused.status == 400
        await create(driver, [answer], conversation)
        again = await driver.request("POST", "/responses", json={"input": [answer], "conversation": conversation})
    assert paid == [5]
    assert again.status == 400


async def test_a_branch_from_an_older_response_leaves_the_conversation_as_it_is(database: str | None) -> None:
    agent = ScriptedAgent(every="ok")
    async with InMemoryDriver(hosted(agent, database=database)) as driver:
        conversation = await begin(driver)
        first = await create(driver, "a", conversation)
        await create(driver, "b", conversation)
        branch = await driver.request("POST", "/responses", json={"input": "x", "previous_response_id": first["id"]})
        assert branch.json().get("conversation") is None
        await create(driver, "c", conversation)
        assert texts(await items_of(driver, conversation)) == ["a", "ok", "b", "ok", "c", "ok"]
    assert agent.runs[2].seen == ["a", "ok", "x"]
    assert agent.runs[3].seen == ["a", "ok", "b", "ok", "c"]


async def test_what_is_not_stored_is_part_of_its_conversation_and_is_no_response_to_read(database: str | None) -> None:
    agent = ScriptedAgent(every="ok")
    async with InMemoryDriver(hosted(agent, database=database)) as driver:
        conversation = await begin(driver)
        made = await create(driver, "a", conversation, store=False)
        assert (await driver.request("GET", f"/responses/{made['id']}")).status == 404
        items = await items_of(driver, conversation)
        assert texts(items) == ["a", "ok"]
        for item in items:
            at = f"/conversations/{conversation}/items/{item['id']}"
            assert (await driver.request("GET", at)).json() == item
        await create(driver, "b", conversation)
    assert agent.runs[1].seen == ["a", "ok", "b"]


async def test_a_deleted_response_leaves_its_conversation_usable_and_is_not_listed(database: str | None) -> None:
    agent = ScriptedAgent(every="ok")
    async with InMemoryDriver(hosted(agent, database=database)) as driver:
        conversation = await begin(driver, items=[user("zero")])
        made = await create(driver, "a", conversation)
        assert (await driver.request("DELETE", f"/responses/{made['id']}")).status == 200
        assert await items_of(driver, conversation) == []
        await create(driver, "b", conversation)
        assert texts(await items_of(driver, conversation)) == ["b", "ok"]
    assert agent.runs[1].seen == ["zero", "a", "ok", "b"]


async def test_a_response_is_not_deleted_while_what_it_has_read_cannot_be_dropped(tmp_path: Path) -> None:
    """Its record alone tells that the items were read: the next turn would read them once more."""
    file = tmp_path / "state" / "host.db"

    def rename(old: str, new: str) -> None:
        with closing(sqlite3.connect(file)) as connection:
            connection.execute(f"ALTER TABLE {old} RENAME TO {new}")

    async def speak(run: AgentRun) -> AsyncGenerator[str]:
        if len(run.seen) == 2:
            rename("af_document", "elsewhere")
        yield f"seen {len(run.seen)}"

    agent = ScriptedAgent(every=speak)
    async with InMemoryDriver(hosted(agent, database=f"sqlite:///{file}")) as driver:
        talk = await begin(driver)
        await add(driver, talk, user("noted"))
        response = (await create(driver, "hi", talk))["id"]
        assert (await driver.request("DELETE", f"/responses/{response}")).status == 503
        rename("elsewhere", "af_document")
        assert (await driver.request("DELETE", f"/responses/{response}")).status == 200
        await create(driver, "more", talk)
    assert agent.runs[-1].seen == ["noted", "hi", "seen 2", "more"]


async def test_instructions_that_are_added_go_the_way_of_all_instructions() -> None:
    told = {"role": "system", "content": "you are a pirate"}
    for policy, status, seen in (
        ("ignore", 200, ["hi"]),
        ("append", 200, [told["content"], "hi"]),
        ("refuse", 400, []),
    ):
        agent = ScriptedAgent(every="ok")
        async with InMemoryDriver(hosted(agent, caller_instructions=policy)) as driver:
            conversation = await begin(driver)
            at = f"/conversations/{conversation}/items"
            answer = await driver.request("POST", at, json={"items": [told]})
            assert answer.status == status
            assert answer.headers.get("x-ignored-parameters") == ("items[0]" if policy == "ignore" else None)
            if seen:
                await create(driver, "hi", conversation)
                assert agent.runs[0].seen == seen


async def test_a_run_hook_sees_the_conversation_and_keeps_what_was_added() -> None:
    seen: list[Any] = []

    def hook(request: ChannelRequest, **_: Any) -> ChannelRequest:
        seen.append(request.attributes["conversation"])
        return replace(request, input="hooked")

    agent = ScriptedAgent(every="ok")
    async with InMemoryDriver(hosted(agent, run_hook=hook)) as driver:
        conversation = await begin(driver, items=[user("a")])
        await create(driver, "b", conversation)
    assert seen == [conversation]
    assert agent.runs[0].seen == ["a", "hooked"]


async def test_what_was_added_is_refused_rather_than_lost_where_a_hook_makes_something_else_of_the_input() -> None:
    def hook(request: ChannelRequest, **_: Any) -> ChannelRequest:
        return replace(request, input={"question": "b"})

    agent = ScriptedAgent(every="ok")
    async with InMemoryDriver(hosted(agent, run_hook=hook)) as driver:
        conversation = await begin(driver, items=[user("a")])
        refused = await driver.request("POST", "/responses", json={"input": "b", "conversation": conversation})
        assert (refused.status, refused.json()["error"]["code"]) == (400, "items_not_readable")
        (item,) = await items_of(driver, conversation)
        gone = await driver.request("DELETE", f"/conversations/{conversation}/items/{item['id']}")
        assert gone.status == 200
    assert not agent.runs


async def test_conversations_stand_beside_the_channels_path() -> None:
    async with InMemoryDriver(hosted(ScriptedAgent(every="ok"), path="/api/v1/responses")) as driver:
        answer = await driver.request("POST", "/api/v1/conversations", json={})
        assert answer.status == 200
        assert (await driver.request("POST", "/v1/conversations", json={})).status == 404
    async with InMemoryDriver(hosted(ScriptedAgent(every="ok"))) as driver:
        for path in ("/conversations", "/conversations/", "/v1/conversations", "/v1/conversations/"):
            assert (await driver.request("POST", path)).status == 200
    async with InMemoryDriver(hosted(ScriptedAgent(every="ok"), path="")) as driver:
        assert (await driver.request("POST", "/", json={"input": "hi"})).status == 200
        assert (await driver.request("POST", "/conversations", json={})).status == 200


async def test_a_conversation_in_memory_goes_with_its_session() -> None:
    host = AgentFrameworkHost(ScriptedAgent(every="ok"), channels=[ResponsesChannel()], limits=Limits(max_sessions=1))
    async with InMemoryDriver(host.app) as driver:
        conversation = await begin(driver)
        await create(driver, "a", conversation)
        await driver.request("POST", "/responses", json={"input": "elsewhere"})
        assert (await driver.request("GET", f"/conversations/{conversation}")).status == 404
        lost = await driver.request("POST", "/responses", json={"input": "b", "conversation": conversation})
        assert lost.json()["error"]["code"] == "conversation_not_found"


TOO_MANY = [user("x")] * 21
REFUSED: dict[str, tuple[str, str, Any, int, str, str | None]] = {
    "unknown": ("GET", "/conversations/conv_no", None, 404, "not_found", "conversation_id"),
    "nul": ("GET", "/conversations/conv_%00", None, 404, "not_found", "conversation_id"),
    "update unknown": ("POST", "/conversations/conv_no", {"metadata": {}}, 404, "not_found", "conversation_id"),
    "delete unknown": ("DELETE", "/conversations/conv_no", None, 404, "not_found", "conversation_id"),
    "items of unknown": ("GET", "/conversations/conv_no/items", None, 404, "not_found", "conversation_id"),
    "add to unknown": (
        "POST", "/conversations/conv_no/items", {"items": [user("x")]}, 404, "not_found", "conversation_id"
    ),
    "item of unknown": ("GET", "/conversations/conv_no/items/i", None, 404, "not_found", "conversation_id"),
    "unknown item": ("GET", "/conversations/ID/items/msg_no", None, 404, "not_found", "item_id"),
    "delete unknown item": ("DELETE", "/conversations/ID/items/msg_no", None, 404, "not_found", "item_id"),
    "create field": ("POST", "/conversations", {"title": "x"}, 400, "unknown_parameter", "title"),
    "create metadata": ("POST", "/conversations", {"metadata": []}, 400, "invalid_type", "metadata"),
    "metadata value": ("POST", "/conversations", {"metadata": {"a": 1}}, 400, "invalid_type", "metadata.a"),
    "metadata pairs": (
        "POST", "/conversations", {"metadata": {str(n): "" for n in range(17)}}, 400, "invalid_value", "metadata"
    ),
    "create items": ("POST", "/conversations", {"items": "hi"}, 400, "invalid_type", "items"),
    "create item": ("POST", "/conversations", {"items": ["hi"]}, 400, "invalid_type", "items[0]"),
    "create role": (
        "POST", "/conversations", {"items": [{"role": "king", "content": "x"}]}, 400, "invalid_value", "items[0].role"
    ),
    "create too many": ("POST", "/conversations", {"items": TOO_MANY}, 400, "invalid_value", "items"),
    "create list": ("POST", "/conversations", [], 400, "invalid_type", None),
    "update nothing": ("POST", "/conversations/ID", {}, 400, "missing_required_parameter", "metadata"),
    "update field": ("POST", "/conversations/ID", {"metadata": {}, "x": 1}, 400, "unknown_parameter", "x"),
    "update metadata": ("POST", "/conversations/ID", {"metadata": "x"}, 400, "invalid_type", "metadata"),
    "add nothing": ("POST", "/conversations/ID/items", {}, 400, "missing_required_parameter", "items"),
    "add none": ("POST", "/conversations/ID/items", {"items": []}, 400, "missing_required_parameter", "items"),
    "add too many": ("POST", "/conversations/ID/items", {"items": TOO_MANY}, 400, "invalid_value", "items"),
    "add reference": (
        "POST", "/conversations/ID/items", {"items": [{"type": "item_reference", "id": "msg_1"}]}, 400,
        "unsupported_content", "items[0]",
    ),
    "add approval": (
        "POST", "/conversations/ID/items",
        {"items": [{"type": "mcp_approval_response", "approval_request_id": "m", "approve": True}]}, 400,
        "unsupported_content", "items[0]",
    ),
    "add unknown kind": (
        "POST", "/conversations/ID/items", {"items": [{"type": "wish"}]}, 400, "invalid_value", "items[0].type"
    ),
    "add include": (
        "POST", "/conversations/ID/items?include[]=x", {"items": [user("x")]}, 400, "invalid_value", "include[0]"
    ),
    "limit": ("GET", "/conversations/ID/items?limit=1000", None, 400, "invalid_value", "limit"),
    "order": ("GET", "/conversations/ID/items?order=up", None, 400, "invalid_value", "order"),
    "after": ("GET", "/conversations/ID/items?after=msg_no", None, 400, "item_not_found", "after"),
    "list": ("GET", "/conversations", None, 405, "method_not_allowed", None),
    "put": ("PUT", "/conversations/ID", None, 405, "method_not_allowed", None),
    "below": ("GET", "/conversations/ID/turns", None, 404, "not_found", None),
    "both": (
        "POST", "/responses", {"input": "x", "conversation": "ID", "previous_response_id": "r"}, 400,
        "mutually_exclusive_parameters", "conversation",
    ),
    "conversation number": (
        "POST", "/responses", {"input": "x", "conversation": 5}, 400, "invalid_type", "conversation"
    ),
    "conversation empty": (
        "POST", "/responses", {"input": "x", "conversation": ""}, 400, "invalid_value", "conversation"
    ),
    "conversation without id": (
        "POST", "/responses", {"input": "x", "conversation": {}}, 400, "invalid_type", "conversation.id"
    ),
    "conversation unknown": (
        "POST", "/responses", {"input": "x", "conversation": "conv_no"}, 400, "conversation_not_found", "conversation"
    ),
    "answer to nothing": (
        "POST", "/responses",
        {"input": [{"type": "function_call_output", "call_id": "c", "output": "x"}], "conversation": "ID"}, 400,
        "invalid_value", "input[0]",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED.values(), ids=REFUSED)
async def test_a_bad_request_says_what_is_wrong_and_where(case: tuple[str, str, Any, int, str, str | None]) -> None:
    method, path, body, *wanted = case
    agent = ScriptedAgent(every="ok")
    async with InMemoryDriver(hosted(agent)) as driver:
        conversation = await begin(driver)
        body = json.loads(json.dumps(body).replace('"ID"', f'"{conversation}"'))
        answer = await driver.request(method, path.replace("ID", conversation), json=body)
    error = answer.json()["error"]
    assert [answer.status, error["code"], error["param"]] == wanted
    assert error["type"] == "invalid_request_error"
    assert not agent.runs


@settings(max_examples=settings().max_examples // 5, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.sampled_from(["turn", "silent turn", "item", "two items"]), max_size=6),
    st.integers(1, 5),
)
def test_pages_put_together_are_what_was_said_in_either_order(steps: list[str], limit: int) -> None:
    async def talk() -> None:
        async with InMemoryDriver(hosted(ScriptedAgent(every=recall))) as driver:
            conversation = await begin(driver)
            for number, step in enumerate(steps):
                if step.endswith("turn"):
                    await create(driver, f"{number}", conversation, store=step == "turn")
                else:
                    await add(driver, conversation, *[user(f"{number}")] * (1 if step == "item" else 2))
            whole = await items_of(driver, conversation)
            assert (
                len({item["id"] for item in whole}) == len(whole) == sum(1 if step == "item" else 2 for step in steps)
            )
            for order, wanted in (("asc", whole), ("desc", whole[::-1])):
                seen: list[Any] = []
                page: dict[str, Any] = {"has_more": True, "last_id": None}
                while page["has_more"]:
                    after = f"&after={page['last_id']}" if page["last_id"] else ""
                    at = f"/conversations/{conversation}/items?order={order}&limit={limit}{after}"
                    page = (await driver.request("GET", at)).json()
                    seen += page["data"]
                assert seen == wanted

    asyncio.run(talk())


async def test_a_long_conversation_is_listed_past_one_batch(database: str | None) -> None:
    async with InMemoryDriver(hosted(ScriptedAgent(every="ok"), database=database)) as driver:
        conversation = await begin(driver)
        for number in range(60):
            await create(driver, str(number), conversation)
        newest = await items_of(driver, conversation, "?limit=100")
        middle = newest[-1]["id"]
        older = await items_of(driver, conversation, f"?limit=100&after={middle}")
        oldest = await items_of(driver, conversation, "?limit=3&order=asc")
    assert len(newest) == 100
    assert len(older) == 20
    assert texts(oldest) == ["0", "ok", "1"]


async def test_a_conversation_streams_and_its_stream_is_read_again() -> None:
    async with InMemoryDriver(hosted(ScriptedAgent(every=list("hello")))) as driver:
        conversation = await begin(driver, items=[user("a")])
        body = {"input": "b", "conversation": conversation, "stream": True}
        sent = await driver.request("POST", "/responses", json=body)
        response = check(sent.body).body["id"]
        assert (await driver.request("GET", f"/responses/{response}?stream=true")).body == sent.body
        given = (await driver.request("GET", f"/responses/{response}/input_items?order=asc")).json()["data"]
    assert texts(given) == ["a", "b"]


async def test_turns_side_by_side_are_listed_and_remember_nothing() -> None:
    agent = ScriptedAgent(every="ok")
    async with InMemoryDriver(hosted(agent, concurrency="concurrent")) as driver:
        conversation = await begin(driver, items=[user("a")])
        await create(driver, "b", conversation)
        await create(driver, "c", conversation)
        assert texts(await items_of(driver, conversation)) == ["a", "b", "ok", "c", "ok"]
    assert [run.seen for run in agent.runs] == [["a", "b"], ["c"]]
