"""What was answered is read again, page by page and event by event, and forgotten."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from agent_framework import Agent, AgentResponse, Content, Message
from hypothesis import given
from hypothesis import strategies as st
from openai import AsyncOpenAI, BadRequestError, NotFoundError, OpenAI
from openai.types.responses import Response, ResponseItem
from pydantic import TypeAdapter

from agent_framework_hosting.host import AgentFrameworkHost
from agent_framework_hosting.testing import (
    Answer,
    Gate,
    InMemoryDriver,
    LoopbackDriver,
    ScriptedAgent,
    ScriptedChatClient,
    recall,
)
from agent_framework_hosting.types import ChannelRequest, ChannelSession
from agent_framework_hosting_responses._paging import cut, each
from agent_framework_hosting_responses._query import Page
from agent_framework_hosting_responses.channel import ResponsesChannel

from .responses_rules import check, read_events

ITEM: TypeAdapter[Any] = TypeAdapter(ResponseItem)
DOT = "data:image/png;base64,iVBORw0KGgo="


def hosted(agent: Any, *, database: str | None = None, **options: Any) -> Any:
    return AgentFrameworkHost(agent, channels=[ResponsesChannel(**options)], database=database).app


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


async def create(driver: InMemoryDriver, input: Any = "hi", **fields: Any) -> dict[str, Any]:
    answer = await driver.request("POST", "/responses", json={"input": input, **fields})
    assert answer.status == 200, answer
    return answer.json()


async def listed(driver: InMemoryDriver, response: str, query: str = "") -> list[dict[str, Any]]:
    answer = await driver.request("GET", f"/responses/{response}/input_items{query}")
    assert answer.status == 200, answer
    return answer.json()["data"]


async def test_the_official_client_reads_what_it_was_answered(database: str | None) -> None:
    async with client_of(ScriptedAgent(every="hello"), database=database) as client:
        made = await client.responses.create(model="m", input="hi", metadata={"a": "b"})
        read = await client.responses.retrieve(made.id, include=["reasoning.encrypted_content"])
        assert read.model_dump() == made.model_dump()
        Response.model_validate(read.model_dump(warnings=False), strict=True)
        items = [item async for item in client.responses.input_items.list(made.id)]
        assert [item.content[0].text for item in items if item.type == "message"] == ["hi"]  # type: ignore[union-attr]
        with pytest.raises(BadRequestError, match="synchronous") as refused:
            await client.responses.cancel(made.id)
        assert (refused.value.code, refused.value.param) == ("response_not_cancellable", "response_id")
        await client.responses.delete(made.id)
        for read_again in (client.responses.retrieve, client.responses.cancel, client.responses.delete):
            with pytest.raises(NotFoundError, match=f"Response with id '{made.id}' not found") as gone:
                await read_again(made.id)
            assert (gone.value.code, gone.value.param) == ("not_found", "response_id")
        with pytest.raises(NotFoundError):
            await client.responses.input_items.list(made.id)
        with pytest.raises(BadRequestError) as unknown:
            await client.responses.create(model="m", input="more", previous_response_id=made.id)
        assert unknown.value.code == "previous_response_not_found"


async def test_a_whole_answer_is_read_byte_for_byte_as_it_was_sent(database: str | None) -> None:
    async with InMemoryDriver(hosted(ScriptedAgent(every="é\x85\u2028\u2029"), database=database)) as driver:
        made = await driver.request(
            "POST", "/responses", json={"input": "hi", "user": "ada", "metadata": {"é": "\u2028"}}
        )
        assert (await driver.request("GET", f"/responses/{made.json()['id']}")).body == made.body


async def test_every_answer_is_on_one_line(database: str | None) -> None:
    """Some clients split lines at more than line feeds."""
    gate = Gate()
    agent = ScriptedAgent(every="é\x85\u2028\u2029"), ScriptedAgent(["é\x85\u2028\u2029", gate])
    odd = {"input": "é\x85\u2028\u2029", "metadata": {"é": "\u2028"}}
    async with InMemoryDriver(hosted(agent[0], database=database)) as driver:
        place = f"/responses/{(await create(driver, **odd))['id']}"
        conversation = await driver.request("POST", "/conversations", json={"metadata": {"é": "\u2028"}})
        answers = [
            conversation,
            await driver.request("GET", place),
            await driver.request("GET", f"{place}/input_items"),
            await driver.request("GET", f"/conversations/{conversation.json()['id']}"),
            await driver.request("POST", "/responses", json={"input": "hi", "previous_response_id": "\u2028"}),
        ]
    async with InMemoryDriver(hosted(agent[1], database=database)) as driver:
        running = await create(driver, **odd, background=True)
        await gate.wait_reached()
        answers.append(await driver.request("POST", f"/responses/{running['id']}/cancel"))
    assert [answer.status for answer in answers] == [200, 200, 200, 200, 400, 200]
    for answer in answers:
        assert len(answer.body.decode().splitlines()) == 1, answer
        assert rb"\u2028" in answer.body


async def test_the_synchronous_client_does_the_same() -> None:
    async with LoopbackDriver(hosted(ScriptedAgent(every="hello"))) as driver:

        def talk() -> None:
            with OpenAI(base_url=f"{driver.base_url}/v1", api_key="unused", max_retries=0) as client:
                made = client.responses.create(model="m", input="hi")
                assert client.responses.retrieve(made.id).output_text == "hello"
                assert [item.type for item in client.responses.input_items.list(made.id, limit=1)] == ["message"]
                events = list(client.responses.retrieve(made.id, stream=True, starting_after=1))
                assert events[-1].type == "response.completed"
                with client.responses.stream(response_id=made.id) as stream:
                    assert stream.get_final_response().output_text == "hello"
                client.responses.delete(made.id)
                with pytest.raises(NotFoundError):
                    client.responses.retrieve(made.id)

        await asyncio.to_thread(talk)


async def test_a_stream_that_is_cut_after_any_event_goes_on_with_the_identical_remainder(database: str | None) -> None:
    async with InMemoryDriver(hosted(ScriptedAgent(every=list("hello, world")), database=database)) as driver:
        sent = await driver.request("POST", "/responses", json={"input": "hi", "stream": True})
        events = check(sent.body).events
        response = events[0]["response"]["id"]
        for event in events:
            number = event["sequence_number"]
            rest = await driver.request("GET", f"/v1/responses/{response}?stream=true&starting_after={number}")
            assert rest.headers["content-type"].startswith("text/event-stream")
            assert read_events(rest.body) == events[number + 1 :]
        whole = await driver.request("GET", f"/responses/{response}?stream=true&include_obfuscation=false")
    assert whole.body == sent.body
    assert sum(event["type"] == "response.output_text.delta" for event in events) == len("hello, world")


async def test_the_official_stream_helper_resumes_behind_an_event() -> None:
    async with client_of(ScriptedAgent(every=list("hello"))) as client:
        stream = await client.responses.create(model="m", input="hi", stream=True)
        events = [event async for event in stream]
        response: Any = events[0]
        async with client.responses.stream(response_id=response.response.id, starting_after=4) as resumed:
            seen = [event async for event in resumed]
            final = await resumed.get_final_response()
        assert [event.sequence_number for event in seen] == [event.sequence_number for event in events[5:]]
        assert final.output_text == "hello"


async def test_a_stream_that_failed_is_read_to_its_failure(database: str | None) -> None:
    agent = ScriptedAgent(["half", RuntimeError("gone")])
    async with InMemoryDriver(hosted(agent, database=database)) as driver:
        sent = await driver.request("POST", "/responses", json={"input": "hi", "stream": True})
        failed = check(sent.body).body
        again = await driver.request("GET", f"/responses/{failed['id']}?stream=true")
        read = await driver.request("GET", f"/responses/{failed['id']}")
        (item,) = await listed(driver, failed["id"])
    assert again.body == sent.body
    assert read.json() == failed
    assert item["content"] == [{"type": "input_text", "text": "hi"}]


async def test_an_idempotent_replay_of_a_stream_has_the_same_events() -> None:
    async with InMemoryDriver(hosted(ScriptedAgent(every=list("hello")))) as driver:
        body, headers = {"input": "hi", "stream": True}, {"idempotency-key": "k"}
        sent, again = [await driver.request("POST", "/responses", json=body, headers=headers) for _ in range(2)]
    assert again.headers["idempotent-replayed"] == "true"
    assert again.body == sent.body


@pytest.mark.parametrize("stream", [False, True])
async def test_what_is_not_to_be_stored_is_not_read(stream: bool) -> None:
    async with InMemoryDriver(hosted(ScriptedAgent(every="ok"))) as driver:
        answer = await driver.request("POST", "/responses", json={"input": "x", "store": False, "stream": stream})
        response = check(answer.body).body["id"] if stream else answer.json()["id"]
        for method, rest in (("GET", ""), ("GET", "?stream=true"), ("DELETE", ""), ("GET", "/input_items")):
            assert (await driver.request(method, f"/responses/{response}{rest}")).status == 404


async def test_items_are_listed_typed_and_with_ids_that_stay(database: str | None) -> None:
    client = ScriptedChatClient(every="ok")
    given: list[Any] = [
        {"role": "developer", "content": "be kind"},
        {
            "role": "user",
            "content": [{"type": "input_text", "text": "look"}, {"type": "input_image", "image_url": DOT}],
        },
        {"type": "message", "id": "msg_mine", "role": "assistant", "status": "completed", "content": "done"},
        {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c", "output": [{"type": "input_text", "text": "42"}]},
        {"type": "reasoning", "id": "msg_mine", "summary": []},
        {"type": "message", "role": "user", "content": "so?"},
    ]
    async with InMemoryDriver(hosted(Agent(client=client, name="a"), database=database)) as driver:
        made = await create(driver, given)
        items, again = [await listed(driver, made["id"], "?order=asc") for _ in range(2)]
        (text,) = await listed(driver, (await create(driver, "hi"))["id"])
    assert items == again
    kinds = ["message", "message", "message", "function_call", "function_call_output", "reasoning", "message"]
    assert [item["type"] for item in items] == kinds
    assert len({item["id"] for item in items}) == len(items)
    assert items[2]["id"] == "msg_mine"
    assert all(item["status"] == "completed" for item in items)
    assert items[1]["content"][1] == {"type": "input_image", "image_url": DOT, "detail": "auto"}
    assert text["content"] == [{"type": "input_text", "text": "hi"}]
    for item in (*items, text):
        ITEM.validate_python(item)


async def test_only_what_was_said_in_the_turn_itself_is_listed_and_kept() -> None:
    async with InMemoryDriver(hosted(ScriptedAgent(every="ok"))) as driver:
        first = await create(driver, "one")
        second = await create(driver, "two", previous_response_id=first["id"])
        (item,) = await listed(driver, second["id"])
        said = first["output"][0]["id"]
        references = [
            {"type": "item_reference", "id": item["id"]},
            {"type": "item_reference", "id": said},
            {"role": "user", "content": "those"},
        ]
        apart = await listed(driver, (await create(driver, references))["id"], "?order=asc")
    assert item["content"][0]["text"] == "two"
    assert [each["id"] for each in apart[:2]] == [item["id"], said]
    assert apart[0]["content"] == item["content"]


async def test_a_deleted_response_stays_in_the_history_of_later_ones_and_frees_its_idempotency_key(
    database: str | None,
) -> None:
    agent = ScriptedAgent(every="ok")
    async with InMemoryDriver(hosted(agent, database=database)) as driver:
        headers = {"idempotency-key": "k"}
        first = (await driver.request("POST", "/responses", json={"input": "one"}, headers=headers)).json()
        second = await create(driver, "two", previous_response_id=first["id"])
        gone = await driver.request("DELETE", f"/v1/responses/{first['id']}")
        await create(driver, "three", previous_response_id=second["id"])
        again = (await driver.request("POST", "/responses", json={"input": "one"}, headers=headers)).json()
    assert gone.json() == {"id": first["id"], "object": "response", "deleted": True}
    assert agent.runs[2].seen == ["one", "ok", "two", "ok", "three"]
    assert again["id"] != first["id"]


async def test_a_response_whose_continuation_runs_can_be_deleted_meanwhile() -> None:
    gate = Gate()
    agent = ScriptedAgent("one", [gate, "two"], "three")
    async with InMemoryDriver(hosted(agent)) as driver:
        first = await create(driver, "a")
        running = asyncio.ensure_future(create(driver, "b", previous_response_id=first["id"]))
        await gate.wait_reached()
        assert (await driver.request("DELETE", f"/responses/{first['id']}")).status == 200
        gate.open()
        await create(driver, "c", previous_response_id=(await running)["id"])
    assert agent.runs[2].seen == ["a", "one", "b", "two", "c"]


async def test_everything_is_still_there_after_a_restart(tmp_path: Path) -> None:
    database = f"sqlite:///{tmp_path}/state/host.db"
    async with InMemoryDriver(hosted(ScriptedAgent(every=list("hello")), database=database)) as driver:
        whole = await create(driver, "hi")
        sent = await driver.request("POST", "/responses", json={"input": "hi", "stream": True})
        streamed = check(sent.body).body["id"]
        items = await listed(driver, whole["id"])
        conversation = (await driver.request("POST", "/conversations", json={"metadata": {"a": "b"}})).json()
        said = await create(driver, "in it", conversation=conversation["id"])
        at = f"/conversations/{conversation['id']}"
        added = await driver.request("POST", f"{at}/items", json={"items": [{"role": "user", "content": "more"}]})
        before = (await driver.request("GET", f"{at}/items")).json()
    agent = ScriptedAgent(every=recall)
    async with InMemoryDriver(hosted(agent, database=database)) as driver:
        assert (await driver.request("GET", f"/responses/{whole['id']}")).json() == whole
        assert (await driver.request("GET", f"/responses/{streamed}?stream=true")).body == sent.body
        assert await listed(driver, whole["id"]) == items
        assert (await driver.request("GET", at)).json() == conversation
        assert (await driver.request("GET", f"{at}/items")).json() == before
        assert before["data"][0] == added.json()["data"][0]
        assert (await driver.request("GET", f"/responses/{said['id']}")).json() == said
        await create(driver, "again", conversation=conversation["id"])
    assert agent.runs[0].seen == ["in it", "hello", "more", "again"]


async def test_an_id_of_any_text_is_read_and_forgotten() -> None:
    names = iter(["a/b c", "?x=1", "input_items", "ümlaut"])

    def name(_: str | None) -> str:
        return next(names)

    async with client_of(ScriptedAgent(every="ok"), response_id_factory=name) as client:
        for _ in range(4):
            made = await client.responses.create(model="m", input="hi")
            assert (await client.responses.retrieve(made.id)).id == made.id
            assert len([item async for item in client.responses.input_items.list(made.id)]) == 1
            await client.responses.delete(made.id)


async def test_what_another_channel_keeps_is_no_response() -> None:
    host = AgentFrameworkHost(ScriptedAgent(every="ok"), channels=[ResponsesChannel()])
    elsewhere = ChannelRequest(channel="other", operation="say", input="x", session=ChannelSession(commit_as="other_1"))
    await host.run(elsewhere)
    async with InMemoryDriver(host.app) as driver:
        for method, rest in (("GET", ""), ("DELETE", ""), ("POST", "/cancel"), ("GET", "/input_items")):
            assert (await driver.request(method, f"/responses/other_1{rest}")).status == 404


REFUSED: dict[str, tuple[str, str, int, str, str | None]] = {
    "unknown": ("GET", "/responses/resp_no", 404, "not_found", "response_id"),
    "unknown stream": ("GET", "/responses/resp_no?stream=true", 404, "not_found", "response_id"),
    "nul": ("GET", "/responses/resp_%00", 404, "not_found", "response_id"),
    "stream 1": ("GET", "/responses/ID?stream=1", 400, "invalid_value", "stream"),
    "stream empty": ("GET", "/responses/ID?stream=", 400, "invalid_value", "stream"),
    "stream twice": ("GET", "/responses/ID?stream=true&stream=true", 400, "invalid_request", "stream"),
    "after without stream": ("GET", "/responses/ID?starting_after=1", 400, "invalid_request", "starting_after"),
    "after negative": ("GET", "/responses/ID?stream=true&starting_after=-1", 400, "invalid_value", "starting_after"),
    "after no number": ("GET", "/responses/ID?stream=true&starting_after=x", 400, "invalid_value", "starting_after"),
    "after too large": (
        "GET",
        "/responses/ID?stream=true&starting_after=99999999999999999999",
        400,
        "invalid_value",
        "starting_after",
    ),
    "obfuscation": ("GET", "/responses/ID?include_obfuscation=no", 400, "invalid_value", "include_obfuscation"),
    "include": ("GET", "/responses/ID?include[]=everything", 400, "invalid_value", "include[0]"),
    "include second": (
        "GET",
        "/responses/ID?include=reasoning.encrypted_content&include=x",
        400,
        "invalid_value",
        "include[1]",
    ),
    "cancel": ("POST", "/responses/ID/cancel", 400, "response_not_cancellable", "response_id"),
    "cancel unknown": ("POST", "/responses/resp_no/cancel", 404, "not_found", "response_id"),
    "delete unknown": ("DELETE", "/responses/resp_no", 404, "not_found", "response_id"),
    "items unknown": ("GET", "/responses/resp_no/input_items", 404, "not_found", "response_id"),
    "limit 0": ("GET", "/responses/ID/input_items?limit=0", 400, "invalid_value", "limit"),
    "limit 101": ("GET", "/responses/ID/input_items?limit=101", 400, "invalid_value", "limit"),
    "limit text": ("GET", "/responses/ID/input_items?limit=ten", 400, "invalid_value", "limit"),
    "limit other digits": ("GET", "/responses/ID/input_items?limit=%D9%A3", 400, "invalid_value", "limit"),
    "order": ("GET", "/responses/ID/input_items?order=random", 400, "invalid_value", "order"),
    "after": ("GET", "/responses/ID/input_items?after=msg_no", 400, "item_not_found", "after"),
    "items include": ("GET", "/responses/ID/input_items?include[0]=x", 400, "invalid_value", "include[0]"),
    "tokens of nothing": ("POST", "/responses/input_tokens", 400, "missing_required_parameter", "input"),
    "put": ("PUT", "/responses/ID", 405, "method_not_allowed", None),
    "get cancel": ("GET", "/responses/ID/cancel", 405, "method_not_allowed", None),
    "get compact": ("GET", "/responses/compact", 405, "method_not_allowed", None),
    "post items": ("POST", "/responses/ID/input_items", 405, "method_not_allowed", None),
}


@pytest.mark.parametrize("prefix", ["", "/v1"])
@pytest.mark.parametrize("case", REFUSED.values(), ids=REFUSED)
async def test_a_bad_request_says_what_is_wrong_and_where(
    case: tuple[str, str, int, str, str | None], prefix: str
) -> None:
    method, path, *wanted = case
    async with InMemoryDriver(hosted(ScriptedAgent(every="ok"))) as driver:
        made = await create(driver)
        answer: Answer = await driver.request(method, prefix + path.replace("ID", made["id"]), json={})
    error = answer.json()["error"]
    assert [answer.status, error["code"], error["param"]] == wanted
    assert error["type"] == "invalid_request_error"
    assert answer.headers["x-request-id"].startswith("req_")


async def test_parameters_that_only_other_services_know_are_passed_over() -> None:
    async with InMemoryDriver(hosted(ScriptedAgent(every="ok"))) as driver:
        made = await create(driver)
        assert (await driver.request("GET", f"/responses/{made['id']}?api-version=preview")).json() == made


@given(
    st.integers(0, 30),
    st.integers(1, 12),
    st.sampled_from(["asc", "desc"]),
)
def test_pages_put_together_are_the_list(count: int, limit: int, order: Any) -> None:
    items = [{"id": str(number)} for number in range(count)]
    wanted = items if order == "asc" else items[::-1]

    async def pages() -> list[Any]:
        seen: list[Any] = []
        after = None
        while True:
            page = await cut(each(wanted), Page(after, limit, order))
            assert len(page["data"]) <= limit
            seen += page["data"]
            assert (page["first_id"], page["last_id"]) == (
                (page["data"][0]["id"], page["data"][-1]["id"]) if page["data"] else (None, None)
            )
            if not page["has_more"]:
                return seen
            after = page["last_id"]

    assert asyncio.run(pages()) == wanted


async def test_a_response_hook_has_the_last_word_on_what_is_read_and_the_stream_is_read_as_it_went() -> None:
    async def hook(result: Any, **_: Any) -> Any:
        return result.replace(AgentResponse(messages=[Message("assistant", [Content.from_text("changed")])]))

    async with InMemoryDriver(hosted(ScriptedAgent(every=["as", " said"]), response_hook=hook)) as driver:
        sent = await driver.request("POST", "/responses", json={"input": "hi", "stream": True})
        response = read_events(sent.body)[-1]["response"]
        again = await driver.request("GET", f"/responses/{response['id']}?stream=true")
        read = await driver.request("GET", f"/responses/{response['id']}")
    assert again.body == sent.body
    assert read.json()["output"][0]["content"][0]["text"] == "changed"
