"""Responses in the background: accepted once, polled, followed from any event, cancelled, and never lost."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest
from agent_framework import Content, Message, WorkflowBuilder, WorkflowContext, executor
from openai import AsyncOpenAI, BadRequestError, NotFoundError
from sqlalchemy import NullPool, create_engine, text
from starlette.requests import HTTPConnection

from agent_framework_hosting._runs import writer
from agent_framework_hosting._tasks import service
from agent_framework_hosting.cli import main
from agent_framework_hosting.host import AgentFrameworkHost
from agent_framework_hosting.limits import Limits
from agent_framework_hosting.testing import Answer, Gate, InMemoryDriver, LoopbackDriver, ScriptedAgent, recall
from agent_framework_hosting.types import ChannelRequest, Principal
from agent_framework_hosting_responses.channel import ResponsesChannel

from .responses_rules import check_body, read_events
from .responses_workflow import clerk

SOON = 60.0
Replica = Callable[..., Awaitable[InMemoryDriver]]


# Where tasks, events and documents are kept is the same to all of this; what is about the databases asks for both.
@pytest.fixture(params=["memory", "sqlite"])
def where(request: pytest.FixtureRequest, make_database: Callable[[str], str]) -> str | None:
    return None if request.param == "memory" else make_database(request.param)


@pytest.fixture
async def replica(where: str | None) -> AsyncGenerator[Replica]:
    """Return a function that starts one more host on the database."""
    async with AsyncExitStack() as stack:

        async def replica(
            agent: Any, *, limits: Limits | None = None, concurrency: Any = "queue", **options: Any
        ) -> InMemoryDriver:
            host = AgentFrameworkHost(
                agent,
                channels=[ResponsesChannel(**options)],
                database=where,
                limits=limits or Limits(task_backoff=0.01, drain_timeout=0.1),
                concurrency=concurrency,
            )
            return await stack.enter_async_context(InMemoryDriver(host.app, timeout=SOON))

        yield replica


async def post(driver: InMemoryDriver, input: Any = "hi", *, key: str | None = None, **fields: Any) -> Answer:
    headers = {"idempotency-key": key} if key else {}
    return await driver.request("POST", "/responses", json={"input": input, **fields}, headers=headers)


async def begin(driver: InMemoryDriver, input: Any = "hi", **fields: Any) -> str:
    """Have a response accepted, and return its id."""
    answer = await post(driver, input, background=True, **fields)
    assert answer.status == 200, answer
    body = answer.json()
    check_body(body)
    assert (body["status"], body["background"], body["output"]) == ("queued", True, [])
    return body["id"]


async def read(driver: InMemoryDriver, response: str) -> dict[str, Any]:
    answer = await driver.request("GET", f"/responses/{response}")
    assert answer.status == 200, answer
    check_body(answer.json())
    return answer.json()


async def polled(driver: InMemoryDriver, response: str) -> dict[str, Any]:
    """Poll a response until it has ended."""
    async with asyncio.timeout(SOON):
        while (body := await read(driver, response))["status"] in ("queued", "in_progress"):  # noqa: ASYNC110 - a poll
            await asyncio.sleep(0.01)
    return body


async def cancel(driver: InMemoryDriver, response: str) -> dict[str, Any]:
    answer = await driver.request("POST", f"/responses/{response}/cancel")
    assert answer.status == 200, answer
    check_body(answer.json())
    return answer.json()


async def followed(driver: InMemoryDriver, response: str, *, after: int | None = None) -> bytes:
    """Read a response's stream to its end."""
    query = "" if after is None else f"&starting_after={after}"
    answer = await driver.request("GET", f"/responses/{response}?stream=true{query}")
    assert answer.status == 200, answer
    return b"".join(part + b"\n\n" for part in answer.body.split(b"\n\n")[:-1] if not part.startswith(b":"))


def said(body: dict[str, Any]) -> str:
    return "".join(part["text"] for item in body["output"] for part in item.get("content") or ())


def let_die(where: str | None) -> None:
    """Have all processes taken for dead whose work is under way."""
    assert where is not None
    engine = create_engine(where.replace("postgresql://", "postgresql+psycopg://"), poolclass=NullPool)
    with engine.begin() as connection:
        connection.execute(text("UPDATE af_worker SET alive_until = 0 WHERE id IN (SELECT worker FROM af_task)"))


@pytest.fixture
def looks_when_woken(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have no process find out by itself that others took over what it runs, as one that stands still does not."""
    monkeypatch.setattr(service, "_LOOK", 600.0)
    # Storing what a run says tells, too.
    monkeypatch.setattr(writer, "_PAUSE", 600.0)


async def none_left(where: str | None, rows: str) -> None:
    """Wait until there are no such rows in the database any more."""
    assert where is not None
    engine = create_engine(where.replace("postgresql://", "postgresql+psycopg://"), poolclass=NullPool)
    async with asyncio.timeout(SOON):
        while True:
            with engine.connect() as connection:
                if not connection.execute(text(f"SELECT count(*) FROM {rows}")).scalar_one():  # noqa: S608 - a constant
                    return
            await asyncio.sleep(0.01)


async def test_a_response_is_accepted_at_once_and_polled_to_its_end(replica: Replica) -> None:
    gate = Gate()
    driver = await replica(ScriptedAgent(["hello, ", gate, "world"], every="more"))
    response = await begin(driver, "hi", metadata={"a": "b"}, safety_identifier="ada")
    await gate.wait_reached()
    running = await read(driver, response)
    assert (running["status"], running["output"], running["metadata"]) == ("in_progress", [], {"a": "b"})
    items = (await driver.request("GET", f"/responses/{response}/input_items")).json()["data"]
    gate.open()
    done = await polled(driver, response)
    assert (done["status"], said(done), done["background"]) == ("completed", "hello, world", True)
    assert {**running, "status": 0} == {
        **done,
        "status": 0,
        "output": [],
        "usage": None,
        "completed_at": None,
    }
    assert (await driver.request("GET", f"/responses/{response}/input_items")).json()["data"] == items
    assert [item["content"][0]["text"] for item in items] == ["hi"]
    more = await post(driver, "more", previous_response_id=response)
    assert more.status == 200


async def test_whatever_is_wrong_is_said_at_once(replica: Replica) -> None:
    agent = ScriptedAgent(every="done")
    driver = await replica(agent)
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"store": False}, "store"),
        ({"previous_response_id": "resp_nobody"}, "previous_response_id"),
        ({"conversation": "conv_nobody"}, "conversation"),
        ({"tools": [{"type": "web_search"}]}, "tools[0].type"),
        ({"input": [{"type": "function_call_output", "call_id": "c", "output": "x"}]}, "input[0]"),
        ({"nonsense": 1}, "nonsense"),
    ]
    for fields, param in wrong:
        asked = {"input": "hi", "background": True, **fields}
        answer = await driver.request("POST", "/responses", json=asked)
        assert (answer.status, answer.json()["error"]["param"]) == (400, param), answer
    assert not agent.runs
    assert (await driver.request("GET", "/responses/resp_nobody")).status == 404


@pytest.mark.parametrize("where", ["memory", "sqlite", "postgres"], indirect=True)
async def test_a_stream_can_be_resumed_behind_any_event_while_it_runs_and_afterwards(replica: Replica) -> None:
    """Everybody who reads gets the same bytes, wherever they begin, live and from what is stored."""
    gates = [Gate(), Gate()]
    driver = await replica(
        ScriptedAgent([*"abc", gates[0], "d", Content.from_text_reasoning(text="hm"), gates[1], "e"])
    )
    async with driver.stream("POST", "/responses", json={"input": "hi", "background": True, "stream": True}) as answer:
        first = await anext(answer)
        events = read_events_so_far(first)
        assert events[0]["type"] == "response.created"
        response = events[0]["response"]["id"]
    # The reader has left, which is nothing to the run.
    reading: list[asyncio.Task[bytes]] = []
    for gate in gates:
        await gate.wait_reached()
        reading += [asyncio.create_task(followed(driver, response, after=number)) for number in range(14)]
        reading += [asyncio.create_task(followed(driver, response))]
        await asyncio.sleep(0)
        gate.open()
    live = [await each for each in reading]
    whole = live[14]
    assert [event["sequence_number"] for event in read_events(whole)] == [*range(len(read_events(whole)))]
    kinds = [event["type"] for event in read_events(whole)]
    assert kinds[:3] == ["response.created", "response.queued", "response.in_progress"]
    assert [event["response"]["status"] for event in read_events(whole)[:3]] == ["queued", "queued", "in_progress"]
    done = await polled(driver, response)
    assert read_events(whole)[-1]["response"] == done
    parts = whole.split(b"\n\n")[:-2]
    for number in range(14):
        rest = b"".join(part + b"\n\n" for part in [*parts[number + 1 :], b"data: [DONE]"])
        assert live[number] == live[15 + number] == rest
    for number in range(len(parts)):
        rest = b"".join(part + b"\n\n" for part in [*parts[number + 1 :], b"data: [DONE]"])
        assert await followed(driver, response, after=number) == rest
    assert await followed(driver, response) == whole


def read_events_so_far(data: bytes) -> list[dict[str, Any]]:
    return read_events(data + b"data: [DONE]\n\n")


async def test_the_official_client_polls_streams_resumes_and_cancels() -> None:
    gates = [Gate(), Gate()]
    agent = ScriptedAgent(["hello, ", gates[0], "world"], ["half", gates[1]], every="more")
    host = AgentFrameworkHost(agent, channels=[ResponsesChannel()])
    async with (
        LoopbackDriver(host.app) as driver,
        AsyncOpenAI(base_url=f"{driver.base_url}/v1", api_key="unused", max_retries=0) as client,
    ):
        seen: list[Any] = []
        async with await client.responses.create(model="m", input="hi", background=True, stream=True) as stream:
            async for event in stream:
                seen.append(event)
                if event.type == "response.output_text.delta":
                    break
        response = seen[0].response.id
        assert (await client.responses.retrieve(response)).status == "in_progress"
        gates[0].open()
        rest = await client.responses.retrieve(response, stream=True, starting_after=seen[-1].sequence_number)
        seen += [event async for event in rest]
        assert [event.sequence_number for event in seen] == [*range(len(seen))]
        assert seen[-1].response.output_text == "hello, world"
        async with client.responses.stream(response_id=response, starting_after=5) as helper:
            assert (await helper.get_final_response()).output_text == "hello, world"
        polling = await client.responses.create(model="m", input="hi", background=True)
        assert polling.status == "queued"
        await gates[1].wait_reached()
        for _ in range(2):
            cancelled = await client.responses.cancel(polling.id)
            assert (cancelled.status, cancelled.output_text) == ("cancelled", "half")
        assert (await client.responses.cancel(response)).status == "completed"
        await client.responses.delete(polling.id)
        with pytest.raises(NotFoundError):
            await client.responses.retrieve(polling.id)
        foreground = await client.responses.create(model="m", input="hi", background=False, store=True)
        with pytest.raises(BadRequestError) as refused:
            await client.responses.cancel(foreground.id)
        assert refused.value.code == "response_not_cancellable"


async def test_a_cancelled_response_keeps_what_it_had_said_and_is_no_part_of_the_conversation(
    replica: Replica,
) -> None:
    gate = Gate()
    agent = ScriptedAgent("one", ["half", gate], every=recall)
    driver = await replica(agent)
    first = (await post(driver, "first")).json()["id"]
    response = await begin(driver, "second", previous_response_id=first)
    await gate.wait_reached()
    reading = asyncio.create_task(followed(driver, response))
    cancelled = await cancel(driver, response)
    assert (cancelled["status"], said(cancelled)) == ("cancelled", "half")
    assert cancelled["output"][0]["status"] == "incomplete"
    assert await cancel(driver, response) == cancelled == await read(driver, response)
    stream = await reading
    assert read_events(stream)[-1] == {
        "type": "response.incomplete",
        "sequence_number": len(read_events(stream)) - 1,
        "response": cancelled,
    }
    assert await followed(driver, response) == stream
    for background in (False, True):
        refused = await post(driver, "more", previous_response_id=response, background=background)
        assert (refused.status, refused.json()["error"]["code"]) == (400, "previous_response_not_found")
        assert "did not finish" in refused.json()["error"]["message"]
    third = (await post(driver, "third", previous_response_id=first)).json()
    assert said(third) == "first | third"
    assert agent.active == 0


async def test_one_that_waits_never_starts_once_it_is_cancelled(replica: Replica) -> None:
    gate = Gate()
    agent = ScriptedAgent(["one", gate], every="more")
    driver = await replica(agent)
    talk = (await driver.request("POST", "/v1/conversations", json={})).json()["id"]
    running = await begin(driver, "first", conversation=talk)
    await gate.wait_reached()
    waiting = await begin(driver, "second", conversation=talk)
    reading = asyncio.create_task(followed(driver, waiting, after=0))
    assert (await read(driver, waiting))["status"] == "queued"
    cancelled = await cancel(driver, waiting)
    assert (cancelled["status"], cancelled["output"]) == ("cancelled", [])
    assert await cancel(driver, waiting) == cancelled == await read(driver, waiting)
    assert [event["type"] for event in read_events(await reading)] == ["response.queued", "response.incomplete"]
    whole = await followed(driver, waiting)
    assert [event["sequence_number"] for event in read_events(whole)] == [0, 1, 2]
    gate.open()
    assert (await polled(driver, running))["status"] == "completed"
    assert len(agent.runs) == 1
    assert (await driver.request("DELETE", f"/responses/{waiting}")).status == 200
    assert (await driver.request("GET", f"/responses/{waiting}")).status == 404


async def test_turns_of_a_conversation_are_done_in_the_order_in_which_they_were_accepted(replica: Replica) -> None:
    gate = Gate()
    agent = ScriptedAgent(["one", gate], every="more")
    driver = await replica(agent)
    talk = (await driver.request("POST", "/v1/conversations", json={})).json()["id"]
    responses = [await begin(driver, f"turn {number}", conversation=talk) for number in range(5)]
    await gate.wait_reached()
    foreground = asyncio.create_task(post(driver, "at once", conversation=talk))
    gate.open()
    for response in responses:
        assert (await polled(driver, response))["status"] == "completed"
    assert (await foreground).status == 200
    spoken = [run.messages[-1].text for run in agent.runs]
    assert [each for each in spoken if each != "at once"] == [f"turn {number}" for number in range(5)]
    listed = (await driver.request("GET", f"/v1/conversations/{talk}/items?order=asc&limit=100")).json()["data"]
    assert [item["content"][0]["text"] for item in listed if item["role"] == "user"] == spoken


async def test_a_response_that_still_runs_cannot_be_continued_yet(replica: Replica) -> None:
    gate = Gate()
    driver = await replica(ScriptedAgent(["one", gate], every=recall))
    response = await begin(driver, "first")
    for background in (False, True):
        refused = await post(driver, "more", previous_response_id=response, background=background)
        assert refused.status == 400
        assert refused.json()["error"]["code"] == "previous_response_not_completed"
        assert refused.json()["error"]["param"] == "previous_response_id"
    gate.open()
    await polled(driver, response)
    continued = await begin(driver, "more", previous_response_id=response)
    assert said(await polled(driver, continued)) == "first | more"


async def test_no_more_is_accepted_than_may_wait(replica: Replica) -> None:
    gate = Gate()
    driver = await replica(ScriptedAgent(["one", gate], every="more"), limits=Limits(max_waiting=1))
    talk = (await driver.request("POST", "/v1/conversations", json={})).json()["id"]
    accepted = [await begin(driver, f"turn {number}", conversation=talk) for number in range(2)]
    for _ in range(2):
        full = await post(driver, "more", key="k", conversation=talk, background=True)
        assert (full.status, full.json()["error"]["code"]) == (429, "rate_limit_exceeded")
    gate.open()
    for response in accepted:
        await polled(driver, response)
    room = await post(driver, "more", key="k", conversation=talk, background=True)
    assert room.status == 200


@pytest.mark.parametrize("where", ["memory", "sqlite", "postgres"], indirect=True)
async def test_a_request_under_one_idempotency_key_is_accepted_once(replica: Replica) -> None:
    gate = Gate()
    agent = ScriptedAgent(["one", gate], every="more")
    driver = await replica(agent)
    answers = await asyncio.gather(*(post(driver, "hi", key="k", background=True) for _ in range(8)))
    assert {answer.status for answer in answers} == {200}
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert sorted(answer.headers.get("idempotent-replayed", "no") for answer in answers) == ["no", *["true"] * 7]
    response = answers[0].json()["id"]
    await gate.wait_reached()
    again = await post(driver, "hi", key="k", background=True)
    assert (again.json()["id"], again.json()["status"]) == (response, "in_progress")
    other = await post(driver, "something else", key="k", background=True)
    assert (other.status, other.json()["error"]["code"]) == (409, "idempotency_conflict")
    gate.open()
    done = await polled(driver, response)
    assert (await post(driver, "hi", key="k", background=True)).json() == done
    streamed = await post(driver, "hi", key="k2", background=True, stream=True)
    replayed = await post(driver, "hi", key="k2", background=True, stream=True)
    assert read_events(replayed.body)[-1] == read_events(streamed.body)[-1]
    assert len(agent.runs) == 2
    assert (await driver.request("DELETE", f"/responses/{response}")).status == 200
    anew = await post(driver, "hi", key="k", background=True)
    assert anew.json()["id"] != response


async def test_a_key_of_the_background_is_not_taken_for_another_request_of_the_foreground(replica: Replica) -> None:
    """Until the response is deleted; nor does it matter in which state that is."""
    gate = Gate()
    driver = await replica(ScriptedAgent(["a", gate], every="ok"))
    response = await begin(driver, "one", key="k")
    await gate.wait_reached()
    running = await post(driver, "two", key="k")
    gate.open()
    await polled(driver, response)
    ended = await post(driver, "two", key="k")
    assert [(each.status, each.json()["error"]["code"]) for each in (running, ended)] == [
        (409, "idempotency_conflict")
    ] * 2
    await driver.request("DELETE", f"/responses/{response}")
    assert (await post(driver, "two", key="k")).status == 200


async def test_no_key_of_a_caller_stands_in_the_way_of_a_run_of_the_background(replica: Replica) -> None:
    """What the run itself is called can be said in no header."""
    gate = Gate()
    driver = await replica(ScriptedAgent([gate, "a"], every="ok"), limits=Limits(max_running_tasks=1))
    first, second = await begin(driver, "one"), await begin(driver, "two")
    await gate.wait_reached()
    assert (await post(driver, "three", key=f"background:{second}")).status == 200
    gate.open()
    assert [(await polled(driver, each))["status"] for each in (first, second)] == ["completed"] * 2


async def test_a_response_that_runs_is_stopped_and_forgotten_when_it_is_deleted(replica: Replica) -> None:
    gate = Gate()
    agent = ScriptedAgent(["half", gate])
    driver = await replica(agent)
    response = await begin(driver)
    await gate.wait_reached()
    reading = asyncio.create_task(driver.request("GET", f"/responses/{response}?stream=true"))
    deleted = await driver.request("DELETE", f"/responses/{response}")
    assert (deleted.status, deleted.json()["deleted"]) == (200, True)
    await reading
    assert agent.active == 0
    for method, path in (("GET", ""), ("GET", "?stream=true"), ("POST", "/cancel"), ("DELETE", "")):
        assert (await driver.request(method, f"/responses/{response}{path}")).status == 404


async def test_what_the_agent_fails_at_is_not_tried_again(replica: Replica) -> None:
    agent = ScriptedAgent(["half", ValueError("secret")], every="more")
    driver = await replica(agent)
    response = await begin(driver)
    failed = await polled(driver, response)
    assert (failed["status"], failed["error"]["code"], said(failed)) == ("failed", "server_error", "half")
    assert "secret" not in failed["error"]["message"]
    assert len(agent.runs) == 1
    stream = await followed(driver, response)
    assert read_events(stream)[-1] == {
        "type": "response.failed",
        "sequence_number": len(read_events(stream)) - 1,
        "response": failed,
    }


async def test_an_answer_that_is_too_large_is_cut_and_can_be_read(replica: Replica) -> None:
    driver = await replica(
        ScriptedAgent(["x" * 900, *["y" * 900] * 9], every="more"), limits=Limits(max_response_bytes=6_000)
    )
    response = await begin(driver)
    cut = await polled(driver, response)
    assert (cut["status"], cut["incomplete_details"]) == ("incomplete", {"reason": "max_output_tokens"})
    assert said(cut).startswith("x" * 900 + "y")
    assert read_events(await followed(driver, response))[-1]["response"] == cut


@pytest.mark.parametrize("where", ["memory", "sqlite", "postgres"], indirect=True)
async def test_exactly_one_end_is_ever_seen_when_a_cancel_meets_the_end(replica: Replica) -> None:
    driver = await replica(ScriptedAgent(every=["a", "b"]))
    ends: set[str] = set()
    for number in range(6):
        response = await begin(driver)

        async def cancelled(response: str = response, steps: int = number) -> dict[str, Any]:
            for _ in range(steps * 12):
                await asyncio.sleep(0)
            return await cancel(driver, response)

        told, seen = await asyncio.gather(cancelled(), polled(driver, response))
        assert told == seen == await read(driver, response) == await cancel(driver, response)
        ends.add(told["status"])
    assert ends <= {"cancelled", "completed"}


async def test_requests_keep_who_asked_and_in_which_chat(where: str | None) -> None:
    gate, seen = Gate(), list[Any]()

    async def names(request: HTTPConnection) -> Principal:
        return Principal(id=request.headers["x-name"], kind="caller")

    def hook(request: ChannelRequest, **_: Any) -> ChannelRequest:
        seen.append((request.principal, request.session, request.attributes["response_id"]))
        return request

    host = AgentFrameworkHost(
        ScriptedAgent(["one", gate], every=recall),
        channels=[ResponsesChannel(run_hook=hook)],
        database=where,
        trust_isolation_headers=True,
        auth=names,
    )
    ada, bob = ({"x-name": name, "x-agent-chat-isolation-key": "room"} for name in ("ada", "bob"))
    async with InMemoryDriver(host.app, timeout=SOON) as driver:
        asked = {"input": "first", "background": True}
        response = (await driver.request("POST", "/responses", json=asked, headers=ada)).json()["id"]
        await gate.wait_reached()
        for method, path in (("GET", ""), ("GET", "?stream=true"), ("POST", "/cancel"), ("DELETE", "")):
            answer = await driver.request(method, f"/responses/{response}{path}", headers=bob)
            assert answer.status == 404, answer
        gate.open()
        stream = await driver.request("GET", f"/responses/{response}?stream=true", headers=ada)
        assert read_events(stream.body)[-1]["type"] == "response.completed"
        more = await driver.request("POST", "/responses", json={"input": "second"}, headers=ada)
        assert said(more.json()) == "first | second"
    principal, session, named = seen[0]
    assert (principal.id, principal.kind, session.isolation_key, named) == ("ada", "caller", "room", response)


async def test_a_workflow_works_in_the_background(replica: Replica) -> None:
    @executor(id="shout")
    async def shout(messages: list[Message], context: WorkflowContext[None, str]) -> None:
        await context.yield_output(messages[-1].text.upper())

    driver = await replica(lambda: WorkflowBuilder(name="shouting", start_executor=shout).build())
    response = await begin(driver, "hi")
    assert said(await polled(driver, response)) == "HI"


async def test_a_workflow_that_asks_in_the_background_is_answered_by_the_next_response(replica: Replica) -> None:
    """What it asks is a call of a completed response; the answer goes on from there, in the background or not."""
    driver = await replica(clerk)
    asking = await polled(driver, await begin(driver, "5"))
    [call] = asking["output"]
    assert (asking["status"], call["type"], call["name"]) == ("completed", "function_call", "request_info")
    assert json.loads(call["arguments"])["request_event"]["data"] == "pay 5?"
    events = read_events(await followed(driver, asking["id"]))
    assert events[-1]["response"] == asking

    def answer(output: str) -> list[dict[str, str]]:
        return [{"type": "function_call_output", "call_id": call["call_id"], "output": output}]

    # Whether an answer fits is known once the workflow is there; until then the question stays.
    failed = await polled(driver, await begin(driver, answer("perhaps"), previous_response_id=asking["id"]))
    assert (failed["status"], failed["error"]["reason"]) == ("failed", "invalid_request")
    assert "the workflow expects bool" in failed["error"]["message"]
    done = await polled(driver, await begin(driver, answer("true"), previous_response_id=asking["id"]))
    assert (done["status"], said(done)) == ("completed", "pay 5? yes")


async def test_a_host_that_was_not_started_answers_and_accepts_nothing() -> None:
    host = AgentFrameworkHost(ScriptedAgent(every="hello"), channels=[ResponsesChannel()])
    async with InMemoryDriver(host.app, lifespan=False) as driver:
        assert (await post(driver)).status == 200
        refused = await post(driver, background=True)
        assert refused.status == 503
        assert "lifespan=host.lifespan" in refused.json()["error"]["message"]


@pytest.mark.parametrize("where", ["memory"], indirect=True)
async def test_without_a_database_what_was_accepted_goes_with_the_process(where: str | None) -> None:
    gate = Gate()
    agent = ScriptedAgent(["half", gate])
    limits = Limits(drain_timeout=0.1)
    host = AgentFrameworkHost(agent, channels=[ResponsesChannel()], database=where, limits=limits)
    async with InMemoryDriver(host.app, timeout=SOON) as driver:
        response = await begin(driver)
        await gate.wait_reached()
    assert agent.active == 0
    host = AgentFrameworkHost(agent, channels=[ResponsesChannel()], database=where)
    async with InMemoryDriver(host.app) as driver:
        assert (await driver.request("GET", f"/responses/{response}")).status == 404


@pytest.mark.parametrize("where", ["sqlite", "postgres"], indirect=True)
async def test_any_replica_polls_follows_and_cancels(replica: Replica) -> None:
    gates = [Gate(), Gate()]
    agent = ScriptedAgent(["one", gates[0], " two"], ["half", gates[1]])
    here, there = await replica(agent), await replica(agent)
    response = await begin(here)
    await gates[0].wait_reached()
    assert (await read(there, response))["status"] == (await read(here, response))["status"] == "in_progress"
    reading = [asyncio.create_task(followed(each, response)) for each in (here, there)]
    await asyncio.sleep(0)
    gates[0].open()
    streams = [await each for each in reading]
    assert streams[0] == streams[1] == await followed(there, response)
    assert said(await polled(there, response)) == "one two"
    second = await begin(here)
    await gates[1].wait_reached()
    cancelled = [await cancel(each, second) for each in (there, here)]
    assert cancelled[0] == cancelled[1]
    assert (cancelled[0]["status"], said(cancelled[0])) == ("cancelled", "half")


@pytest.mark.parametrize("where", ["sqlite"], indirect=True)
async def test_a_second_attempt_is_told_from_the_first_and_never_mixed_with_it(
    replica: Replica, where: str | None
) -> None:
    gates = [Gate(), Gate()]
    agent = ScriptedAgent(["first ", gates[0]], ["second ", gates[1], "whole"], every=recall)
    limits = Limits(lease=600.0)
    here = await replica(agent, limits=limits)
    response = await begin(here, "hi")
    await gates[0].wait_reached()
    async with here.stream("GET", f"/responses/{response}?stream=true") as answer:
        events = answer.events()
        seen = [await anext(events)]
        while '"first "' not in seen[-1].data:
            seen.append(await anext(events))
        there = await replica(agent, limits=limits)
        let_die(where)
        await gates[1].wait_reached()
        # The stream of the first attempt ends, without the last event of a response.
        seen += [event async for event in events]
    assert "second" not in "".join(event.data for event in seen)
    assert seen[-1].data != "[DONE]"
    last = len(seen) - 1
    reading = [
        asyncio.create_task(followed(each, response, after=after)) for each in (here, there) for after in (2, last)
    ]
    joined = asyncio.create_task(followed(there, response))
    await asyncio.sleep(0)
    gates[1].open()
    whole = await joined
    assert {await each for each in reading} == {whole}
    events_of_it = read_events(whole)
    assert [event["type"] for event in events_of_it[:2]] == ["response.created", "response.in_progress"]
    numbers = [event["sequence_number"] for event in events_of_it]
    assert numbers == [*range(last + 1, last + 1 + len(numbers))]
    assert b"first" not in whole
    done = await polled(there, response)
    assert (done["status"], said(done)) == ("completed", "second whole")
    for after in (None, 0, last):
        assert await followed(here, response, after=after) == whole
    more = (await post(there, "more", previous_response_id=response)).json()
    assert said(more) == "hi | more"
    assert agent.runs[-1].seen == ["hi", "second whole", "more"]


@pytest.mark.parametrize("where", ["sqlite"], indirect=True)
async def test_a_response_that_a_later_attempt_finds_done_stays_what_it_is(
    replica: Replica, where: str | None, looks_when_woken: None
) -> None:
    """The earlier attempt's process had only stood still: it stored the turn, and let go of what was kept."""
    half_way, found = Gate(), Gate()

    async def hook(request: ChannelRequest, **_: Any) -> ChannelRequest:
        await found.wait()
        return request

    agent, limits = ScriptedAgent(["half", half_way]), Limits(lease=600.0, drain_timeout=0.1)
    here = await replica(agent, limits=limits)
    response = await begin(here)
    await half_way.wait_reached()
    let_die(where)
    there = await replica(agent, limits=limits, run_hook=hook)
    await found.wait_reached()
    half_way.open()
    done = await polled(here, response)
    await none_left(where, "af_document WHERE kind = 'responses.accepted'")
    found.open()
    await none_left(where, "af_task WHERE outcome IS NULL")
    assert await read(here, response) == await read(there, response) == done


@pytest.mark.parametrize("where", ["sqlite"], indirect=True)
@pytest.mark.parametrize("is_deleted", [False, True])
async def test_what_was_stopped_while_its_process_stood_still_is_never_stored(
    replica: Replica, where: str | None, looks_when_woken: None, is_deleted: bool
) -> None:
    gate, other, limits = Gate(), Gate(), Limits(lease=600.0, max_running_tasks=1, drain_timeout=0.1)
    here = await replica(ScriptedAgent(["half", gate], every=recall), limits=limits)
    talk = (await here.request("POST", "/conversations", json={})).json()["id"]
    response = await begin(here, "never mind", conversation=talk)
    await gate.wait_reached()
    # One that has no room for it, so that it only waits.
    there = await replica(ScriptedAgent([other, "else"], every=recall), limits=limits)
    await begin(there, "something else")
    await other.wait_reached()
    let_die(where)
    if is_deleted:
        assert (await there.request("DELETE", f"/responses/{response}")).status == 200
    else:
        assert (await cancel(there, response))["status"] == "cancelled"
    gate.open()
    await none_left(where, f"af_lane WHERE ticket IS NOT NULL AND key = '{talk}'")
    if is_deleted:
        assert (await here.request("GET", f"/responses/{response}")).status == 404
    else:
        assert (await read(here, response))["status"] == "cancelled"
    more = (await post(there, "more", conversation=talk)).json()
    assert said(more) == "more"


@pytest.mark.parametrize("where", ["sqlite"], indirect=True)
async def test_what_was_cancelled_stays_so_when_a_process_that_stood_still_begins_it_after_all(
    replica: Replica, where: str | None, looks_when_woken: None
) -> None:
    begins, has_begun, other = Gate(), asyncio.Event(), Gate()

    async def hook(request: ChannelRequest, **_: Any) -> ChannelRequest:
        has_begun.set()
        await begins.wait()
        return request

    limits = Limits(lease=600.0, max_running_tasks=1, drain_timeout=0.1)
    agent = ScriptedAgent(every="done")
    here = await replica(agent, limits=limits, run_hook=hook)
    response = await begin(here, "never mind")
    await has_begun.wait()
    there = await replica(ScriptedAgent([other, "else"]), limits=limits)
    await begin(there, "something else")
    await other.wait_reached()
    let_die(where)
    cancelled = await cancel(there, response)
    assert cancelled["status"] == "cancelled"
    begins.open()
    # Behind it, so that all is over that was to be done about it.
    await polled(here, await begin(here, "more"))
    assert await read(here, response) == await read(there, response) == cancelled


@pytest.mark.parametrize("where", ["sqlite"], indirect=True)
async def test_a_response_whose_process_dies_too_often_has_failed(replica: Replica, where: str | None) -> None:
    gate = Gate()
    agent = ScriptedAgent(["half", gate], every="more")
    limits = Limits(lease=600.0, task_failures=1)
    here = await replica(agent, limits=limits)
    response = await begin(here)
    await gate.wait_reached()
    before = await driver_events(here, response)
    there = await replica(agent, limits=limits)
    let_die(where)
    failed = await polled(there, response)
    assert (failed["status"], failed["error"]["code"], failed["output"]) == ("failed", "server_error", [])
    assert "gave up" in failed["error"]["message"]
    assert await cancel(here, response) == failed == await read(here, response)
    rest = read_events(await followed(there, response, after=before[-1]))
    assert [event["type"] for event in rest] == ["response.created", "response.in_progress", "response.failed"]
    assert rest[0]["sequence_number"] == before[-1] + 1
    assert len(agent.runs) == 1


async def driver_events(driver: InMemoryDriver, response: str) -> list[int]:
    """Return the numbers of the events that a response has said until its first text."""
    async with driver.stream("GET", f"/responses/{response}?stream=true") as answer:
        numbers: list[int] = []
        async for event in answer.events():
            numbers.append(event.json()["sequence_number"])
            if "output_text.delta" in event.data:
                break
        return numbers


@pytest.mark.parametrize("where", ["sqlite", "postgres"], indirect=True)
async def test_what_a_host_leaves_behind_is_done_by_the_next_one(where: str | None) -> None:
    """Its readers' streams end, and go on elsewhere."""
    gate = Gate()
    agent = ScriptedAgent(["half", gate], every=["all ", "of it"])
    limits = Limits(drain_timeout=0.1)

    def host() -> Any:
        return AgentFrameworkHost(agent, channels=[ResponsesChannel()], database=where, limits=limits)

    ending: AgentFrameworkHost = host()
    async with AsyncExitStack() as leaving, InMemoryDriver(ending.app, lifespan=False, timeout=SOON) as driver:
        await leaving.enter_async_context(ending)
        talk = (await driver.request("POST", "/v1/conversations", json={})).json()["id"]
        response = await begin(driver, conversation=talk)
        waiting = await begin(driver, conversation=talk)
        await gate.wait_reached()
        async with driver.stream("GET", f"/responses/{response}?stream=true") as answer:
            await anext(answer)
            end = asyncio.create_task(leaving.aclose())
            assert b"[DONE]" not in await answer.read()
            refused = await post(driver, background=True)
            assert refused.status == 503
            await end
    async with InMemoryDriver(host().app, timeout=SOON) as driver:
        for each in (response, waiting):
            done = await polled(driver, each)
            assert (done["status"], said(done)) == ("completed", "all of it")


@pytest.mark.parametrize("where", ["sqlite", "postgres"], indirect=True)
async def test_an_operator_gives_away_what_has_ended_and_leaves_what_runs_to_whom_it_was_accepted_for(
    replica: Replica, where: str | None
) -> None:
    gate = Gate()
    driver = await replica(ScriptedAgent("one", ["two", gate]))
    ended = await begin(driver)
    await polled(driver, ended)
    running = (await post(driver, key="k", background=True)).json()["id"]
    await gate.wait_reached()
    # In a thread, as in a process of its own: it may have to wait for what the host is in the middle of.
    assert await asyncio.to_thread(main, ["adopt", where or "", "--to", "ada"]) == 0
    gate.open()
    assert said(await polled(driver, running)) == "two"
    assert (await driver.request("GET", f"/responses/{ended}")).status == 404


@pytest.mark.parametrize("where", ["sqlite", "postgres"], indirect=True)
async def test_what_was_cancelled_stays_so_across_a_restart(where: str | None) -> None:
    gate = Gate()
    agent = ScriptedAgent(["half", gate], every="more")

    def host() -> Any:
        limits = Limits(drain_timeout=0.1)
        return AgentFrameworkHost(agent, channels=[ResponsesChannel()], database=where, limits=limits)

    async with InMemoryDriver(host().app, timeout=SOON) as driver:
        talk = (await driver.request("POST", "/v1/conversations", json={})).json()["id"]
        running = await begin(driver, conversation=talk)
        waiting = await begin(driver, conversation=talk)
        await gate.wait_reached()
        ended = [await cancel(driver, each) for each in (waiting, running)]
    async with InMemoryDriver(host().app, timeout=SOON) as driver:
        assert [await read(driver, each) for each in (waiting, running)] == ended
        assert [each["status"] for each in ended] == ["cancelled", "cancelled"]
    assert len(agent.runs) == 1


@pytest.mark.parametrize("where", ["sqlite", "postgres"], indirect=True)
async def test_what_is_cancelled_before_a_later_attempt_has_said_anything_ends_behind_what_was_said(
    where: str | None,
) -> None:
    """Whoever was cut off, and asks for the rest, is told so."""
    half, hooked = Gate(), Gate()
    agent, limits = ScriptedAgent(["half", half]), Limits(drain_timeout=0.1)

    async def hook(request: ChannelRequest, **_: Any) -> ChannelRequest:
        await hooked.wait()
        return request

    def host(**options: Any) -> Any:
        return AgentFrameworkHost(agent, channels=[ResponsesChannel(**options)], database=where, limits=limits)

    async with InMemoryDriver(host().app, timeout=SOON) as driver:
        response = await begin(driver)
        await half.wait_reached()
        last = (await driver_events(driver, response))[-1]
    async with InMemoryDriver(host(run_hook=hook).app, timeout=SOON) as driver:
        await hooked.wait_reached()
        joined = asyncio.create_task(followed(driver, response, after=last))
        assert (await cancel(driver, response))["status"] == "cancelled"
        whole = await joined
        events = read_events(whole)
        assert [event["sequence_number"] for event in events] == [*range(last + 1, last + 1 + len(events))]
        assert events[-1]["response"]["status"] == "cancelled"
        assert whole == await followed(driver, response) == await followed(driver, response, after=last)


@pytest.mark.parametrize("where", ["sqlite", "postgres"], indirect=True)
async def test_a_run_that_goes_on_from_a_response_is_purged_with_that_ones_conversation(
    replica: Replica, where: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whichever response of the conversation that is, and whether it runs or waits."""
    gate = Gate()
    driver = await replica(ScriptedAgent("one", "two", [gate, "three"], every="somebody else's"))
    first = (await post(driver)).json()["id"]
    second = (await post(driver, previous_response_id=first)).json()["id"]
    running = await begin(driver, previous_response_id=second)
    await gate.wait_reached()
    waiting = await begin(driver, previous_response_id=second)
    other = await begin(driver)
    for dry in (["--dry-run"], []):
        assert await asyncio.to_thread(main, ["purge", where or "", "--session", first, *dry]) == 0
        printed = capsys.readouterr().out
        assert " 2  tasks" in printed
        assert " 2  documents" in printed
    gate.open()
    for response in (first, second, running, waiting):
        assert (await driver.request("GET", f"/responses/{response}")).status == 404
    assert said(await polled(driver, other)) == "somebody else's"


@pytest.mark.parametrize("where", ["sqlite", "postgres"], indirect=True)
async def test_a_conversation_that_is_purged_takes_its_runs_along_whether_they_go_on_or_not(
    replica: Replica, where: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    gate = Gate()
    driver = await replica(ScriptedAgent("one", ["two", gate], every="somebody else's"))
    conversation = (await driver.request("POST", "/conversations", json={})).json()["id"]
    ended = await begin(driver, conversation=conversation)
    await polled(driver, ended)
    running = await begin(driver, conversation=conversation)
    await gate.wait_reached()
    engine = create_engine((where or "").replace("postgresql://", "postgresql+psycopg://"), poolclass=NullPool)

    def named(query: str) -> set[str]:
        with engine.connect() as connection:
            return {row[0] for row in connection.execute(text(query))}

    async with asyncio.timeout(SOON):
        while running not in named("SELECT run_id FROM af_event"):  # noqa: ASYNC110 - a poll
            await asyncio.sleep(0.01)  # what it says is gathered for a moment
    assert await asyncio.to_thread(main, ["purge", where or "", "--session", conversation]) == 0
    printed = capsys.readouterr().out
    assert " 2  tasks" in printed
    assert " 0  events" not in printed
    gate.open()
    other = await begin(driver)
    await polled(driver, other)
    for response in (ended, running):
        assert (await driver.request("GET", f"/responses/{response}")).status == 404
    assert named("SELECT task_id FROM af_task") | named("SELECT run_id FROM af_event") <= {other}
