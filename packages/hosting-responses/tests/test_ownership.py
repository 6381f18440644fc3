"""Every id belongs to its owner: for everybody else it is an unknown one, byte for byte."""

from __future__ import annotations

import asyncio
import json
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from openai import AsyncOpenAI, AuthenticationError
from starlette.applications import Starlette
from starlette.authentication import AuthCredentials, AuthenticationBackend, BaseUser, SimpleUser
from starlette.middleware import Middleware
from starlette.middleware.authentication import AuthenticationMiddleware
from starlette.requests import HTTPConnection
from starlette.routing import Mount

from agent_framework_hosting.auth import ApiKeys, hash_key, new_key
from agent_framework_hosting.host import AgentFrameworkHost
from agent_framework_hosting.isolation import current_principal
from agent_framework_hosting.testing import (
    AgentRun,
    Answer,
    Gate,
    InMemoryDriver,
    LoopbackDriver,
    ScriptedAgent,
    recall,
)
from agent_framework_hosting.types import ChannelRequest, ChannelSession
from agent_framework_hosting_responses.channel import ResponsesChannel

KEYS = {"ada": new_key(), "bob": new_key()}
UNKNOWN = "resp_" + "0" * 32
PATHS = ["/responses", "/responses/", "/v1/responses", "/v1/responses/"]


class Login(AuthenticationBackend):
    """The login of an app around the host."""

    async def authenticate(self, conn: HTTPConnection) -> tuple[AuthCredentials, BaseUser] | None:
        name = conn.headers.get("x-login")
        return (AuthCredentials(), SimpleUser(name)) if name else None


@dataclass
class Way:
    """One way to have two principals: the app, where it is, and who sends what."""

    host: AgentFrameworkHost
    app: Any
    prefix: str
    headers: Callable[[str], dict[str, str]]


def by_keys(agent: Any) -> Way:
    keys = ApiKeys({name: hash_key(key) for name, key in KEYS.items()})
    host = AgentFrameworkHost(agent, channels=[ResponsesChannel()], auth=keys)
    return Way(host, host.app, "", lambda name: {"authorization": f"Bearer {KEYS[name]}"})


def by_tenants(agent: Any) -> Way:
    entries = [f"{name}-works/me:{hash_key(key)}" for name, key in KEYS.items()]
    host = AgentFrameworkHost(agent, channels=[ResponsesChannel()], auth=ApiKeys(entries))
    return Way(host, host.app, "", lambda name: {"authorization": f"Bearer {KEYS[name]}"})


def by_headers(agent: Any) -> Way:
    host = AgentFrameworkHost(agent, channels=[ResponsesChannel()], trust_isolation_headers=True)
    return Way(host, host.app, "", lambda name: {"x-agent-user-isolation-key": name})


def by_login(agent: Any) -> Way:
    host = AgentFrameworkHost(agent, channels=[ResponsesChannel()])
    app = Starlette(routes=[Mount("/a", host.app)], middleware=[Middleware(AuthenticationMiddleware, backend=Login())])
    return Way(host, app, "/a", lambda name: {"x-login": name})


WAYS = [by_keys, by_tenants, by_headers, by_login]


def told(answer: Answer, *ids: str) -> tuple[int, list[tuple[str, str]], str]:
    """Return an answer without request id and date, and with the echoed id named alike."""
    headers = [(name, value) for name, value in answer.headers.items() if name not in {"x-request-id", "date"}]
    body = answer.text
    for each in ids:
        body = body.replace(each, "ID")
    return answer.status, headers, body


USES: dict[str, dict[str, Any]] = {
    "continued": {"input": "and?"},
    "streamed": {"input": "and?", "stream": True},
    "aside": {"input": "and?", "store": False},
    "call answered": {"input": [{"type": "function_call_output", "call_id": "c", "output": "x"}]},
    "malformed besides": {"input": "and?", "temperature": "hot"},
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("body", USES.values(), ids=USES)
async def test_another_ones_response_id_is_answered_as_an_unknown_one(way: Any, body: dict[str, Any]) -> None:
    """At every path, over real HTTP, and without a run."""
    agent = ScriptedAgent(every=recall)
    served = way(agent)
    async with LoopbackDriver(served.app) as driver:

        async def create(name: str, path: str, **more: Any) -> Answer:
            headers = served.headers(name)
            return await driver.request("POST", served.prefix + path, json={**body, **more}, headers=headers)

        adas = await driver.request(
            "POST", f"{served.prefix}/responses", json={"input": "secret"}, headers=served.headers("ada")
        )
        ada = adas.json()["id"]
        runs = len(agent.runs)
        for path in PATHS:
            foreign = await create("bob", path, previous_response_id=ada)
            unknown = await create("bob", path, previous_response_id=UNKNOWN[: len(ada)])
            assert foreign.status == 400
            assert told(foreign, ada) == told(unknown, UNKNOWN)
            assert "secret" not in foreign.text
        assert len(agent.runs) == runs


READS: list[tuple[str, str, Any]] = [
    ("GET", "/responses/RESPONSE", None),
    ("GET", "/responses/RESPONSE?stream=true", None),
    ("DELETE", "/responses/RESPONSE", None),
    ("POST", "/responses/RESPONSE/cancel", None),
    ("GET", "/responses/RESPONSE/input_items", None),
    ("GET", "/responses/RESPONSE/input_items?after=ITEM", None),
    ("POST", "/responses/compact", {"model": "m", "previous_response_id": "RESPONSE"}),
    ("POST", "/responses/compact", {"model": "m", "input": [{"type": "item_reference", "id": "ITEM"}]}),
    ("POST", "/responses", {"input": [{"type": "item_reference", "id": "ITEM"}]}),
    ("POST", "/responses", {"input": "and?", "conversation": "CONVERSATION"}),
    ("POST", "/responses", {"input": "and?", "conversation": {"id": "CONVERSATION"}, "stream": True}),
    ("POST", "/responses", {"input": "and?", "conversation": "CONVERSATION", "store": False}),
    ("GET", "/conversations/CONVERSATION", None),
    ("POST", "/conversations/CONVERSATION", {"metadata": {"a": "b"}}),
    ("DELETE", "/conversations/CONVERSATION", None),
    ("GET", "/conversations/CONVERSATION/items", None),
    ("POST", "/conversations/CONVERSATION/items", {"items": [{"role": "user", "content": "x"}]}),
    ("GET", "/conversations/CONVERSATION/items/ITEM", None),
    ("GET", "/conversations/CONVERSATION/items/ADDED", None),
    ("DELETE", "/conversations/CONVERSATION/items/ITEM", None),
    ("DELETE", "/conversations/CONVERSATION/items/ADDED", None),
    ("GET", "/conversations/OWN/items/ITEM", None),
    ("GET", "/conversations/OWN/items/ADDED", None),
    ("DELETE", "/conversations/OWN/items/ADDED", None),
    ("GET", "/conversations/OWN/items?after=ADDED", None),
]


@pytest.mark.parametrize("way", WAYS)
async def test_every_id_of_another_one_is_answered_as_an_unknown_one_everywhere(way: Any) -> None:
    """Whatever is asked of it; and nothing of it has changed afterwards."""
    agent = ScriptedAgent(every=recall)
    served = way(agent)
    async with LoopbackDriver(served.app) as driver:

        async def ask(name: str, method: str, path: str, body: Any = None) -> Answer:
            return await driver.request(method, served.prefix + path, json=body, headers=served.headers(name))

        async def standing() -> list[str]:
            reads = [path for method, path, _ in READS if method == "GET" and "OWN" not in path]
            return [(await ask("ada", "GET", filled(path, adas))).text for path in reads]

        conversation = (await ask("ada", "POST", "/conversations", {"metadata": {"of": "ada"}})).json()["id"]
        body = {"input": "secret", "conversation": conversation}
        made = (await ask("ada", "POST", "/responses", body)).json()
        items = {"items": [{"role": "user", "content": "hidden"}]}
        added = await ask("ada", "POST", f"/conversations/{conversation}/items", items)
        own = (await ask("bob", "POST", "/conversations", {})).json()["id"]
        adas = {
            "RESPONSE": made["id"],
            "CONVERSATION": conversation,
            "ITEM": made["output"][0]["id"],
            "ADDED": added.json()["data"][0]["id"],
        }
        unknown = {name: each.replace(each.split("_")[1], "0" * len(each.split("_")[1])) for name, each in adas.items()}
        before, runs = await standing(), len(agent.runs)
        for prefix in ("", "/v1"):
            for method, path, body in READS:
                answers: list[Any] = []
                for ids in (adas, unknown):
                    wanted = {**ids, "OWN": own}
                    answer = await ask("bob", method, prefix + filled(path, wanted), filled(body, wanted))
                    assert answer.status in (400, 404), answer
                    answers.append(told(answer, *ids.values()))
                    assert "secret" not in answer.text
                    assert "hidden" not in answer.text
                assert answers[0] == answers[1]
        assert len(agent.runs) == runs
        assert await standing() == before


def filled(template: Any, ids: dict[str, str]) -> Any:
    """Return a path or a body with ids in place of their names."""
    text = json.dumps(template)
    for name, each in ids.items():
        text = text.replace(name, each)
    return json.loads(text)


async def test_an_answer_that_is_still_being_made_is_unknown_to_others_at_once() -> None:
    """Nobody waits in another one's line, and nobody learns that there is one."""
    gate = Gate()
    served = by_keys(ScriptedAgent("first", [gate, "second"]))
    async with LoopbackDriver(served.app) as driver:

        async def create(name: str, previous: str | None = None) -> Answer:
            json = {"input": "hi", "previous_response_id": previous}
            return await driver.request("POST", "/responses", json=json, headers=served.headers(name))

        first = (await create("ada")).json()["id"]
        running = asyncio.ensure_future(create("ada", first))
        await gate.wait_reached()
        assert told(await create("bob", first), first) == told(await create("bob", UNKNOWN), UNKNOWN)
        gate.open()
        assert (await running).status == 200


@pytest.mark.parametrize("way", [by_headers, by_login])
async def test_anonymous_is_an_owner_that_nobody_can_name_themselves_into(way: Any) -> None:
    """Not even a user of that name; and named ones are closed to anonymous ones as well."""
    served = way(ScriptedAgent(every=recall))
    async with InMemoryDriver(served.app) as driver:

        async def create(headers: dict[str, str], previous: str | None = None) -> Answer:
            json = {"input": "secret", "previous_response_id": previous}
            return await driver.request("POST", f"{served.prefix}/responses", json=json, headers=headers)

        nobodys = (await create({})).json()["id"]
        named = (await create(served.headers("anonymous"))).json()["id"]
        ada, anonymous = served.headers("ada"), served.headers("anonymous")
        attempts: list[tuple[dict[str, str], str]] = [(anonymous, nobodys), ({}, named), (ada, nobodys)]
        for headers, previous in attempts:
            answer = await create(headers, previous)
            assert told(answer, previous) == told(await create(headers, UNKNOWN), UNKNOWN)
        assert (await create({}, nobodys)).status == 200


@pytest.mark.parametrize("way", [by_keys, by_tenants])
async def test_what_was_said_before_auth_was_there_is_unknown_to_everybody_with_a_name(way: Any) -> None:
    """It was nobody's, so it stays nobody's."""
    served = way(ScriptedAgent(every=recall))
    before = "resp_" + "b" * 32
    asked = ChannelRequest(
        channel="responses", operation="create", input="secret", session=ChannelSession(commit_as=before)
    )
    await served.host.run(asked)
    async with LoopbackDriver(served.app) as driver:
        for name in KEYS:
            old, unknown = [
                await driver.request(
                    "POST",
                    "/responses",
                    json={"input": "hi", "previous_response_id": previous},
                    headers=served.headers(name),
                )
                for previous in (before, UNKNOWN)
            ]
            assert told(old, before) == told(unknown, UNKNOWN)


async def test_another_ones_id_takes_as_long_as_an_unknown_one(figure: Any) -> None:
    """One look-up under the caller's own name, nothing else. A busy machine gets three tries."""
    served = by_keys(ScriptedAgent(every=recall))
    async with InMemoryDriver(served.app) as driver:

        async def create(name: str, previous: str | None = None) -> Answer:
            json = {"input": "hi", "previous_response_id": previous}
            return await driver.request("POST", "/responses", json=json, headers=served.headers(name))

        ada = (await create("ada")).json()["id"]

        async def apart() -> float:
            times: dict[str, list[int]] = {ada: [], UNKNOWN: []}
            for _ in range(figure(200, 5_000)):
                for previous, taken in times.items():
                    start = time.perf_counter_ns()
                    await create("bob", previous)
                    taken.append(time.perf_counter_ns() - start)
            medians = [statistics.median(taken) for taken in times.values()]
            return max(medians) / min(medians)

        assert min([await apart() for _ in range(3)]) < 1.2


@pytest.mark.parametrize("stream", [False, True])
async def test_a_hundred_interleaved_turns_of_two_principals_never_mix(stream: bool, figure: Any) -> None:
    """All runs stand at one gate; each knows its principal there and after it, and has its own history alone."""
    count = figure(50, 500)
    gate = Gate()
    owners: dict[str, list[str]] = {}

    async def speak(run: AgentRun) -> Any:
        secret = run.messages[-1].text
        owners.setdefault(secret, []).append(current_principal().id)
        await gate.wait()
        owners[secret].append(current_principal().id)
        return recall(run)

    served = by_keys(ScriptedAgent(every=speak))
    async with InMemoryDriver(served.app, timeout=30) as driver:

        async def create(name: str, text: str, previous: str | None = None) -> dict[str, Any]:
            answer = await driver.request(
                "POST",
                "/responses",
                json={"input": text, "stream": stream, "previous_response_id": previous},
                headers=served.headers(name),
            )
            if not stream:
                return answer.json()
            (ended,) = [event for event in answer.events() if event.event == "response.completed"]
            return ended.json()["response"]

        async def talk(name: str, number: int) -> tuple[str, int, str]:
            first = await create(name, f"{name} {number} first")
            second = await create(name, f"{name} {number} second", first["id"])
            return name, number, second["output"][0]["content"][0]["text"]

        talks = [asyncio.ensure_future(talk(name, number)) for number in range(count) for name in KEYS]
        await gate.wait_reached(2 * count, timeout=30)
        gate.open()
        for name, number, text in await asyncio.gather(*talks):
            assert text == f"{name} {number} first | {name} {number} second"
    assert len(owners) == 4 * count
    assert all(ids == [secret.split()[0]] * 2 for secret, ids in owners.items())


@pytest.mark.parametrize("size", [10, 2_000_000])
@pytest.mark.parametrize("stream", [False, True])
async def test_the_official_client_hears_that_its_key_is_wrong_and_asks_once(size: int, stream: bool) -> None:
    """Also while it is still sending a large body."""
    keys, asked = ApiKeys({"ada": hash_key(KEYS["ada"])}), 0

    async def auth(connection: HTTPConnection) -> Any:
        nonlocal asked
        asked += 1
        return await keys(connection)

    host = AgentFrameworkHost(ScriptedAgent(), channels=[ResponsesChannel()], auth=auth)
    async with (
        LoopbackDriver(host.app) as driver,
        AsyncOpenAI(base_url=f"{driver.base_url}/v1", api_key=KEYS["bob"], max_retries=2) as client,
    ):
        with pytest.raises(AuthenticationError) as refused:
            await client.responses.create(model="m", input="x" * size, stream=stream)
        assert asked == 1
        right = client.with_options(api_key=KEYS["ada"])
        assert (await right.responses.create(model="m", input="hi")).output_text == "echo: hi"
    error = refused.value
    assert (error.type, error.code, error.param) == ("authentication_error", "invalid_api_key", None)
    assert error.request_id is not None
    assert error.response.headers["www-authenticate"] == 'Bearer error="invalid_token"'
    assert KEYS["bob"] not in error.response.text


@pytest.mark.parametrize("path", [*PATHS, "/responses/resp_1", "/v1/responses/resp_1/input_items"])
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
async def test_all_that_the_channel_answers_is_refused_in_the_apis_words(path: str, method: str) -> None:
    """Whether or not there is anything; nothing tells which paths there are."""
    async with InMemoryDriver(by_keys(ScriptedAgent()).app) as driver:
        answer = await driver.request(method, path)
    assert answer.status == 401
    assert answer.json()["error"] == {
        "message": "This request needs authentication: its credentials are missing or not valid.",
        "type": "authentication_error",
        "param": None,
        "code": "invalid_api_key",
    }
