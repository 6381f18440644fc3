"""WebSocket mode over real sockets, with the official client and with one that says what it likes.

Sections are those of "WebSocket transport" in the Open Responses specification (2026-04-24).
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from agent_framework import Agent, Content, WorkflowBuilder, tool
from openai import AsyncOpenAI, OpenAI
from openai.types.responses import ResponsesServerEvent
from pydantic import TypeAdapter
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from websockets.asyncio.client import connect

from agent_framework_hosting.auth import ApiKeys, hash_key, new_key
from agent_framework_hosting.host import AgentFrameworkHost
from agent_framework_hosting.limits import Limits
from agent_framework_hosting.testing import (
    AgentRun,
    Gate,
    LoopbackDriver,
    ScriptedAgent,
    ScriptedChatClient,
    Socket,
    SocketClosed,
    SocketRefused,
    recall,
)
from agent_framework_hosting.types import ChannelRequest, ChannelSession
from agent_framework_hosting_responses.channel import ResponsesChannel

from .responses_rules import check
from .responses_workflow import Notebook

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


class Listening:
    """Stands before an app, and tells how much it has taken from its WebSockets: what is asked for next comes after."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._asked = Gate("the next message")
        self._asked.open()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def counted() -> Message:
            await self._asked.wait()
            return await receive()

        await self._app(scope, counted if scope["type"] == "websocket" else receive, send)

    @property
    def taken(self) -> int:
        """How many messages have been asked for."""
        return self._asked.reached

    async def wait_taken(self, count: int) -> None:
        """Wait until so many have been asked for."""
        await self._asked.wait_reached(count)


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


def written_below(folder: Path) -> bytes:
    """Return all that lies in files."""
    return b"".join(file.read_bytes() for file in folder.rglob("*") if file.is_file())


def _as_text(request: ChannelRequest, **_: Any) -> ChannelRequest:
    return replace(request, input=request.input[-1].text)


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
            await socket.send(json.dumps({"type": "response.create", "input": "never", "previous_response_id": first}))
            await gate.wait_reached()
        await agent.runs[1].wait_ended()
        async with driver.websocket("/v1/responses") as socket:
            events = await ask(socket, "What do I like?", previous_response_id=first)
    assert "I like tea." in text_of(events)
    assert "never" not in text_of(events)


async def test_a_client_that_leaves_has_its_run_cancelled_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    gate = Gate()

    def speak(_: AgentRun) -> list[str | Gate]:
        # No timer of the server's loop is waited for, however slow the machine is.
        loop = asyncio.get_running_loop()
        now = loop.time()
        stopped.setattr(loop, "time", lambda: now)
        return ["half", gate]

    agent = ScriptedAgent(speak)
    async with LoopbackDriver(hosted(agent).app) as driver:
        with monkeypatch.context() as stopped:
            async with driver.websocket("/responses") as socket:
                await socket.send('{"type":"response.create","input":"hi"}')
                await gate.wait_reached()
            await agent.runs[0].wait_ended()
    assert agent.runs[0].stopped


# ---------------------------------------------------------------------------------- "Messages", "Sequential processing"


async def test_the_events_are_those_of_a_stream_over_http_without_its_frame() -> None:
    agent = ScriptedAgent(every=list("hello, world"))
    async with LoopbackDriver(hosted(agent).app) as driver:
        streamed = await driver.request("POST", "/responses", json={"input": "hi", "stream": True})
        async with driver.websocket("/responses") as socket:
            events = await ask(socket)
    over_http = check(streamed.body).events
    check(framed(events))
    for one in (over_http, events):
        _forget_names(one)
    assert events == over_http


async def test_requests_are_answered_one_after_the_other_in_their_order() -> None:
    gate = Gate()
    agent = ScriptedAgent(["a", gate], "b", "c")
    async with LoopbackDriver(hosted(agent).app) as driver, driver.websocket("/v1/responses") as socket:
        for said in ("one", "two", "three"):
            await socket.send(json.dumps({"type": "response.create", "input": said}))
        await socket.send("{}")
        await gate.wait_reached()
        assert agent.active == 1
        gate.open()
        answers = [await answered(socket) for _ in range(4)]
    assert [text_of(events) for events in answers[:3]] == ["a", "b", "c"]
    assert answers[3][0]["error"]["param"] == "type"
    assert agent.most_active == 1


async def test_a_request_that_names_a_stream_sees_the_name_in_its_events() -> None:
    async with (
        LoopbackDriver(hosted(ScriptedAgent(every="ok")).app) as driver,
        driver.websocket("/responses") as socket,
    ):
        events = await ask(socket, stream_id='la "ne')
        assert {event["stream_id"] for event in events} == {'la "ne'}
        (error,) = await ask(socket, 3, stream_id="b")
        assert (error["stream_id"], error["error"]["param"]) == ("b", "input")


@pytest.mark.parametrize(
    ("message", "status", "code", "param"),
    [
        ("nonsense", 400, "invalid_request", None),
        ("[]", 400, "invalid_type", None),
        ("{}", 400, "missing_required_parameter", "type"),
        ('{"type":"response.cancel"}', 400, "invalid_value", "type"),
        ('{"type":["response.create"]}', 400, "invalid_value", "type"),
        ('{"type":"response.create"}', 400, "missing_required_parameter", "input"),
        ('{"type":"response.create","input":"x","stream":false}', 400, "unsupported_parameter", "stream"),
        ('{"type":"response.create","input":"x","stream":1}', 400, "unsupported_parameter", "stream"),
        ('{"type":"response.create","input":"x","background":true}', 400, "unsupported_parameter", "background"),
        (
            '{"type":"response.create","input":"x","stream_options":{"include_obfuscation":true}}',
            400,
            "unsupported_parameter",
            "stream_options",
        ),
        ('{"type":"response.create","input":"x","generate":"no"}', 400, "invalid_value", "generate"),
        ('{"type":"response.create","input":"x","stream_id":""}', 400, "invalid_value", "stream_id"),
        ('{"type":"response.create","input":"x","nonsense":1}', 400, "unknown_parameter", "nonsense"),
        ('{"type":"response.create","input":"x","temperature":"hot"}', 400, "invalid_type", "temperature"),
        (
            '{"type":"response.create","input":"x","previous_response_id":7}',
            400,
            "invalid_type",
            "previous_response_id",
        ),
        ('{"type":"response.steer"}', 400, "missing_required_parameter", "input"),
        ('{"type":"response.steer","input":"x"}', 400, "invalid_value", "previous_response_id"),
        ("[" * 50_000, 400, "invalid_request", None),
        ('{"type":"response.create","input":' + "[" * 100 + "]" * 100 + "}", 400, "invalid_request", None),
        (b'{"type":"response.create","input":"x"}', 400, "invalid_type", None),
        (b"", 400, "invalid_type", None),
        ("", 400, "invalid_request", None),
        ('{"type":"response.create","input":"' + "x" * 70_000 + '"}', 413, "request_too_large", None),
    ],
    ids=lambda value: str(value)[:70],
)
async def test_what_cannot_be_served_is_refused_and_the_connection_goes_on(
    message: str | bytes, status: int, code: str, param: str | None
) -> None:
    # "Errors": a JSON object of the type "error" with a status and an error.
    app = hosted(ScriptedAgent(every="ok"), limits=Limits(max_request_bytes=64 * 1024)).app
    async with LoopbackDriver(app) as driver, driver.websocket("/v1/responses") as socket:
        await socket.send(message)
        (error,) = await answered(socket)
        assert (error["status"], error["error"]["code"], error["error"]["param"]) == (status, code, param), error
        EVENT.validate_python(error)
        assert text_of(await ask(socket)) == "ok"


async def test_values_that_say_what_happens_anyway_are_passed_over() -> None:
    async with (
        LoopbackDriver(hosted(ScriptedAgent(every="ok")).app) as driver,
        driver.websocket("/responses") as socket,
    ):
        assert text_of(await ask(socket, stream=True, background=False, stream_options=None, generate=True)) == "ok"


async def test_more_than_may_wait_is_refused_in_its_turn_and_a_flood_ends_the_connection() -> None:
    gate = Gate()
    agent = ScriptedAgent(["a", gate], every="ok")
    app = Listening(hosted(agent, limits=Limits(max_waiting=2)).app)
    async with LoopbackDriver(app) as driver, driver.websocket("/v1/responses") as socket:
        await socket.send('{"type":"response.create","input":"hi"}')
        await gate.wait_reached()
        before = app.taken
        for _ in range(3):
            await socket.send('{"type":"response.create","input":"more"}')
        await app.wait_taken(before + 3)
        gate.open()
        answers = [(await answered(socket))[-1] for _ in range(4)]
        assert [last["type"] for last in answers] == [*["response.completed"] * 3, "error"]
        assert (answers[3]["status"], answers[3]["error"]["code"]) == (429, "rate_limit_exceeded")
    gate = Gate()
    app = Listening(hosted(ScriptedAgent(["a", gate]), limits=Limits(max_waiting=2)).app)
    async with LoopbackDriver(app) as driver, driver.websocket("/v1/responses") as socket:
        await socket.send('{"type":"response.create","input":"hi"}')
        await gate.wait_reached()
        before = app.taken
        for _ in range(50):
            await socket.send("{}")
        await app.wait_taken(before + 50)
        gate.open()
        with pytest.raises(SocketClosed) as closed:
            while True:
                await socket.receive()
        assert closed.value.code == 1008


async def test_steering_is_refused_in_the_words_of_the_protocol() -> None:
    async with (
        LoopbackDriver(hosted(ScriptedAgent(every="ok")).app) as driver,
        client_of(driver) as client,
        client.responses.connect() as connection,
    ):
        await connection.response.steer(previous_response_id="resp_1", input="stop")
        failed: Any = await connection.recv()
        EVENT.validate_python(failed.model_dump(warnings=False))
        assert (failed.type, failed.error.code) == ("response.steer.failed", "steering_not_supported")
        assert (failed.steer.input, failed.steer.previous_response_id) == ("stop", "resp_1")


async def test_a_prepared_turn_is_said_with_the_one_that_continues_it() -> None:
    agent = ScriptedAgent(every=recall)
    async with LoopbackDriver(hosted(agent).app) as driver, driver.websocket("/responses") as socket:
        first = id_of(await ask(socket, "I like tea.", store=False))
        prepared = await ask(socket, "I am Ada.", store=False, previous_response_id=first, generate=False)
        check(framed(prepared))
        assert prepared[-1]["response"]["output"] == []
        events = await ask(socket, "Who am I?", store=False, previous_response_id=id_of(prepared))
        empty = id_of(await ask(socket, [], tools=[], generate=False))
        said = text_of(await ask(socket, "alone", previous_response_id=empty))
        wrong = await refused(socket, "x", generate=False, temperature="hot")
        nobody = await refused(socket, "x", generate=False, previous_response_id="resp_unknown")
    assert [run.messages[-1].text for run in agent.runs] == ["I like tea.", "Who am I?", "alone"]
    assert all(text in text_of(events) for text in ("I like tea.", "I am Ada."))
    assert "tea" not in said
    assert (wrong["param"], nobody["code"]) == ("temperature", "previous_response_not_found")


# -------------------------------------------------------------------------------------- "Connection-local state", store


async def test_what_is_not_stored_can_be_continued_on_its_own_connection_and_nowhere_else(database: str | None) -> None:
    agent = ScriptedAgent(every=recall)
    async with LoopbackDriver(hosted(agent, database=database).app) as driver:
        async with driver.websocket("/v1/responses") as socket, driver.websocket("/v1/responses") as other:
            chain = [id_of(await ask(socket, "I like tea.", store=False))]
            for said in ("and cake", "What do I like?"):
                events = await ask(socket, said, store=False, previous_response_id=chain[-1])
                chain.append(id_of(events))
            assert all(text in text_of(events) for text in ("I like tea.", "and cake"))
            # An older one can be continued, too, and does not see its siblings.
            branch = text_of(await ask(socket, "What?", store=False, previous_response_id=chain[0]))
            assert "tea" in branch
            assert "cake" not in branch
            for refusal in (
                await refused(other, "x", store=False, previous_response_id=chain[-1]),
                await refused(other, "x", previous_response_id=chain[-1]),
            ):
                assert (refusal["status"], refusal["code"]) == (400, "previous_response_not_found")
            for store in (True, False):
                body = {"input": "x", "previous_response_id": chain[-1], "store": store}
                answer = await driver.request("POST", "/responses", json=body)
                assert (answer.status, answer.json()["error"]["code"]) == (400, "previous_response_not_found")
            for path in (f"/v1/responses/{chain[-1]}", f"/v1/responses/{chain[-1]}/input_items"):
                assert (await driver.request("GET", path)).status == 404
        async with driver.websocket("/v1/responses") as again:
            gone = await refused(again, "x", store=False, previous_response_id=chain[-1])
            assert gone["code"] == "previous_response_not_found"


async def test_nothing_of_what_is_not_stored_reaches_the_disk(tmp_path: Path) -> None:
    canary = "canary-7f3a"
    url = f"sqlite:///{tmp_path}/state/host.db"
    app = hosted(ScriptedAgent(every=recall), database=url).app
    async with LoopbackDriver(app) as driver, driver.websocket("/responses") as socket:
        stored = id_of(await ask(socket, "kept"))
        one = id_of(await ask(socket, canary, store=False))
        two = id_of(await ask(socket, canary, store=False, previous_response_id=stored))
        await ask(socket, "more", store=False, previous_response_id=one)
        # What is not stored cannot be stored by its continuation.
        refusal = await refused(socket, "x", previous_response_id=two)
        assert refusal["code"] == "previous_response_not_found"
        assert "'store': false" in refusal["message"]
    written = written_below(tmp_path)
    assert b"kept" in written
    for trace in (canary, one, two):
        assert trace.encode() not in written


async def test_a_stored_response_is_continued_apart_as_often_as_one_likes_and_stays_what_it_is(
    database: str | None,
) -> None:
    async with LoopbackDriver(hosted(ScriptedAgent(every=recall), database=database).app) as driver:
        async with driver.websocket("/responses") as socket:
            stored = id_of(await ask(socket, "I like tea."))
            apart = id_of(await ask(socket, "and cake", store=False, previous_response_id=stored))
            after = text_of(await ask(socket, "What?", store=False, previous_response_id=apart))
            beside = text_of(await ask(socket, "What?", store=False, previous_response_id=stored))
            main = text_of(await ask(socket, "What?", previous_response_id=stored))
        assert all(text in after for text in ("tea", "cake"))
        for text in (beside, main):
            assert "tea" in text
            assert "cake" not in text
        async with driver.websocket("/responses") as socket:
            await driver.request("DELETE", f"/responses/{stored}")
            gone = await refused(socket, "x", store=False, previous_response_id=stored)
            assert gone["code"] == "previous_response_not_found"


async def test_a_failed_continuation_evicts_what_it_continued() -> None:
    # "Failed continuations": the id is unknown from then on, whatever is wrong; a stored response stays.
    agent = ScriptedAgent("one", "two", "three", ["half", RuntimeError("gone")], every="ok")
    async with LoopbackDriver(hosted(agent).app) as driver, driver.websocket("/v1/responses") as socket:
        output = [{"type": "function_call_output", "call_id": "call_unknown", "output": "x"}]
        first, second, stored = [id_of(await ask(socket, store=store)) for store in (False, False, True)]
        refusal = await refused(socket, output, store=False, previous_response_id=first)
        assert refusal["status"] == 400
        assert (await refused(socket, store=False, previous_response_id=first))["code"] == "previous_response_not_found"
        failed = await ask(socket, store=False, previous_response_id=second)
        assert failed[-1]["type"] == "response.failed"
        assert (await refused(socket, store=False, previous_response_id=second))[
            "code"
        ] == "previous_response_not_found"
        assert (await refused(socket, output, previous_response_id=stored))["status"] == 400
        assert text_of(await ask(socket, previous_response_id=stored)) == "ok"


async def test_a_clients_tools_and_item_references_work_in_a_turn_that_is_not_stored() -> None:
    call = Content.from_function_call("c1", "look", arguments="{}")
    client = ScriptedChatClient([call], every=recall)
    tools: list[dict[str, Any]] = [{"type": "function", "name": "look", "parameters": {"type": "object"}}]
    app = hosted(Agent(client, name="a")).app
    async with LoopbackDriver(app) as driver, driver.websocket("/responses") as socket:
        asked = await ask(socket, "weather?", store=False, tools=tools)
        check(framed(asked))
        assert asked[-1]["response"]["output"][0]["type"] == "function_call"
        output = [{"type": "function_call_output", "call_id": "c1", "output": "sunny"}]
        answered_with = await ask(socket, output, store=False, tools=tools, previous_response_id=id_of(asked))
        assert text_of(answered_with) == "weather?"
        assert [content.type for message in client.calls[1].messages for content in message.contents] == [
            "text",
            "function_call",
            "function_result",
        ]
        item = answered_with[-1]["response"]["output"][0]["id"]
        reference = [{"type": "item_reference", "id": item}, {"role": "user", "content": "that"}]
        await ask(socket, reference, store=False)
        assert client.calls[2].seen == ["weather?", "that"]


async def test_what_a_stored_response_asks_is_answered_once_wherever_that_is_done(database: str | None) -> None:
    paid: list[int] = []

    @tool(approval_mode="always_require")
    def pay(n: int) -> str:
        """Pay."""
        paid.append(n)
        return f"paid {n}"

    client = ScriptedChatClient([Content.from_function_call("c1", "pay", arguments='{"n":5}')], every="done")
    app = hosted(Agent(client, name="till", tools=[pay]), database=database).app
    async with LoopbackDriver(app) as driver, driver.websocket("/responses") as socket:
        asked = (await driver.request("POST", "/responses", json={"input": "pay"})).json()
        (request,) = [item["id"] for item in asked["output"] if item["type"] == "mcp_approval_request"]
        yes = [{"type": "mcp_approval_response", "approval_request_id": request, "approve": True}]
        body = {"previous_response_id": asked["id"], "input": yes}
        done = await ask(socket, yes, store=False, previous_response_id=asked["id"])
        assert done[-1]["type"] == "response.completed"
        again = await refused(socket, yes, store=False, previous_response_id=asked["id"])
        over_http = await driver.request("POST", "/responses", json=body)
    assert paid == [5]
    assert again["code"] == over_http.json()["error"]["code"] == "approval_already_answered"


async def test_a_session_store_of_ones_own_gets_nothing_of_what_is_not_stored() -> None:
    kept: dict[str, Any] = {}

    class Store:
        async def get(self, session_id: str) -> Any:
            return kept.get(session_id)

        async def set(self, session_id: str, session: Any) -> None:
            kept[session_id] = session

        async def delete(self, session_id: str) -> None:
            kept.pop(session_id, None)

    app = hosted(ScriptedAgent(every=recall), session_store=Store()).app
    async with LoopbackDriver(app) as driver, driver.websocket("/responses") as socket:
        first = id_of(await ask(socket, "I like tea.", store=False))
        assert "tea" in text_of(await ask(socket, "What?", store=False, previous_response_id=first))
        assert kept == {}
        await ask(socket, "kept")
        assert len(kept) == 1


async def test_a_workflow_is_continued_on_its_connection_and_leaves_no_checkpoint(
    database: str | None, tmp_path: Path
) -> None:
    def flow() -> Any:
        return WorkflowBuilder(start_executor=Notebook(), name="notes").build()

    app = hosted(flow, database=database, checkpoint_key="k" * 40, channel={"run_hook": _as_text}).app
    async with LoopbackDriver(app) as driver, driver.websocket("/responses") as socket:
        first = await ask(socket, "canary-5b1", store=False)
        assert text_of(first) == "canary-5b1"
        assert text_of(await ask(socket, "more", store=False, previous_response_id=id_of(first))) == "canary-5b1 more"
    assert b"canary-5b1" not in written_below(tmp_path)


async def test_a_conversation_is_what_it_is_over_http() -> None:
    async with LoopbackDriver(hosted(ScriptedAgent(every=recall)).app) as driver:
        conversation = (await driver.request("POST", "/conversations", json={})).json()["id"]
        async with driver.websocket("/responses") as socket:
            apart = id_of(await ask(socket, "I like tea.", conversation=conversation, store=False))
            events = await ask(socket, "What?", conversation=conversation)
            refusal = await refused(socket, "x", store=False, previous_response_id=apart)
        items = (await driver.request("GET", f"/conversations/{conversation}/items")).json()["data"]
    assert "tea" in text_of(events)
    assert len(items) == 4
    assert refusal["code"] == "previous_response_not_found"


async def test_a_hook_that_chooses_the_session_has_its_way() -> None:
    def choose(request: ChannelRequest, **_: Any) -> ChannelRequest:
        return replace(request, session=ChannelSession("room"))

    app = hosted(ScriptedAgent(every=recall), channel={"run_hook": choose}).app
    async with LoopbackDriver(app) as driver:
        async with driver.websocket("/responses") as socket:
            await ask(socket, "I like tea.", store=False)
        async with driver.websocket("/responses") as socket:
            assert "tea" in text_of(await ask(socket, "What?"))


async def test_a_connection_keeps_to_its_bound_and_forgets_beyond_it() -> None:
    app = hosted(ScriptedAgent(every="ok"), limits=Limits(max_response_bytes=64 * 1024)).app
    async with LoopbackDriver(app) as driver, driver.websocket("/responses") as socket:
        first = id_of(await ask(socket, "x" * 20_000, store=False))
        second = id_of(await ask(socket, "x" * 20_000, store=False, previous_response_id=first))
        third = id_of(await ask(socket, "x" * 20_000, store=False, previous_response_id=second))
        gone = await refused(socket, "x", store=False, previous_response_id=third)
        assert gone["code"] == "previous_response_not_found"
        again = id_of(await ask(socket, "anew", store=False))
        assert text_of(await ask(socket, "x", store=False, previous_response_id=again)) == "ok"


# ------------------------------------------------------------------------------------------------------ who is calling


async def test_who_is_calling_is_asked_at_the_handshake_and_holds_for_the_connection() -> None:
    keys = {name: new_key() for name in ("ada", "bob")}
    agent = ScriptedAgent(every=recall)
    async with LoopbackDriver(
        hosted(agent, auth=ApiKeys({name: hash_key(key) for name, key in keys.items()})).app
    ) as driver:
        for path in ("/responses", "/responses/", "/v1/responses"):
            with pytest.raises(SocketRefused) as stranger:
                async with driver.websocket(path):
                    pass
            assert stranger.value.status == 403
        ada, bob = [{"authorization": f"Bearer {key}"} for key in keys.values()]
        async with (
            driver.websocket("/v1/responses", headers=ada) as hers,
            driver.websocket("/v1/responses", headers=bob) as his,
        ):
            stored, apart = [id_of(await ask(hers, "I like tea.", store=store)) for store in (True, False)]
            for response in (stored, apart):
                refusal = await refused(his, "x", store=False, previous_response_id=response)
                assert refusal["code"] == "previous_response_not_found"
            assert "tea" in text_of(await ask(hers, "What?", previous_response_id=stored))
        for headers, status in ((ada, 200), (bob, 404)):
            assert (await driver.request("GET", f"/responses/{stored}", headers=headers)).status == status


async def test_a_trusted_platform_says_which_chat_a_connection_is_and_whose() -> None:
    agent = ScriptedAgent(every=recall)
    async with LoopbackDriver(hosted(agent, trust_isolation_headers=True).app) as driver:

        def keys(user: str, chat: str) -> dict[str, str]:
            return {"x-agent-user-isolation-key": user, "x-agent-chat-isolation-key": chat}

        async with driver.websocket("/v1/responses", headers=keys("ada", "room")) as first:
            stored = id_of(await ask(first, "I like tea."))
        async with driver.websocket("/v1/responses", headers=keys("ada", "room")) as again:
            assert "tea" in text_of(await ask(again, "What do I like?"))
        async with driver.websocket("/v1/responses", headers=keys("ada", "hall")) as elsewhere:
            assert "tea" not in text_of(await ask(elsewhere, "What do I like?"))
        async with driver.websocket("/v1/responses", headers=keys("bob", "garden")) as another:
            assert (await refused(another, previous_response_id=stored))["code"] == "previous_response_not_found"
        body = {"input": "What do I like?"}
        over_http = await driver.request("POST", "/v1/responses", json=body, headers=keys("ada", "room"))
        assert "tea" in over_http.text
    async with LoopbackDriver(hosted(ScriptedAgent(every=recall)).app) as driver:
        for _ in range(2):
            async with driver.websocket("/v1/responses", headers=keys("ada", "room")) as socket:
                assert text_of(await ask(socket, "I like tea.")).count("tea") == 1


async def test_every_way_in_is_listed_and_the_path_goes_on_answering_requests() -> None:
    host = hosted(ScriptedAgent(every="ok"))
    sockets = {each.path for each in host.entrances if type(each.route).__name__ == "WebSocketRoute"}
    assert sockets >= {"/responses", "/v1/responses"}
    assert all(each.authenticated_by == "host" for each in host.entrances if each.path in sockets)
    own = AgentFrameworkHost(ScriptedAgent(every="ok"), channels=[ResponsesChannel(path="/")])
    async with LoopbackDriver(own.app) as driver, driver.websocket("/") as socket:
        assert text_of(await ask(socket)) == "ok"
        assert (await driver.request("POST", "/", json={"input": "hi"})).status == 200


# ----------------------------------------------------------------------------------------------- the end of connections


async def test_a_connection_that_has_lived_long_enough_finishes_what_runs_and_says_why_it_ends(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # "Connection limit": the error has the code websocket_connection_limit_reached.
    gate = Gate()

    def speak(_: AgentRun) -> list[str | Gate]:
        # Both connections have lived so long by now, as far as the server's loop knows.
        loop = asyncio.get_running_loop()
        now = loop.time
        monkeypatch.setattr(loop, "time", lambda: now() + 31)
        return ["a", gate]

    app = hosted(ScriptedAgent(speak), limits=Limits(socket_lifetime=30.0)).app
    async with (
        LoopbackDriver(app) as driver,
        driver.websocket("/v1/responses") as idle,
        driver.websocket("/v1/responses") as busy,
    ):
        await busy.send('{"type":"response.create","input":"hi"}')
        await gate.wait_reached()
        for socket in (idle, busy):
            if socket is busy:
                gate.open()
                assert (await answered(socket))[-1]["type"] == "response.completed"
            (error,) = await answered(socket)
            assert (error["status"], error["error"]["code"]) == (400, "websocket_connection_limit_reached")
            with pytest.raises(SocketClosed) as closed:
                await socket.receive()
            assert closed.value.code == 1001


async def test_a_draining_host_finishes_what_runs_refuses_the_rest_and_ends_connections() -> None:
    gate = Gate()
    host = hosted(ScriptedAgent(["a", gate, "b"]))
    async with LoopbackDriver(host.app) as driver:
        url = f"ws{driver.base_url.removeprefix('http')}/v1/responses"
        async with driver.websocket("/v1/responses") as idle, connect(url) as busy:
            await busy.send('{"type":"response.create","input":"hi"}')
            await gate.wait_reached()
            host.begin_drain()
            with pytest.raises(SocketClosed) as closed:
                await idle.receive()
            assert closed.value.code == 1001
            await busy.send('{"type":"response.create","input":"late"}')
            # What came before a ping was taken when it is answered.
            await (await busy.ping())
            gate.open()
            events = [json.loads(message) async for message in busy]
    assert text_of(events) == "ab"
    assert events[-2]["type"] == "response.completed"
    assert (events[-1]["status"], events[-1]["error"]["code"]) == (503, "draining")
    assert busy.close_code == 1001


async def test_a_reader_that_does_not_read_is_cut_and_its_run_cancelled() -> None:
    agent = ScriptedAgent([*["x" * 10_000] * 1_000, Gate()])
    limits = Limits(stall_timeout=0.3)
    async with LoopbackDriver(hosted(agent, limits=limits).app, send_buffer=16 * 1024) as driver:
        reader, writer = await _unread(driver)
        await agent.wait_started()
        await agent.runs[0].wait_ended()
        assert agent.runs[0].stopped
        writer.transport.abort()
        assert not reader.at_eof()


async def test_an_answer_that_grows_too_large_is_cut_and_the_connection_goes_on() -> None:
    agent = ScriptedAgent(["x" * 10_000] * 100, "ok")
    app = hosted(agent, limits=Limits(max_response_bytes=100_000)).app
    async with LoopbackDriver(app) as driver, driver.websocket("/responses") as socket:
        cut = await ask(socket)
        check(framed(cut))
        assert cut[-1]["response"]["incomplete_details"] == {"reason": "max_output_tokens"}
        assert text_of(await ask(socket)) == "ok"


async def test_a_hundred_connections_are_served_side_by_side() -> None:
    agent = ScriptedAgent(every=recall)
    async with LoopbackDriver(hosted(agent).app) as driver, AsyncExitStack() as stack:
        sockets = [await stack.enter_async_context(driver.websocket("/v1/responses")) for _ in range(100)]

        async def talk(number: int, socket: Socket) -> str:
            first = id_of(await ask(socket, f"I am number {number}.", store=False))
            return text_of(await ask(socket, "Who?", store=False, previous_response_id=first))

        said = await asyncio.gather(*(talk(*each) for each in enumerate(sockets)))
    assert all(f"I am number {number}." in text and text.count("I am") == 1 for number, text in enumerate(said))


class Announced(uvicorn.Server):
    """Says when it listens."""

    def __init__(self, app: Any) -> None:
        super().__init__(uvicorn.Config(app, log_config=None, ws="wsproto", port=0))
        self.listens = asyncio.Event()

    async def startup(self, sockets: Any = None) -> None:
        """Begin to listen."""
        await super().startup(sockets)
        self.listens.set()


async def test_another_server_serves_it_as_well(later: Callable[[float], None]) -> None:
    app = hosted(ScriptedAgent(every=recall), limits=Limits(socket_lifetime=15.0)).app
    server = Announced(app)
    serving = asyncio.create_task(server.serve())
    await server.listens.wait()
    port = server.servers[0].sockets[0].getsockname()[1]
    async with connect(f"ws://127.0.0.1:{port}/v1/responses") as socket:
        await socket.send(json.dumps({"type": "response.create", "input": "I like tea.", "store": False}))
        events = [json.loads(await socket.recv())]
        while events[-1]["type"] != "response.completed":
            events.append(json.loads(await socket.recv()))
        later(16)
        events += [json.loads(message) async for message in socket]
    assert text_of(events) == "I like tea."
    assert events[-1]["error"]["code"] == "websocket_connection_limit_reached"
    assert socket.close_code == 1001
    server.should_exit = True
    await serving


async def _unread(driver: LoopbackDriver) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Ask for a response over a socket that is never read from after the handshake."""
    from wsproto import ConnectionType, WSConnection
    from wsproto.events import AcceptConnection, Request, TextMessage

    reader, writer = await asyncio.open_connection(*driver.address, limit=1024)
    protocol = WSConnection(ConnectionType.CLIENT)
    writer.write(protocol.send(Request(host="127.0.0.1", target="/v1/responses")))
    protocol.receive_data(await reader.read(65536))
    assert any(isinstance(event, AcceptConnection) for event in protocol.events())
    writer.write(protocol.send(TextMessage('{"type":"response.create","input":"hi"}')))
    return reader, writer


def _forget_names(events: list[dict[str, Any]]) -> None:
    """Take out what differs between two responses that say the same."""
    for event in events:
        event.pop("item_id", None)
        for part in (event.get("response", {}), event.get("item", {}), *event.get("response", {}).get("output", [])):
            for name in ("id", "created_at", "completed_at"):
                part.pop(name, None)
