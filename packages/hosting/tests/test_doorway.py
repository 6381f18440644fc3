"""Who is let in where nobody says who is calling, and whose word about callers is believed."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pytest
import uvicorn
from fastapi import FastAPI
from starlette.authentication import AuthCredentials, AuthenticationBackend, SimpleUser, UnauthenticatedUser
from starlette.middleware import Middleware
from starlette.middleware.authentication import AuthenticationMiddleware
from starlette.requests import HTTPConnection, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocket, WebSocketDisconnect

from agent_framework_hosting.auth import ApiKeys, hash_key, mounted_user, new_key
from agent_framework_hosting.channel import VerifiedRoute
from agent_framework_hosting.door import Door
from agent_framework_hosting.host import AgentFrameworkHost
from agent_framework_hosting.isolation import get_current_isolation_keys, keys_of_socket
from agent_framework_hosting.testing import Answer, InMemoryDriver, LoopbackDriver, ScriptedAgent
from agent_framework_hosting.types import ANONYMOUS, Principal

USER: Final = "x-agent-user-isolation-key"
CHAT: Final = "x-agent-chat-isolation-key"
SECRET: Final = "a-secret-that-only-the-proxy-knows-1"
ABROAD: Final = ("203.0.113.9", 40_000)


@pytest.fixture
def telling(make_probe: Any) -> Any:
    """Return a channel that tells who is calling, under which keys, and what it hears of where from."""

    async def tell(request: Request) -> JSONResponse:
        keys = get_current_isolation_keys()
        return JSONResponse(
            {
                "caller": [probe.context.principal.kind, probe.context.principal.id],
                "keys": None if keys is None else [keys.user_key, keys.chat_key],
                "client": request.client and request.client.host,
                "scheme": request.url.scheme,
                "headers": sorted(name for name in request.headers if name.startswith(("x-", "forwarded"))),
            }
        )

    async def talk(websocket: WebSocket) -> None:
        await websocket.accept()
        before = get_current_isolation_keys()
        with keys_of_socket(websocket.scope):
            keys = get_current_isolation_keys()
            told = {"caller": probe.context.principal.id, "keys": keys and [keys.user_key, keys.chat_key]}
        await websocket.send_json({**told, "before": before is not None})
        await websocket.close()

    async def hook(_: Request) -> Response:
        return PlainTextResponse("hook")

    probe = make_probe(
        routes=[Route("/", tell), WebSocketRoute("/ws", talk)],
        verified_routes=[VerifiedRoute(Route("/hook", hook), "signature of the platform")],
    )
    return probe


def host_of(channel: Any, **options: Any) -> AgentFrameworkHost:
    """Return a host of an agent that echoes."""
    return AgentFrameworkHost(ScriptedAgent(), channels=[channel], **options)


async def get(
    app: Any, path: str = "/probe", *, headers: Any = (), client: Any = ABROAD, at: str = "http://198.51.100.1:8000"
) -> Answer:
    """Send one request from somewhere to somewhere."""
    async with InMemoryDriver(app, client=client, base_url=at) as driver:
        return await driver.request("GET", path, headers=headers)


HERE: Final = "http://127.0.0.1:8000"


@pytest.mark.parametrize(
    ("client", "at"),
    [
        (ABROAD, "http://198.51.100.1:8000"),
        (ABROAD, HERE),
        (("192.168.1.7", 40_000), "http://192.168.1.5:8000"),
        (("172.17.0.1", 40_000), "http://172.17.0.2:8000"),
        (("127.0.0.1", 40_000), "http://198.51.100.1:8000"),
        (("::ffff:203.0.113.9", 40_000), HERE),
        (("fe80::1", 40_000), HERE),
        (None, "http://198.51.100.1:8000"),
    ],
)
async def test_under_any_server_nobody_comes_from_another_machine_when_nobody_says_who_it_is(
    telling: Any, caplog: pytest.LogCaptureFixture, client: Any, at: str
) -> None:
    """The answer and the log name the mend; probes and what the channel verifies itself are reached."""
    app = host_of(telling).app
    for path in ("/probe", "/nothing"):
        answer = await get(app, path, client=client, at=at)
        assert (answer.status, answer.json()["error"]["code"]) == (403, "nobody_authenticates")
        for mend in ("auth=", "mount it", "Door(allow_unauthenticated=True)", "AF_HOSTING_ALLOW_UNAUTHENTICATED=1"):
            assert mend in answer.text
    assert (await get(app, "/readiness", client=client, at=at)).text == "ok"
    assert (await get(app, "/probe/hook", client=client, at=at)).text == "hook"
    assert caplog.text.count("A caller from another machine was refused. Nothing says here who is calling") == 1


@pytest.mark.parametrize(
    ("client", "at"),
    [
        (("127.0.0.1", 40_000), HERE),
        (("127.0.0.1", 40_000), "http://localhost:8000"),
        (("::1", 40_000), HERE),
        (("::ffff:127.0.0.1", 40_000), HERE),
        (("testclient", 50_000), "http://testserver"),
        (None, "http://run-agent.sock"),
    ],
)
async def test_this_machine_its_socket_files_and_clients_in_memory_need_no_permission(
    telling: Any, client: Any, at: str
) -> None:
    """What is no IP address comes over no network."""
    assert (await get(host_of(telling).app, client=client, at=at)).json()["caller"] == ["anonymous", "anonymous"]


class Login(AuthenticationBackend):
    """Knows ada by her cookie."""

    async def authenticate(self, conn: HTTPConnection) -> tuple[AuthCredentials, SimpleUser] | None:
        name = conn.cookies.get("user")
        return (AuthCredentials(["known"]), SimpleUser(name)) if name else None


@pytest.mark.parametrize(
    "options",
    [
        {"door": Door(allow_unauthenticated=True)},
        {"trust_isolation_headers": True},
        {"door": Door(middleware=[Middleware(AuthenticationMiddleware, backend=Login())])},
        {"door": Door(trusted_proxies=["203.0.113.0/24"])},
    ],
    ids=["allowed", "platform", "a login", "a named proxy"],
)
async def test_whoever_runs_the_host_may_let_others_in(telling: Any, options: dict[str, Any]) -> None:
    """By a word, by a platform, by a login, or by a proxy that answers for its callers."""
    assert (await get(host_of(telling, **options).app)).status == 200


@pytest.mark.parametrize(("said", "status"), [("1", 200), ("true", 200), ("0", 403), ("", 403)])
async def test_the_environment_may_let_others_in(
    telling: Any, monkeypatch: pytest.MonkeyPatch, said: str, status: int
) -> None:
    """For images that are deployed behind different doors; the argument has the last word."""
    monkeypatch.setenv("AF_HOSTING_ALLOW_UNAUTHENTICATED", said)
    assert (await get(host_of(telling).app)).status == status
    assert (await get(host_of(telling, door=Door(allow_unauthenticated=False)).app)).status == 403


async def test_a_channel_refuses_in_its_own_words(make_probe: Any) -> None:
    """As it does with everything that is refused at its routes."""

    def render(description: Any) -> Response:
        return PlainTextResponse(description.code, status_code=description.status)

    probe = make_probe(routes=[Route("/", print)], render_error=render)
    assert (await get(host_of(probe).app)).text == "nobody_authenticates"


async def test_an_app_around_the_host_answers_for_who_comes_in(telling: Any, caplog: pytest.LogCaptureFixture) -> None:
    """By its user, or by refusing in a middleware of its own before the host is reached; the log says that it must."""
    host = host_of(telling)
    app = FastAPI(lifespan=host.lifespan)

    @app.middleware("http")
    async def with_a_key(request: Request, call_next: Any) -> Response:
        if request.headers.get("x-api-key") != "sesame":
            return PlainTextResponse("no", status_code=401)
        return await call_next(request)

    app.mount("/agent", host.app)
    assert (await get(app, "/agent/probe")).text == "no"
    for _ in range(2):
        assert (await get(app, "/agent/probe", headers={"x-api-key": "sesame"})).json()["caller"][0] == "anonymous"
    assert caplog.text.count("A caller from another machine was let in. Nothing has told the host who it is") == 1
    caplog.clear()
    logged_in = FastAPI(lifespan=host.lifespan)
    logged_in.add_middleware(AuthenticationMiddleware, backend=Login())
    logged_in.mount("/agent", host.app)
    answer = await get(logged_in, "/agent/probe", headers={"cookie": "user=ada"})
    assert answer.json()["caller"] == ["caller", "ada"]
    assert not caplog.records


async def test_a_socket_of_a_stranger_is_refused_as_well(telling: Any) -> None:
    """Before it is accepted."""
    client = TestClient(host_of(telling).app, client=ABROAD)
    with pytest.raises(WebSocketDisconnect) as refused, client.websocket_connect("/probe/ws"):
        pass
    assert refused.value.code == 1008


@asynccontextmanager
async def under_uvicorn(app: Any, listener: socket.socket, **options: Any) -> AsyncGenerator[Any]:
    """Serve with uvicorn in this event loop; the socket listens already, so whoever comes early waits."""
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="on", **options))
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        yield listener.getsockname()
    finally:
        server.should_exit = True
        await serving


def at_file(path: Path) -> socket.socket:
    """Listen at a socket file."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen()
    return listener


async def curl(target: Any, path: str, *headers: str) -> tuple[int, Any]:
    """Ask over a socket, by hand: of a port of this machine, or of a socket file."""
    link = asyncio.open_unix_connection(target) if isinstance(target, str) else asyncio.open_connection(*target)
    reader, writer = await link
    lines = [f"GET {path} HTTP/1.1", "connection: close", *headers, "", ""]
    writer.write("\r\n".join(lines).encode())
    head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()
    return int(head.split(b" ")[1]), json.loads(body) if body.startswith(b"{") else body.decode()


async def test_under_uvicorn_the_peer_counts_and_what_a_local_proxy_says_of_it(telling: Any, tmp_path: Path) -> None:
    """Uvicorn believes a proxy on this machine about where a caller is; then that caller is from another machine."""
    app = host_of(telling).app
    async with under_uvicorn(app, socket.create_server(("127.0.0.1", 0))) as address:
        assert (await curl(address, "/probe", "host: localhost"))[0] == 200
        assert (await curl(address, "/probe", "host: evil.example"))[0] == 421
        for said in ("203.0.113.9", "unknown", "_hidden"):
            status, told = await curl(address, "/probe", "host: localhost", f"x-forwarded-for: {said}")
            assert (status, told["error"]["code"]) == (403, "nobody_authenticates")
    async with under_uvicorn(app, at_file(tmp_path / "one.sock")) as path:
        # A socket file has permissions of its own, and no browser reaches it.
        assert (await curl(path, "/probe", "host: any.example"))[0] == 200
    named = host_of(telling, door=Door(trusted_proxies=["unix"])).app
    async with under_uvicorn(named, at_file(tmp_path / "two.sock")) as path:
        _, told = await curl(path, "/probe", "host: any.example", f"{USER}: ada")
        assert told["caller"] == ["caller", "ada"]


@pytest.mark.parametrize("said", ["10.1.2.3:40000", "10.1.2.3: +40_000", "[10.1.2.3]:40000", "[::ffff:10.1.2.3]:7"])
async def test_nobody_becomes_a_named_proxy_by_saying_so(telling: Any, said: str) -> None:
    """Also not with a port, under a server that believes everybody about where they come from."""
    app = host_of(telling, door=Door(trusted_proxies=["10.0.0.0/8"], allow_unauthenticated=True)).app
    listener = socket.create_server(("127.0.0.1", 0))
    async with under_uvicorn(app, listener, forwarded_allow_ips="*") as address:
        _, told = await curl(address, "/probe", "host: localhost", f"x-forwarded-for: {said}", f"{USER}: ada")
    assert (told["caller"], told["headers"]) == (["anonymous", "anonymous"], [])


async def test_every_address_of_a_machine_but_loopback_is_another_machines(telling: Any) -> None:
    """Over a real socket of this machine that others could reach."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("198.51.100.1", 9))
        except OSError:
            pytest.skip("this machine has no address but loopback")
        own = probe.getsockname()[0]
    async with under_uvicorn(host_of(telling).app, socket.create_server((own, 0))) as address:
        assert (await curl(address, "/probe", f"host: {own}"))[0] == 403
        assert (await curl(address, "/readiness", f"host: {own}")) == (200, "ok")
    key = new_key()
    keyed = host_of(telling, auth=ApiKeys({"ada": hash_key(key)}), door=Door(allowed_hosts=["agent.example.com"]))
    async with under_uvicorn(keyed.app, socket.create_server((own, 0))) as address:
        assert (await curl(address, "/probe", "host: agent.example.com", f"authorization: Bearer {key}"))[0] == 200
        # With a list, every address asks for its names.
        assert (await curl(address, "/probe", f"host: {own}", f"authorization: Bearer {key}"))[0] == 421


PROXY: Final = ("10.1.2.3", 40_000)


WITH_SECRET: Final = {"x-agent-proxy-secret": SECRET}
TEN: Final = ["10.0.0.0/8"]


@dataclass(frozen=True, kw_only=True)
class Case:
    """A door, who comes, what it says besides, and whether it is believed."""

    door: dict[str, Any] = field(default_factory=dict[str, Any])
    trust: bool | None = None
    client: tuple[str, int] = PROXY
    headers: dict[str, str] = field(default_factory=dict[str, str])
    is_believed: bool = False


@pytest.mark.parametrize("is_socket", [False, True])
@pytest.mark.parametrize(
    "case",
    [
        Case(),
        Case(trust=True, client=ABROAD, is_believed=True),
        Case(door={"trusted_proxies": TEN}, is_believed=True),
        Case(door={"trusted_proxies": ["10.1.2.3"]}, client=("::ffff:10.1.2.3", 1), is_believed=True),
        Case(door={"trusted_proxies": ["10.9.0.0/16"]}),
        Case(door={"trusted_proxies": TEN}, client=("10.1.2.3", 0)),
        Case(door={"trusted_proxies": TEN}, trust=False),
        Case(door={"proxy_secret": SECRET}, client=ABROAD, headers=WITH_SECRET, is_believed=True),
        Case(door={"proxy_secret": SECRET}, client=ABROAD, headers={"x-agent-proxy-secret": SECRET[:-1]}),
        Case(door={"proxy_secret": SECRET}, client=ABROAD, headers={"x-agent-proxy-secret": ""}),
        Case(door={"proxy_secret": SECRET}),
        Case(door={"proxy_secret": SECRET, "trusted_proxies": TEN}),
        Case(door={"proxy_secret": SECRET, "trusted_proxies": TEN}, client=ABROAD, headers=WITH_SECRET),
        Case(door={"proxy_secret": SECRET, "trusted_proxies": TEN}, headers=WITH_SECRET, is_believed=True),
    ],
)
async def test_isolation_headers_are_believed_by_one_rule_for_requests_and_sockets(
    telling: Any, is_socket: bool, case: Case
) -> None:
    """From a platform that the host is told to trust, or from a named proxy; everybody else's are taken out."""
    door = Door(allow_unauthenticated=True, **case.door)
    app = host_of(telling, door=door, trust_isolation_headers=case.trust).app
    said = {**case.headers, USER: "ada", CHAT: "room"}
    keys = ["ada", "room"] if case.is_believed else None
    if is_socket:
        with TestClient(app, client=case.client).websocket_connect("/probe/ws", headers=said) as websocket:
            told = websocket.receive_json()
        # The keys of a socket are nobody's until the channel says so.
        assert told == {"caller": "ada" if case.is_believed else ANONYMOUS.id, "keys": keys, "before": False}
        return
    told = (await get(app, headers=said, client=case.client)).json()
    assert told["caller"] == (["caller", "ada"] if case.is_believed else ["anonymous", "anonymous"])
    assert told["keys"] == keys
    assert "x-agent-proxy-secret" not in told["headers"]
    assert (USER in told["headers"]) is case.is_believed


async def test_two_people_of_one_platform_are_two_owners_over_sockets_too(telling: Any) -> None:
    """Inside the tenant of who was authenticated, as over HTTP; a key that makes no sense opens nothing."""

    async def platform(_: HTTPConnection) -> Principal:
        return Principal("acme", "platform", "caller")

    client = TestClient(host_of(telling, auth=platform, trust_isolation_headers=True).app)
    for name in ("ada", "bob"):
        with client.websocket_connect("/probe/ws", headers={USER: name}) as websocket:
            assert websocket.receive_json() == {"caller": name, "keys": [name, None], "before": False}
    with client.websocket_connect("/probe/ws") as websocket:
        assert websocket.receive_json() == {"caller": "platform", "keys": None, "before": False}
    with (
        pytest.raises(WebSocketDisconnect) as refused,
        client.websocket_connect("/probe/ws", headers={USER: "x" * 600}),
    ):
        pass
    assert refused.value.code == 1008


FORWARDED: Final = {
    "x-forwarded-for": "198.51.100.66, 203.0.113.9:5555, 10.4.4.4",
    "x-forwarded-proto": "https",
    "x-forwarded-host": "evil.example",
    "forwarded": "for=198.51.100.66",
}


async def test_what_is_forwarded_is_believed_from_named_proxies_alone(telling: Any) -> None:
    """The last address that no named proxy has; what stands before it is the caller's own tale."""
    app = host_of(telling, door=Door(trusted_proxies=["10.0.0.0/8"], allow_unauthenticated=True)).app
    told = (await get(app, headers=FORWARDED, client=PROXY)).json()
    assert (told["client"], told["scheme"]) == ("203.0.113.9", "https")
    told = (await get(app, headers=FORWARDED)).json()
    assert (told["client"], told["scheme"], told["headers"]) == (ABROAD[0], "http", [])
    told = (await get(app, headers={"x-forwarded-for": "nonsense, 10.4.4.4"}, client=PROXY)).json()
    assert told["client"] == "10.4.4.4"


async def test_a_caller_whom_nobody_names_behind_a_proxy_is_the_proxys(telling: Any) -> None:
    """Everybody else needs a name, although there is a proxy."""
    app = host_of(telling, door=Door(trusted_proxies=["10.0.0.0/8"])).app
    assert (await get(app, client=PROXY)).json()["caller"] == ["anonymous", "anonymous"]
    assert (await get(app)).status == 403


async def test_the_start_line_names_the_proxies(telling: Any, caplog: pytest.LogCaptureFixture) -> None:
    """As who says who is calling."""
    caplog.set_level(logging.INFO, logger="agent_framework.hosting")
    async with host_of(telling, door=Door(proxy_secret=SECRET)):
        pass
    assert "Callers: named by the isolation headers of the named proxies." in caplog.text
    assert SECRET not in caplog.text


async def test_a_user_who_is_not_logged_in_is_refused_where_the_host_is_told_to(telling: Any) -> None:
    """`mounted_user` inside an app, over a socket that others reach."""
    host = host_of(telling, auth=mounted_user)

    async def around(scope: Any, receive: Any, send: Any) -> None:
        await host.app({**scope, "user": UnauthenticatedUser()} if scope["type"] == "http" else scope, receive, send)

    assert (await get(around)).status == 401


async def test_loopback_over_a_real_server_needs_no_permission(telling: Any) -> None:
    """Hypercorn tells peer and socket as uvicorn does."""
    async with LoopbackDriver(host_of(telling).app) as driver:
        assert (await driver.request("GET", "/probe")).json()["client"] == "127.0.0.1"
