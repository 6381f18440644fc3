"""The agent lives beside an app's own routes, inside its lifespan, behind its login."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from openai import AsyncOpenAI

from agent_framework_hosting import AgentFrameworkHost, ChannelRequest
from agent_framework_hosting.testing import Answer, Gate, InMemoryDriver, ScriptedAgent

from .conftest import Load
from .processes import started
from .talk import ask, text

PATH = "/agent/v1/responses"


async def test_users_have_a_conversation_each_and_strangers_have_none(sample: Load) -> None:
    async with InMemoryDriver(sample("mounted_in_fastapi.py").app) as driver:

        async def say(user: str, said: str) -> str:
            return text((await ask(driver, said, path=PATH, authorization=f"Bearer {user}-token")).json())

        assert await say("ada", "I am Ada") == "I am Ada"
        assert await say("bob", "I am Bob") == "I am Bob"
        assert await say("ada", "Who am I?") == "I am Ada | Who am I?"
        assert (await ask(driver, "hi", path=PATH)).status == 401
        assert (await driver.request("GET", "/guests")).status == 401
        guests = await driver.request("GET", "/guests", headers={"authorization": "Bearer ada-token"})
        assert guests.json() == ["ada", "bob", "ada"]
        assert (await driver.request("GET", "/health")).json() == {"ok": True}


async def test_what_a_user_was_answered_is_continued_by_that_user_alone(sample: Load) -> None:
    """For everybody else its id is answered like one that never was."""
    async with InMemoryDriver(sample("mounted_in_fastapi.py").app) as driver:
        ada, bob = "Bearer ada-token", "Bearer bob-token"
        first = (await ask(driver, "I am Ada", path=PATH, authorization=ada)).json()["id"]
        assert text((await ask(driver, "Aside", path=PATH, authorization=ada)).json()) == "I am Ada | Aside"

        async def go_on(authorization: str, previous: str) -> Answer:
            return await ask(driver, "And?", path=PATH, authorization=authorization, previous_response_id=previous)

        assert text((await go_on(ada, first)).json()) == "I am Ada | And?"
        others, unknown = await go_on(bob, first), await go_on(bob, "resp_none")
        assert (others.status, others.json()["error"]["code"]) == (400, "previous_response_not_found")
        assert others.body.replace(first.encode(), b"resp_none") == unknown.body


async def test_the_lifespan_of_the_app_goes_around_that_of_the_host(
    sample: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    mounted, gate = sample("mounted_in_fastapi.py"), Gate()
    was_open: list[bool] = []

    async def stay(_: object) -> str:
        await gate.wait()
        was_open.append(mounted.book.is_open)
        return "Goodbye."

    host = AgentFrameworkHost(ScriptedAgent(every=stay), channels=[])
    monkeypatch.setitem(mounted.lifespan.__wrapped__.__globals__, "host", host)
    async with mounted.lifespan(mounted.app):
        assert mounted.book.is_open
        run = asyncio.create_task(host.run(ChannelRequest(channel="test", operation="message", input="hi")))
        await gate.wait_reached()
        # It is open as soon as the end of the lifespan has to wait for the run.
        asyncio.get_running_loop().call_soon(gate.open)
    assert (await run).result.text == "Goodbye."
    assert was_open == [True]
    assert not mounted.book.is_open


async def test_it_is_served_by_uvicorn_and_stops_when_told_to(tmp_path: Path) -> None:
    with started("mounted_in_fastapi.py", log=tmp_path / "printed") as served:
        async with AsyncOpenAI(base_url=f"{served.url}/agent/v1", api_key="ada-token") as client:
            assert (await client.responses.create(model="mine", input="Hi")).output_text == "Hi"
        served.stop()
        assert "Application shutdown complete." in served.printed
