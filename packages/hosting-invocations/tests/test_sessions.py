"""Conversations: ids that the host mints, names that configuration allows, and whose they are."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

import pytest
from invocation_parts import as_caller, by_keys, final, folded, hosting, invoke, refused, serving

from agent_framework_hosting.errors import ConfigurationError
from agent_framework_hosting.host import AgentFrameworkHost
from agent_framework_hosting.limits import Limits
from agent_framework_hosting.testing import Answer, Gate, InMemoryDriver, LoopbackDriver, ScriptedAgent, recall
from agent_framework_hosting.types import Principal
from agent_framework_hosting_invocations.channel import InvocationsChannel

UNKNOWN = "ses_" + "0" * 32


@pytest.fixture(params=["memory", "sqlite"])
def host(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, Any]:
    """Options of a host, with each kind of state."""
    return {} if request.param == "memory" else {"database": f"sqlite:///{tmp_path}/state/host.db"}


def told(answer: Answer, *ids: str) -> tuple[int, list[tuple[str, str]], str]:
    """Return an answer without its request id and date, and with the echoed id named alike."""
    body = answer.text.replace(answer.headers["x-request-id"], "REQUEST")
    headers = [(name, value) for name, value in answer.headers.items() if name not in {"x-request-id", "date"}]
    for each in ids:
        body = body.replace(each, "ID")
    return answer.status, headers, body


async def test_a_session_goes_on_by_its_id_and_another_starts_without_one(host: dict[str, Any]) -> None:
    async with serving(ScriptedAgent(every=recall), host=host) as driver:
        first = await final(driver, "one")
        second = await final(driver, "two", session_id=first["session_id"], stream=True)
        third = await final(driver, "three", session_id=first["session_id"])
        other = await final(driver, "four")
    assert second["output"] == "one | two"
    assert third["output"] == "one | two | three"
    assert {first["session_id"], second["session_id"], third["session_id"]} == {first["session_id"]}
    assert other["output"] == "four"
    assert other["session_id"] != first["session_id"]


async def test_a_session_outlives_a_restart_with_a_database(tmp_path: Path) -> None:
    options = {"database": f"sqlite:///{tmp_path}/state/host.db"}
    async with serving(ScriptedAgent(every=recall), host=options) as driver:
        session = (await final(driver, "one"))["session_id"]
    async with serving(ScriptedAgent(every=recall), host=options) as driver:
        assert (await final(driver, "two", session_id=session))["output"] == "one | two"


async def test_turns_that_are_sent_at_once_run_in_their_order_and_never_beside_each_other(host: dict[str, Any]) -> None:
    agent = ScriptedAgent(every=recall)
    async with serving(agent, host=host) as driver:
        session = (await final(driver, "start"))["session_id"]
        bodies = await asyncio.gather(*(final(driver, str(number), session_id=session) for number in range(10)))
    assert agent.most_active == 1
    longest = max((body["output"] for body in bodies), key=len)
    assert sorted(longest.split(" | ")[1:], key=int) == [str(number) for number in range(10)]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("fields", [{}, {"input": None, "responses": [{"request_id": "apr_1", "approved": True}]}])
async def test_another_ones_session_is_answered_as_an_unknown_one(stream: bool, fields: dict[str, Any]) -> None:
    """Byte for byte, over real HTTP, and without a run."""
    agent = ScriptedAgent(every=recall)
    async with LoopbackDriver(hosting(agent, host={"auth": by_keys()}).app) as driver:
        ada = (await final(driver, "secret", headers=as_caller("ada")))["session_id"]
        body = {"input": "and?", "stream": stream, **fields}
        asked = {name: value for name, value in body.items() if value is not None}
        foreign = await invoke(driver, headers=as_caller("bob"), session_id=ada, **asked)
        unknown = await invoke(driver, headers=as_caller("bob"), session_id=UNKNOWN, **asked)
        assert refused(foreign) == (404, "session_not_found", "session_id")
        assert told(foreign, ada) == told(unknown, UNKNOWN)
        assert len(agent.runs) == 1
        assert (await final(driver, "mine", headers=as_caller("ada"), session_id=ada))["output"] == "secret | mine"


async def test_a_session_that_has_expired_is_answered_as_an_unknown_one() -> None:
    async with serving(ScriptedAgent(every=recall), host={"limits": Limits(max_sessions=1)}) as driver:
        old = (await final(driver, "one"))["session_id"]
        await final(driver, "two")
        await final(driver, "three")
        expired = await invoke(driver, "and?", session_id=old)
        unknown = await invoke(driver, "and?", session_id=UNKNOWN)
    assert told(expired, old) == told(unknown, UNKNOWN)


async def test_nobody_who_is_not_known_gets_further_than_a_problem() -> None:
    async with serving(ScriptedAgent(), host={"auth": by_keys()}) as driver:
        for method, path in [("POST", "/invocations"), ("GET", "/invocations/openapi.json"), ("GET", "/invocations/x")]:
            answer = await driver.request(method, path)
            assert refused(answer) == (401, "unauthenticated", None)
            assert answer.headers["www-authenticate"] == "Bearer"


async def test_names_are_no_sessions_unless_configuration_allows_them() -> None:
    async with serving(ScriptedAgent(every=recall), host={"auth": by_keys()}) as driver:
        answer = await invoke(driver, "hi", session_id="order-17", headers=as_caller("ada"))
    assert refused(answer) == (404, "session_not_found", "session_id")


@pytest.mark.parametrize("names", [r"[a-z]+-\d+", re.compile(r"[a-z]+-\d+")], ids=["text", "compiled"])
async def test_a_name_that_matches_belongs_to_whoever_gives_it(names: Any, host: dict[str, Any]) -> None:
    options = {**host, "auth": by_keys()}
    async with serving(ScriptedAgent(every=recall), host=options, session_names=names) as driver:

        async def say(caller: str, text: str) -> dict[str, Any]:
            return await final(driver, text, session_id="order-17", headers=as_caller(caller))

        assert (await say("ada", "one"))["output"] == "one"
        assert (await say("bob", "two"))["output"] == "two"
        third = await say("ada", "three")
        assert (third["output"], third["session_id"]) == ("one | three", "order-17")
        wrong = await invoke(driver, "hi", session_id="order-17x", headers=as_caller("ada"))
        assert refused(wrong) == (400, "invalid_value", "session_id")
        minted = await invoke(driver, "hi", session_id=UNKNOWN, headers=as_caller("ada"))
        assert refused(minted) == (404, "session_not_found", "session_id")


async def test_names_are_refused_while_nobody_knows_who_is_calling() -> None:
    agent = ScriptedAgent()
    async with serving(agent, session_names=".*") as driver:
        answer = await invoke(driver, "hi", session_id="lobby")
    assert refused(answer) == (403, "access_denied", "session_id")
    assert not agent.runs


async def test_a_function_says_who_shares_a_session() -> None:
    async def name(given: str, principal: Principal) -> str | None:
        return f"team-{given}" if principal.id == "ada" or given == "open" else None

    options = {"auth": by_keys()}
    async with serving(ScriptedAgent(every=recall), host=options, session_names=name) as driver:
        await final(driver, "one", session_id="open", headers=as_caller("ada"))
        shared = await final(driver, "two", session_id="open", headers=as_caller("bob"))
        assert shared["output"] == "one | two"
        answer = await invoke(driver, "hi", session_id="closed", headers=as_caller("bob"))
    assert refused(answer) == (400, "invalid_value", "session_id")


async def test_a_function_that_returns_no_key_fails_the_request_and_not_the_others() -> None:
    def name(given: str, principal: Principal) -> Any:
        return 5

    async with serving(ScriptedAgent(), session_names=name) as driver:
        assert refused(await invoke(driver, "hi", session_id="x")) == (500, "hook_failed", None)
        assert (await final(driver, "hi"))["output"] == "echo: hi"


@pytest.mark.parametrize("names", ["(", 5])
def test_names_that_are_none_are_refused_at_construction(names: Any) -> None:
    with pytest.raises(ConfigurationError, match="session_names"):
        InvocationsChannel(session_names=names)


async def test_the_chat_of_a_trusted_platform_is_the_session() -> None:
    async with serving(ScriptedAgent(every=recall), host={"trust_isolation_headers": True}) as driver:

        async def say(text: str, chat: str) -> dict[str, Any]:
            headers = {"x-agent-user-isolation-key": "ada", "x-agent-chat-isolation-key": chat}
            return await final(driver, text, headers=headers)

        await say("one", "a")
        second = await say("two", "a")
        assert (second["output"], second["session_id"]) == ("one | two", None)
        assert (await say("three", "b"))["output"] == "three"


async def test_a_session_whose_first_stream_failed_is_there_and_goes_on(host: dict[str, Any]) -> None:
    agent = ScriptedAgent(["half", RuntimeError("gone")], every=recall)
    async with serving(agent, host=host) as driver:
        failed = folded(await invoke(driver, "one", stream=True))
        assert failed["status"] == "failed"
        assert (await final(driver, "two", session_id=failed["session_id"]))["output"] == "two"


async def test_another_channel_that_is_given_the_same_key_shares_the_session() -> None:
    agent = ScriptedAgent(every=recall)
    channels = [
        InvocationsChannel(session_names=lambda name, _: name),
        InvocationsChannel(name="other", path="/other", session_names=lambda name, _: name),
    ]
    async with InMemoryDriver(AgentFrameworkHost(agent, channels=channels).app) as driver:
        await final(driver, "one", session_id="lobby")
        answer = await driver.request("POST", "/other", json={"input": "two", "session_id": "lobby"})
    assert answer.json()["output"] == "one | two"


async def test_a_line_that_is_full_is_refused_with_its_status() -> None:
    gate = Gate()
    agent = ScriptedAgent("first", [gate], every="later")
    async with serving(agent, host={"limits": Limits(max_waiting=1)}) as driver:
        session = (await final(driver, "one"))["session_id"]
        running = asyncio.ensure_future(invoke(driver, "two", session_id=session))
        await gate.wait_reached()
        body = {"input": "three", "session_id": session, "stream": True}
        async with driver.stream("POST", "/invocations", json=body) as waiting:
            full = await invoke(driver, "four", session_id=session, stream=True)
            gate.open()
            assert refused(full) == (429, "queue_full", None)
            assert full.headers["retry-after"]
            assert (await running).status == waiting.status == 200
            assert b"event: completed" in await waiting.read()
