"""A request with an `Idempotency-Key` is run once, however often it is sent."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from agent_framework import Agent
from hypothesis import given
from hypothesis import strategies as st
from starlette.types import Scope

from agent_framework_hosting.errors import InvalidRequest
from agent_framework_hosting.host import AgentFrameworkHost
from agent_framework_hosting.testing import (
    Answer,
    Gate,
    InMemoryDriver,
    ScriptedAgent,
    ScriptedChatClient,
    recall,
)
from agent_framework_hosting.web.idempotency import idempotency_key
from agent_framework_hosting_responses.channel import ResponsesChannel

from .responses_rules import check


def serving(agent: Any, **options: Any) -> InMemoryDriver:
    return InMemoryDriver(AgentFrameworkHost(agent, channels=[ResponsesChannel()], **options).app)


@pytest.fixture(params=["memory", "sqlite"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> str | None:
    return None if request.param == "memory" else f"sqlite:///{tmp_path}/state/host.db"


async def send(driver: InMemoryDriver, text: str = "hi", *, key: str | None = "3f8e", **fields: Any) -> Answer:
    headers = {"idempotency-key": key} if key is not None else {}
    return await driver.request("POST", "/responses", json={"input": text, **fields}, headers=headers)


def is_replayed(answer: Answer) -> bool:
    return answer.headers.get("idempotent-replayed") == "true"


@pytest.mark.parametrize("store", [True, False])
async def test_a_request_that_is_sent_again_gets_the_same_answer_and_is_not_run_again(
    database: str | None, store: bool
) -> None:
    agent = ScriptedAgent(every="é\x85\u2028\u2029")
    async with serving(agent, database=database) as driver:
        first = await send(driver, store=store)
        second = await send(driver, store=store)
    assert len(agent.runs) == 1
    assert first.body == second.body
    assert (is_replayed(first), is_replayed(second)) == (False, True)


async def test_a_stream_that_is_asked_for_again_is_folded_from_what_was_stored(database: str | None) -> None:
    agent = ScriptedAgent(every="hello there")
    async with serving(agent, database=database) as driver:
        first = await send(driver, stream=True)
        second = await send(driver, stream=True)
    assert len(agent.runs) == 1
    assert is_replayed(second)
    assert check(first.body).body == check(second.body).body
    assert "".join(check(second.body).deltas()) == "hello there"


async def test_the_same_request_in_another_chat_is_another_one(database: str | None) -> None:
    """Its answer would tell there what was said here."""
    agent = ScriptedAgent(every="hello")

    async def send_in(chat: str | None) -> Answer:
        headers = {"idempotency-key": "3f8e", "x-agent-user-isolation-key": "ada"}
        if chat is not None:
            headers["x-agent-chat-isolation-key"] = chat
        return await driver.request("POST", "/responses", json={"input": "hi"}, headers=headers)

    async with serving(agent, database=database, trust_isolation_headers=True) as driver:
        first = await send_in("one")
        for chat in ("other", None):
            other = await send_in(chat)
            assert (other.status, other.json()["error"]["code"]) == (409, "idempotency_conflict")
        again = await send_in("one")
    assert len(agent.runs) == 1
    assert (again.json(), is_replayed(again)) == (first.json(), True)


async def test_without_a_key_every_request_is_run(database: str | None) -> None:
    agent = ScriptedAgent(every="hello")
    async with serving(agent, database=database) as driver:
        await send(driver, key=None)
        await send(driver, key=None)
    assert len(agent.runs) == 2


async def test_a_key_that_was_used_for_another_request_is_refused(database: str | None) -> None:
    agent = ScriptedAgent(every="hello")
    async with serving(agent, database=database) as driver:
        await send(driver, "one")
        answer = await send(driver, "two")
    assert (answer.status, answer.json()["error"]["code"]) == (409, "idempotency_conflict")
    assert len(agent.runs) == 1


async def test_while_the_first_request_runs_the_second_is_told_to_come_back(database: str | None) -> None:
    gate = Gate()
    agent = ScriptedAgent(gate)
    async with serving(agent, database=database) as driver:
        first = asyncio.create_task(send(driver))
        await gate.wait_reached()
        second = await send(driver)
        gate.open()
        await first
    assert (second.status, second.json()["error"]["code"]) == (409, "idempotency_conflict")
    assert second.headers["retry-after"]
    assert len(agent.runs) == 1


async def test_a_run_that_failed_can_be_sent_again(database: str | None) -> None:
    agent = ScriptedAgent(RuntimeError("the model is away"), "hello")
    async with serving(agent, database=database) as driver:
        first = await send(driver)
        second = await send(driver)
    assert (first.status, second.status) == (500, 200)
    assert not is_replayed(second)


async def test_a_refused_request_does_not_use_its_key_up(database: str | None) -> None:
    agent = ScriptedAgent(every="hello")
    async with serving(agent, database=database) as driver:
        first = await send(driver, previous_response_id="resp_unknown")
        second = await send(driver, "another one")
    assert (first.status, second.status) == (400, 200)


async def test_the_answer_outlives_a_restart(tmp_path: Path) -> None:
    agent = ScriptedAgent(every="hello")
    answers: list[Answer] = []
    for _ in range(2):
        async with serving(agent, database=f"sqlite:///{tmp_path}/state/host.db") as driver:
            answers.append(await send(driver))
    assert answers[0].json() == answers[1].json()
    assert len(agent.runs) == 1


async def test_messages_have_the_same_ids_in_every_attempt(database: str | None) -> None:
    """A history provider that has stored the messages of a failed attempt knows them again."""
    agent = ScriptedAgent(RuntimeError("gone"), "hello")
    async with serving(agent, database=database) as driver:
        await send(driver)
        await send(driver)
    first, second = (run.messages[-1].message_id for run in agent.runs)
    assert first == second


async def test_a_conversation_is_continued_once_by_a_turn_that_is_sent_twice(database: str | None) -> None:
    async with serving(Agent(ScriptedChatClient(every=recall)), database=database) as driver:
        first = (await send(driver, "one", key=None)).json()
        second, again = [(await send(driver, "two", previous_response_id=first["id"])).json() for _ in range(2)]
        third = (await send(driver, "three", key=None, previous_response_id=second["id"])).json()
    assert second == again
    assert third["output"][0]["content"][0]["text"] == "one | two | three"


@pytest.mark.parametrize("value", ["", '""', "x" * 256, "a\x7fb", "é"])
async def test_a_malformed_key_is_refused(value: str) -> None:
    async with serving(ScriptedAgent(every="hello")) as driver:
        answer = await driver.request(
            "POST", "/responses", json={"input": "hi"}, headers={"idempotency-key": value.encode().decode("latin-1")}
        )
    assert (answer.status, answer.json()["error"]["param"]) == (400, "Idempotency-Key")


def test_a_quoted_key_and_a_bare_one_are_the_same() -> None:
    bare, quoted = (idempotency_key(_scope(value), b"{}") for value in (b"3f8e", b'"3f8e"'))
    assert bare == quoted


def test_two_keys_are_refused() -> None:
    scope: Scope = {"headers": [(b"idempotency-key", b"a"), (b"idempotency-key", b"a")]}
    with pytest.raises(InvalidRequest):
        idempotency_key(scope, b"{}")


@given(st.binary(max_size=300))
def test_whatever_a_header_holds_it_is_a_key_or_refused(value: bytes) -> None:
    try:
        key = idempotency_key(_scope(value), b"{}")
    except InvalidRequest:
        return
    assert key is not None
    assert 0 < len(key.key) <= 255


def _scope(value: bytes) -> Scope:
    return {"headers": [(b"idempotency-key", value)]}
