"""Every way into a host with all channels: who says there who is calling, and what strangers learn."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import Any, Final

import pytest

from agent_framework_hosting import AgentFrameworkHost
from agent_framework_hosting.auth import ApiKeys, hash_key, new_key
from agent_framework_hosting.entrances import Entrance
from agent_framework_hosting.testing import Answer, InMemoryDriver, LoopbackDriver, ScriptedAgent
from agent_framework_hosting_chat_completions import ChatCompletionsChannel
from agent_framework_hosting_invocations import InvocationsChannel
from agent_framework_hosting_responses import ResponsesChannel
from agent_framework_hosting_telegram import TelegramChannel
from agent_framework_hosting_telegram.testing import BOT_TOKEN, TelegramServer

KEY: Final = new_key()
ADA: Final = {"authorization": f"Bearer {KEY}"}
CANARY: Final = "canary-8b1f"
ABROAD: Final[dict[str, Any]] = {"client": ("203.0.113.9", 40_000), "base_url": "http://198.51.100.1:8000"}


def house(telegram: TelegramServer, *, agent: Any = None, **options: Any) -> AgentFrameworkHost:
    """Return a host with all channels."""
    bot = TelegramChannel(
        bot_token=BOT_TOKEN,
        open=True,
        mode="webhook",
        public_url="https://agent.example.com",
        secret_token="known-to-the-platform",
        api_base_url=telegram.base_url,
    )
    channels = [ResponsesChannel(), InvocationsChannel(), ChatCompletionsChannel(), bot]
    return AgentFrameworkHost(agent or ScriptedAgent(), channels=channels, **options)


def keyed() -> ApiKeys:
    """Return the keys of the house."""
    return ApiKeys({"ada": hash_key(KEY)})


def requests_to(entrances: Sequence[Entrance]) -> list[tuple[Entrance, str, str]]:
    """Return a request to every route, by every method that it answers."""
    found: list[tuple[Entrance, str, str]] = []
    for entrance in entrances:
        path = entrance.path
        for name in getattr(entrance.route, "param_convertors", {}):
            path = path.replace(f"{{{name}:path}}", "x").replace(f"{{{name}}}", "x")
        assert "{" not in path, entrance
        found += [(entrance, method, path) for method in sorted(entrance.methods or {"GET", "POST", "DELETE"})]
    return found


async def test_every_route_of_a_host_has_exactly_one_authenticator() -> None:
    """The inventory for a review: the probes are public, the webhook is Telegram's, all else is the host's."""
    async with TelegramServer() as telegram:
        host = house(telegram, auth=keyed())
    assert [entrance.route for entrance in host.entrances] == list(host.app.routes)
    said = {entrance.path: entrance.authenticated_by for entrance in host.entrances}
    assert [path for path, by in said.items() if by == "nobody"] == ["/readiness", "/livez"]
    webhooks = [path for path, by in said.items() if by not in ("host", "nobody")]
    assert webhooks
    assert all(path.startswith("/telegram") for path in webhooks)
    assert {entrance.channel for entrance in host.entrances if entrance.authenticated_by == "host"} == {
        "responses",
        "invocations",
        "chat-completions",
    }


@pytest.mark.parametrize("has_auth", [True, False])
async def test_a_stranger_learns_the_same_at_every_route(has_auth: bool) -> None:
    """With `auth=` 401, without it 403 for whoever is not of this machine; the text is the same everywhere."""
    async with TelegramServer() as telegram:
        host = house(telegram, auth=keyed() if has_auth else None)
        told: set[str] = set()
        async with InMemoryDriver(host.app, **ABROAD) as driver:
            for entrance, method, path in requests_to(host.entrances):
                answer = await driver.request(method, path)
                if entrance.authenticated_by == "nobody":
                    assert answer.status == 200, path
                elif entrance.authenticated_by == "host":
                    assert answer.status == (401 if has_auth else 403), (method, path)
                    told |= set() if method == "HEAD" else {message_of(answer)}
                else:
                    # Its own verifier refuses, whose word nobody else has.
                    assert answer.status in (401, 405), (method, path)
        assert len(told) == 1


def message_of(answer: Answer) -> str:
    """Return what an answer says, in whichever protocol."""
    body = answer.json()
    return body["error"]["message"] if "error" in body else body["detail"]


async def test_at_a_loopback_address_every_route_is_guarded_against_foreign_pages() -> None:
    """And the webhook too, whose platform is not a page."""
    async with TelegramServer() as telegram:
        host = house(telegram, auth=keyed())
        async with LoopbackDriver(host.app) as driver:
            for entrance, method, path in requests_to(host.entrances):
                foreign = await driver.request(method, path, headers={**ADA, "origin": "https://evil.example"})
                rebound = await driver.request(method, path, headers={**ADA, "host": "evil.example"})
                is_public = entrance.authenticated_by == "nobody"
                assert (foreign.status, rebound.status) == ((200, 200) if is_public else (403, 421)), path


EVIL: Final = "x\r\nx-evil: 1\r\n\r\n"
HEADERS: Final = ["idempotency-key", "x-session-id", "x-request-id", "openai-organization", "user-agent", "accept"]


@pytest.mark.parametrize("stream", [False, True])
async def test_nothing_that_a_caller_sends_becomes_a_header_of_its_own(stream: bool) -> None:
    """Line breaks in every member of a body, and odd signs in headers, which no server lets through with a break."""
    bodies = {
        "/v1/responses": {"model": EVIL, "input": EVIL, "user": EVIL, "metadata": {EVIL: EVIL}, EVIL: EVIL},
        "/responses": {"model": EVIL, "input": "x", "instructions": EVIL, "previous_response_id": EVIL},
        "/invocations": {"input": EVIL, "session_id": EVIL},
        "/v1/chat/completions": {"model": EVIL, "messages": [{"role": "user", "content": EVIL, "name": EVIL}]},
    }
    async with TelegramServer() as telegram:
        app = house(telegram).app
        async with InMemoryDriver(app) as driver:
            for path, body in bodies.items():
                for name in (None, *HEADERS):
                    headers = {} if name is None else {name: 'x";x-evil=1\x7f\xff'}
                    answer = await driver.request("POST", path, json={**body, "stream": stream}, headers=headers)
                    assert answer.status < 500, answer
                    for header, value in answer.headers.raw:
                        assert b"x-evil" not in header + value, (path, name)
                        assert b"\r" not in value
                        assert b"\n" not in value


class Talkative(Exception):
    """Says what nobody should read."""


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("begins", [False, True], ids=["at once", "in the middle"])
async def test_what_an_agent_says_in_an_error_stays_in_the_log(
    caplog: pytest.LogCaptureFixture, stream: bool, begins: bool
) -> None:
    """Callers get an id, which the log has as well."""
    caplog.set_level(logging.DEBUG)

    def break_down(_: Any) -> Any:
        if begins:
            yield "so far "
        raise Talkative(CANARY)

    bodies = {
        "/v1/responses": {"input": "x"},
        "/invocations": {"input": "x"},
        "/v1/chat/completions": {"model": "any", "messages": [{"role": "user", "content": "x"}]},
    }
    async with TelegramServer() as telegram:
        app = house(telegram, agent=ScriptedAgent(every=break_down), debug=True).app
        async with InMemoryDriver(app) as driver:
            for path, body in bodies.items():
                caplog.clear()
                answer = await driver.request("POST", path, json={**body, "stream": stream})
                seen = answer.text + repr(answer.headers.raw)
                assert CANARY not in seen
                assert "Talkative" not in seen
                incident = seen.partition("error id ")[2].partition(")")[0]
                assert incident
                assert incident in caplog.text


def addresses(port: int) -> list[str]:
    """Return ways to write the address of a server on this machine, and of what clouds keep for their own."""
    hosts = [
        "127.0.0.1",
        "localhost",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "127.1",
        "0",
        "user@127.0.0.1",
        "example.com@127.0.0.1",
    ]
    schemes = [f"{scheme}://{host}:{port}/x.png" for host in hosts for scheme in ("http", "https")]
    return [*schemes, f"ftp://127.0.0.1:{port}/x", "file:///etc/passwd", "http://169.254.169.254/latest/meta-data/"]


async def test_no_address_that_a_caller_names_is_fetched() -> None:
    """It goes to the agent as it is, or is refused; a server at that address hears nothing."""
    heard: asyncio.Queue[str] = asyncio.Queue()

    async def hear(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await heard.put("somebody")
        writer.close()

    sockets = [socket.create_server(("127.0.0.1", 0))]
    port = sockets[0].getsockname()[1]
    sockets.append(socket.create_server(("::1", port), family=socket.AF_INET6))
    agent = ScriptedAgent(every="seen")
    async with AsyncExitStack() as stack:
        for each in sockets:
            await stack.enter_async_context(await asyncio.start_server(hear, sock=each))
        telegram = await stack.enter_async_context(TelegramServer())
        driver = await stack.enter_async_context(LoopbackDriver(house(telegram, agent=agent).app))
        for address in addresses(port):
            image = {"type": "input_image", "image_url": address}
            file = {"type": "input_file", "file_url": address, "filename": "x.pdf"}
            picture = {"type": "image_url", "image_url": {"url": address}}
            asked: list[tuple[str, dict[str, Any]]] = [
                ("/v1/responses", {"input": [{"role": "user", "content": [image, file]}]}),
                ("/v1/chat/completions", {"model": "m", "messages": [{"role": "user", "content": [picture]}]}),
                ("/invocations", {"input": "look", "callback_url": address, "files": [{"uri": address}]}),
            ]
            for path, body in asked:
                answer = await driver.request("POST", path, json=body)
                assert answer.status in (200, 400), (path, address, answer.text)
        assert heard.empty()
        # Whoever had come would have been heard.
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.close()
        await asyncio.wait_for(heard.get(), timeout=30)
        assert heard.empty()
    assert agent.runs
