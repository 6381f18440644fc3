"""The guard: foreign pages, foreign hosts and bodies that pages can send without asking do not come in."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import pytest
from fastapi import FastAPI
from hypothesis import given
from hypothesis import strategies as st
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect

from agent_framework_hosting._addresses import Networks
from agent_framework_hosting._authority import Authority, Hosts, parse_authority, parse_origin
from agent_framework_hosting.channel import VerifiedRoute
from agent_framework_hosting.door import Door
from agent_framework_hosting.errors import ConfigurationError, InvalidRequest
from agent_framework_hosting.host import AgentFrameworkHost
from agent_framework_hosting.testing import InMemoryDriver, LoopbackDriver, ScriptedAgent, SocketRefused

JSON = {"content-type": "application/json"}
CHAT = "https://chat.example.com"


@pytest.fixture
def served(make_probe: Any) -> Any:
    """Return a function that makes a host whose channel takes JSON at `/probe`, anything at `/probe/hook`."""

    async def taken(request: Request) -> Response:
        return PlainTextResponse((await request.body()).decode())

    async def fail(_: Request) -> Response:
        raise RuntimeError("broken")

    async def refuse(_: Request) -> Response:
        raise InvalidRequest("No.")

    async def socket(websocket: WebSocket) -> None:
        await websocket.accept()
        await websocket.send_text("hello")
        await websocket.close()

    def make(body_types: Sequence[str] | None = ("application/json",), **door: Any) -> AgentFrameworkHost:
        probe = make_probe(
            routes=[
                Route("/", taken, methods=["GET", "POST", "PUT"]),
                Route("/fail", fail),
                Route("/refuse", refuse),
                WebSocketRoute("/ws", socket),
            ],
            verified_routes=[VerifiedRoute(Route("/hook", taken, methods=["POST"]), "signature")],
            body_types=body_types,
        )
        return AgentFrameworkHost(ScriptedAgent(), channels=[probe], door=Door(**door))

    return make


HOSTS = {
    "localhost": True,
    "localhost:{port}": True,
    "LOCALHOST:{port}": True,
    "localhost.": True,
    "localhost:9000": True,  # a port that was forwarded here
    "127.0.0.1": True,
    "127.0.0.1:{port}": True,
    "127.8.8.8": True,
    "[::1]:{port}": True,
    "evil.com": False,
    "evil.com:{port}": False,
    "127.0.0.1:evil.com": False,
    "localhost:evil.com": False,
    "localhost:80:80": False,
    "localhost:": False,
    "localhost:0": False,
    "localhost:99999": False,
    "localhost.evil.com": False,
    "evil-localhost": False,
    "127.0.0.1.evil.com": False,
    "127.0.0.1@evil.com": False,
    "evil.com@127.0.0.1": False,
    "127.1": False,
    "2130706433": False,
    "0x7f.0.0.1": False,
    "0.0.0.0:{port}": False,
    "192.168.1.5": False,
    "[::2]": False,
    "[::1": False,
    "::1": False,
    "localhost/evil": False,
    "localhost#evil": False,
    "localhost evil": False,
    "": False,
}


async def test_a_loopback_address_serves_its_own_names_alone(served: Any) -> None:
    """A page whose name was made to mean this machine still says its own name."""
    async with LoopbackDriver(served().app) as driver:
        port = str(driver.address[1])
        for host, is_own in HOSTS.items():
            answer = await driver.request("GET", "/probe", headers={"host": host.replace("{port}", port)})
            assert answer.status in ((200,) if is_own else (421, 400)), host
        refused = await driver.request("GET", "/probe", headers={"host": "evil.com"})
        assert (refused.status, refused.json()["error"]["code"]) == (421, "misdirected_request")
        assert "public_url=" in refused.text
        assert "allowed_hosts=" in refused.text
        assert "evil.com" not in refused.text
        # A probe knows an address and no name.
        assert (await driver.request("GET", "/readiness", headers={"host": "10.0.0.7"})).text == "ok"


async def test_names_of_proxies_tunnels_and_forwarded_ports_are_told_to_the_door(served: Any) -> None:
    """By the address that people use, or one by one."""
    door = {"public_url": "https://agent.example.com/base", "allowed_hosts": ["box:9000", "*.tunnel.example"]}
    async with LoopbackDriver(served(**door).app) as driver:
        for host, is_allowed in {
            "agent.example.com": True,
            "agent.example.com:443": True,
            "box:9000": True,
            "box": False,
            "box:9001": False,
            "a.tunnel.example": True,
            "a.b.tunnel.example:80": True,
            "tunnel.example": False,
            "eviltunnel.example": False,
            "localhost": True,
        }.items():
            answer = await driver.request("GET", "/probe", headers={"host": host})
            assert answer.status == (200 if is_allowed else 421), host
    async with LoopbackDriver(served(allowed_hosts=["*"]).app) as driver:
        assert (await driver.request("GET", "/probe", headers={"host": "any.example"})).status == 200


ORIGINS: dict[str | None, bool] = {
    None: True,
    "http://{own}": True,
    "https://evil.example": False,
    "http://localhost:3000": False,
    "http://127.0.0.1": False,
    "null": False,
    "http://{own}.evil.example": False,
    "http://{own}, https://evil.example": False,
    "": False,
}


@pytest.mark.parametrize("kind", ["application/json", "text/plain", "application/x-www-form-urlencoded", None])
@pytest.mark.parametrize("site", [None, "none", "same-origin", "same-site", "cross-site"])
async def test_what_a_foreign_page_sends_is_refused_whatever_it_calls_it(
    served: Any, site: str | None, kind: str | None
) -> None:
    """The matrix of `Host`, `Origin`, `Sec-Fetch-Site` and content types, over a loopback socket."""
    async with LoopbackDriver(served().app) as driver:
        own = driver.base_url.partition("://")[2]
        for host in (own, "evil.example"):
            for origin, is_own in ORIGINS.items():
                said = {"host": host, "origin": origin and origin.replace("{own}", own), "sec-fetch-site": site}
                said["content-type"] = kind
                headers = {name: value for name, value in said.items() if value is not None}
                answer = await driver.request("POST", "/probe", body=b"{}", headers=headers)
                is_json = kind == "application/json" or (kind is None and origin is None)
                if host != own:
                    expected = 421
                elif not is_own or site == "cross-site":
                    expected = 403
                else:
                    expected = 200 if is_json else 415
                assert answer.status == expected, headers


async def test_a_page_that_may_call_gets_its_headers_on_errors_too(served: Any) -> None:
    """Also when nothing has caught the error; another page gets none."""
    host = served(allow_origins=[CHAT], public_url="https://agent.example.com")
    async with LoopbackDriver(host.app) as driver:
        asked = {"origin": CHAT, "access-control-request-method": "POST", "access-control-request-headers": "x-a"}
        preflight = await driver.request("OPTIONS", "/probe", headers=asked)
        assert (preflight.status, preflight.headers["access-control-allow-origin"]) == (200, CHAT)
        for path, status in {"/probe": 200, "/probe/fail": 500, "/probe/refuse": 400, "/nothing": 404}.items():
            answer = await driver.request("GET", path, headers={"origin": CHAT, "sec-fetch-site": "cross-site"})
            assert (answer.status, answer.headers["access-control-allow-origin"]) == (status, CHAT), path
            assert answer.headers["access-control-expose-headers"] == "*"
        wrong = await driver.request(
            "POST", "/probe", body=b"x", headers={"origin": CHAT, "content-type": "text/plain"}
        )
        assert (wrong.status, wrong.headers["access-control-allow-origin"]) == (415, CHAT)
        evil = await driver.request("GET", "/probe", headers={"origin": "https://evil.example"})
        assert (evil.status, "access-control-allow-origin" in evil.headers) == (403, False)
        own = {"origin": "https://agent.example.com", "host": "agent.example.com"}
        assert (await driver.request("POST", "/probe", json={}, headers=own)).status == 200
    driver.errors.clear()


@pytest.mark.parametrize(
    "said", ["https://Chat.Example.com", "https://chat.example.com:443", "HTTPS://chat.example.com"]
)
async def test_an_origin_may_be_written_in_other_ways_than_browsers_do(served: Any, said: str) -> None:
    async with InMemoryDriver(served(allow_origins=[said]).app) as driver:
        answer = await driver.request("GET", "/probe", headers={"origin": "https://chat.example.com"})
    assert answer.headers["access-control-allow-origin"] == "https://chat.example.com"


async def test_without_allowed_origins_no_page_is_told_that_it_may(served: Any) -> None:
    """No CORS by default."""
    async with LoopbackDriver(served().app) as driver:
        headers = {"origin": driver.base_url, "access-control-request-method": "POST"}
        answer = await driver.request("OPTIONS", "/probe", headers=headers)
        assert not [name for name in answer.headers if name.startswith("access-control-")]


@pytest.mark.parametrize("is_mounted", [False, True])
async def test_a_websocket_is_opened_by_no_foreign_page(
    served: Any, caplog: pytest.LogCaptureFixture, is_mounted: bool
) -> None:
    """Browsers ask nobody before they open one, with all cookies; so this holds inside an app as well."""
    host = served(allow_origins=[CHAT])
    app: Any = host.app
    if is_mounted:
        app = FastAPI(lifespan=host.lifespan)
        app.mount("/agent", host.app)
    path = "/agent/probe/ws" if is_mounted else "/probe/ws"
    async with LoopbackDriver(app) as driver:
        for origin in (None, CHAT, driver.base_url):
            async with driver.websocket(path, headers={} if origin is None else {"origin": origin}) as link:
                assert await link.receive() == "hello"
        for origin in ("https://evil.example", "null", "http://localhost:3000"):
            with pytest.raises(SocketRefused) as refused:
                async with driver.websocket(path, headers={"origin": origin}):
                    pass
            assert refused.value.status == 403
    assert "A WebSocket was refused: This request comes from a web page of another origin" in caplog.text


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("application/json", 200),
        ("application/json; charset=utf-8", 200),
        ("Application/JSON", 200),
        ("application/problem+json", 200),
        ("application/jsonx", 415),
        ("text/json", 415),
        ("text/plain; application/json", 415),
        ("multipart/form-data; boundary=x", 415),
        ("application/json, text/plain", 415),
        ("x" * 500, 415),
    ],
)
async def test_a_body_is_of_a_type_that_the_channel_takes(served: Any, kind: str, status: int) -> None:
    """The refusal says what to send; nothing of it is in the answer."""
    async with InMemoryDriver(served().app) as driver:
        answer = await driver.request("POST", "/probe", body=b"{}", headers={"content-type": kind})
        assert answer.status == status
        if status == 415:
            assert "`content-type: application/json`" in answer.json()["error"]["message"]
            assert kind not in answer.text
        assert (await driver.request("GET", "/probe", headers={"content-type": kind})).status == 200
        assert (await driver.request("POST", "/probe/hook", body=b"x", headers={"content-type": kind})).text == "x"
    async with InMemoryDriver(served(body_types=None).app) as driver:
        assert (await driver.request("POST", "/probe", body=b"{}", headers={"content-type": kind})).status == 200


async def test_a_body_that_is_announced_twice_is_a_body(served: Any) -> None:
    """Chunks count, whatever the length besides them says."""
    async with LoopbackDriver(served().app) as driver:
        said = {"content-type": "text/plain", "content-length": "0", "transfer-encoding": "chunked"}
        assert (await driver.request("POST", "/probe", headers=said)).status in (400, 415)
    async with InMemoryDriver(served().app) as driver:
        assert (await driver.request("POST", "/probe", headers=said)).status == 415


@pytest.mark.parametrize(("coding", "status"), [("gzip", 415), ("br, gzip", 415), ("identity", 200), ("", 200)])
async def test_packed_bodies_are_not_unpacked(served: Any, coding: str, status: int) -> None:
    """So nothing small becomes large."""
    async with InMemoryDriver(served().app) as driver:
        headers = {**JSON, "content-encoding": coding} if coding else JSON
        assert (await driver.request("POST", "/probe", body=b"{}", headers=headers)).status == status
        chunked = await driver.request("POST", "/probe", body=[b"{", b"}"], headers=headers)
        assert chunked.status == status


def test_clients_in_memory_are_not_disturbed(served: Any) -> None:
    """Whatever they call the host; a test is no browser."""
    client = TestClient(served().app)
    assert client.post("/probe", json={}).status_code == 200
    assert client.post("/probe", json={}, headers={"origin": CHAT, "host": "any.example"}).status_code == 200
    with client.websocket_connect("/probe/ws") as websocket:
        assert websocket.receive_text() == "hello"


async def test_an_app_around_the_host_has_a_door_of_its_own(served: Any) -> None:
    """Its hosts and origins are its affair; a form that a page sends without asking is not."""
    host = served(body_types=None)
    app = FastAPI(lifespan=host.lifespan)
    app.mount("/agent", host.app)
    async with LoopbackDriver(app) as driver:
        headers = {"host": "agent.example.com", "origin": CHAT}
        assert (await driver.request("POST", "/agent/probe", json={}, headers=headers)).status == 200
        form = {**headers, "content-type": "application/x-www-form-urlencoded"}
        assert (await driver.request("POST", "/agent/probe", body=b"{}", headers=form)).status == 403
        own = {**form, "origin": "http://agent.example.com"}
        assert (await driver.request("POST", "/agent/probe", body=b"{}", headers=own)).status == 200


async def test_middleware_of_the_users_runs_behind_the_guard_and_before_authentication(served: Any) -> None:
    """It sees what the guard let in, and may say who is calling."""
    seen: list[str] = []

    class Seeing:
        def __init__(self, app: ASGIApp) -> None:
            self._app = app

        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] == "http":
                seen.append(scope["path"])
            await self._app(scope, receive, send)

    async with LoopbackDriver(served(middleware=[Middleware(Seeing)]).app) as driver:
        assert (await driver.request("GET", "/probe")).status == 200
        assert (await driver.request("GET", "/probe", headers={"host": "evil.example"})).status == 421
    assert seen == ["/probe"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"allowed_hosts": "agent.example.com"}, "Give a list"),
        ({"allowed_hosts": ["https://agent.example.com"]}, "allowed_hosts names"),
        ({"allowed_hosts": ["a b"]}, "allowed_hosts names"),
        ({"allow_origins": "*"}, "Give a list"),
        ({"allow_origins": ["chat.example.com"]}, "allow_origins names"),
        ({"allow_origins": ["https://chat.example.com/"]}, "allow_origins names"),
        ({"public_url": "agent.example.com"}, "public_url is"),
        ({"public_url": "ftp://agent.example.com"}, "public_url is"),
        ({"trusted_proxies": "10.0.0.1"}, "Give a list"),
        ({"trusted_proxies": ["proxy.local"]}, "trusted_proxies names"),
        ({"trusted_proxies": ["10.0.0.1/8"]}, "trusted_proxies names"),
        ({"proxy_secret": "short"}, "proxy_secret is too short"),
        ({"scopes": "agent.chat"}, "a list is wanted"),
        ({"scopes": {"probe": "agent.chat"}}, "a list is wanted"),
        ({"scopes": ["agent chat"]}, "scopes names"),
        ({"scopes": ['x", error="']}, "scopes names"),
        ({"scopes": {"elsewhere": ["x"]}}, "does not have"),
    ],
)
def test_a_door_that_makes_no_sense_is_refused_at_construction(served: Any, options: dict[str, Any], said: str) -> None:
    """Not when the first request comes."""
    with pytest.raises(ConfigurationError, match=said):
        served(**options)


def test_a_door_is_a_door(make_probe: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"Give a Door\(\.\.\.\)"):
        AgentFrameworkHost(ScriptedAgent(), channels=[make_probe()], door={"allowed_hosts": []})  # pyright: ignore[reportArgumentType] # what is refused here


@given(st.text(max_size=40))
def test_whatever_a_host_header_says_is_taken_apart_exactly_or_not_at_all(text: str) -> None:
    """What is taken can be put together again, and holds nothing that a list of hosts would not look at."""
    parsed = parse_authority(text)
    if parsed is not None:
        again = parsed.name if parsed.port is None else f"{parsed.name}:{parsed.port}"
        assert parse_authority(again) == parsed
        assert not set(parsed.name) & set("/@#?\\ ,")
    assert parse_origin(text) is None or "://" in text


@given(st.sampled_from(["localhost", "127.0.0.1", "[::1]"]), st.text(min_size=1, max_size=12))
def test_nothing_that_is_put_behind_a_name_of_this_machine_stays_one_of_it(name: str, more: str) -> None:
    """But its port."""
    parsed = parse_authority(name + more)
    if parsed is not None and parsed.is_loopback:
        assert parsed.name == name or parsed.name.startswith("127.")
        assert more.rstrip(".").lstrip(".").lstrip(":").isdigit() or more == "."


def test_a_list_of_hosts_and_a_list_of_networks_hold_what_they_say() -> None:
    hosts = Hosts(("a.example", "b.example:81", "*.c.example:82"))
    assert Authority("a.example", 5) in hosts
    assert Authority("b.example", 80) not in hosts
    assert Authority("x.c.example", 82) in hosts
    assert Authority("x.c.example", 83) not in hosts
    networks = Networks(["10.0.0.0/8", "::1"])
    assert networks.has_peer({"client": ("::ffff:10.1.1.1", 9)})
    assert networks.has_peer({"client": ("::1", 9)})
    # A server has put that there, with an address from a header.
    assert not networks.has_peer({"client": ("10.1.1.1", 0)})
    assert not networks.has_peer({"client": ("testclient", 9)})
    assert not networks.has_peer({"client": None})


def test_a_socket_of_a_stranger_in_memory_is_refused_by_its_origin(served: Any, caplog: Any) -> None:
    caplog.set_level(logging.WARNING)
    client = TestClient(served().app)
    with (
        pytest.raises(WebSocketDisconnect) as refused,
        client.websocket_connect("/probe/ws", headers={"origin": "https://evil.example"}),
    ):
        pass
    assert refused.value.code == 1008
