"""The same request sent again: run once, answered alike."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from invocation_parts import folded, invoke, refused, serving

from agent_framework_hosting.testing import Gate, InMemoryDriver, ScriptedAgent, recall

KEY = {"idempotency-key": "3f8e"}


@pytest.fixture(params=["memory", "sqlite"])
def host(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, Any]:
    """Options of a host, with each kind of state."""
    return {} if request.param == "memory" else {"database": f"sqlite:///{tmp_path}/state/host.db"}


@pytest.mark.parametrize("stream", [False, True])
async def test_a_request_that_is_sent_again_gets_the_same_answer_and_is_not_run_again(
    stream: bool, host: dict[str, Any]
) -> None:
    agent = ScriptedAgent(every=["Good ", "day"])
    async with serving(agent, host=host) as driver:
        first, second = [await invoke(driver, "hi", stream=stream, headers=KEY) for _ in range(2)]
    assert len(agent.runs) == 1
    assert (folded(first), folded(second))[0] == folded(second) if stream else first.json() == second.json()
    assert "idempotent-replayed" not in first.headers
    assert second.headers["idempotent-replayed"] == "true"
    assert second.headers["x-session-id"] == first.headers["x-session-id"]


async def test_a_turn_of_a_session_is_replayed_with_its_session(host: dict[str, Any]) -> None:
    agent = ScriptedAgent(every=recall)
    async with serving(agent, host=host) as driver:
        session = (await invoke(driver, "one")).json()["session_id"]
        first, second = [await invoke(driver, "two", session_id=session, headers=KEY) for _ in range(2)]
        third = await invoke(driver, "three", session_id=session)
    assert first.json() == second.json()
    assert third.json()["output"] == "one | two | three"


@pytest.mark.parametrize(
    ("body", "more"),
    [
        ({"input": "other"}, {}),
        ({"input": "hi", "stream": True}, {}),
        ({"input": "hi"}, {"accept": "text/event-stream"}),
    ],
)
async def test_a_key_that_was_used_for_another_request_is_refused(body: dict[str, Any], more: dict[str, str]) -> None:
    async with serving(ScriptedAgent(every="ok")) as driver:
        await invoke(driver, "hi", headers=KEY)
        answer = await driver.request("POST", "/invocations", json=body, headers={**KEY, **more})
    assert refused(answer) == (409, "idempotency_conflict", None)


async def test_while_the_first_runs_the_second_is_told_to_come_back() -> None:
    gate = Gate()
    async with serving(ScriptedAgent([gate, "ok"])) as driver:
        first = asyncio.ensure_future(invoke(driver, "hi", headers=KEY))
        await gate.wait_reached()
        second = await invoke(driver, "hi", headers=KEY)
        gate.open()
        assert (await first).status == 200
    assert refused(second) == (409, "idempotency_conflict", None)
    assert second.headers["retry-after"]


async def test_a_run_that_failed_is_run_again_as_the_next_attempt() -> None:
    agent = ScriptedAgent(RuntimeError("gone"), "ok")
    async with serving(agent) as driver:
        first = await invoke(driver, "hi", headers=KEY)
        second = await invoke(driver, "hi", headers=KEY)
    assert (first.status, second.json()["output"]) == (500, "ok")


async def test_a_refused_request_does_not_use_its_key_up() -> None:
    async with serving(ScriptedAgent(every="ok")) as driver:
        assert await status(driver, session_id="ses_0") == 404
        assert await status(driver) == 200


async def status(driver: InMemoryDriver, **fields: Any) -> int:
    return (await invoke(driver, "hi", headers=KEY, **fields)).status
