"""Who is calling: what `auth=` may be, who is refused and how, and that nobody is taken for somebody else."""

from __future__ import annotations

import asyncio
import functools
import hmac
import logging
import threading
from collections.abc import AsyncGenerator, Callable
from dataclasses import replace
from typing import Any, cast

import pytest
from starlette.applications import Starlette
from starlette.authentication import (
    AuthCredentials,
    AuthenticationBackend,
    AuthenticationError,
    BaseUser,
    SimpleUser,
    requires,
)
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.authentication import AuthenticationMiddleware
from starlette.requests import HTTPConnection, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocket, WebSocketDisconnect

from agent_framework_hosting.auth import ApiKeys, hash_key, mounted_user, new_key
from agent_framework_hosting.channel import HostedStream, SiblingRoute, VerifiedRoute
from agent_framework_hosting.errors import AccessDenied, ConfigurationError, QueueFull, UnknownId
from agent_framework_hosting.host import AgentFrameworkHost
from agent_framework_hosting.limits import Limits
from agent_framework_hosting.testing import Answer, Gate, InMemoryDriver, LoopbackDriver, ScriptedAgent
from agent_framework_hosting.types import ANONYMOUS, ChannelRequest, ChannelSession, Principal
from agent_framework_hosting.web.errors import ErrorDescription

ADA = {"authorization": "Bearer ada"}
CANARY = "canary-credential"


async def by_name(connection: HTTPConnection) -> Principal | None:
    """Take the bearer token for a name, as long as it is one of two."""
    name = connection.headers.get("authorization", "").removeprefix("Bearer ")
    return Principal(id=name, kind="caller", tenant="acme") if name in {"ada", "bob"} else None


class ByName:
    """The same as an object."""

    async def __call__(self, connection: HTTPConnection) -> Principal | None:
        return await by_name(connection)


class Backend(AuthenticationBackend):
    """The same in Starlette's words."""

    async def authenticate(self, conn: HTTPConnection) -> tuple[AuthCredentials, BaseUser] | None:
        if "authorization" not in conn.headers:
            return None
        name = conn.headers["authorization"].removeprefix("Bearer ")
        if name not in {"ada", "bob"}:
            raise AuthenticationError(f"{name} is not welcome")
        return AuthCredentials(["authenticated"]), SimpleUser(name)


def plainly(connection: HTTPConnection) -> Principal | None:
    """The same without `async`."""
    return asyncio.run(by_name(connection))


def in_a_coroutine(connection: HTTPConnection) -> Any:
    """The same, handed on."""
    return by_name(connection)


WAYS: dict[str, Any] = {
    "async function": by_name,
    "plain function": plainly,
    "partial": functools.partial(by_name),
    "plain function that returns an awaitable": in_a_coroutine,
    "object": ByName(),
    "Starlette backend": Backend(),
}


@pytest.fixture
def telling(make_probe: Any) -> Any:
    """Return a channel that tells who is calling."""

    async def who(_: Request) -> JSONResponse:
        principal = probe.context.principal
        return JSONResponse([principal.tenant, principal.kind, principal.id])

    async def socket(websocket: WebSocket) -> None:
        await websocket.accept()
        await websocket.send_text(probe.context.principal.id)
        await websocket.close()

    routes = [Route("/", who), WebSocketRoute("/ws", socket), Mount("/below", routes=[Route("/x", who)])]
    siblings = [SiblingRoute(Route("/v1/who", who))]
    probe = make_probe(routes=routes, siblings=siblings)
    return probe


def naming(told: Any) -> Callable[[HTTPConnection], Any]:
    """Return an authenticator that always says this."""

    def auth(_: HTTPConnection) -> Any:
        return told

    return auth


def host_of(*channels: Any, **options: Any) -> AgentFrameworkHost:
    """Return a host of an agent that echoes."""
    return AgentFrameworkHost(ScriptedAgent(), channels=channels, **options)


async def get(app: Any, path: str = "/probe", *, headers: Any = (), method: str = "GET") -> Answer:
    """Send one request."""
    async with InMemoryDriver(app) as driver:
        return await driver.request(method, path, headers=headers)


@pytest.mark.parametrize("auth", WAYS.values(), ids=WAYS)
async def test_whoever_auth_knows_is_the_principal_and_nobody_else_gets_in(telling: Any, auth: Any) -> None:
    """However `auth=` is written."""
    app = host_of(telling, auth=auth).app
    assert (await get(app, headers=ADA)).json()[1:] == ["caller", "ada"]
    for headers, challenge in (({}, "Bearer"), ({"authorization": "Bearer eve"}, 'Bearer error="invalid_token"')):
        answer = await get(app, headers=headers)
        assert (answer.status, answer.headers["www-authenticate"]) == (401, challenge)
        assert answer.headers["x-request-id"].startswith("req_")
        error = answer.json()["error"]
        assert (error["type"], error["code"], error["param"]) == ("authentication_error", "unauthenticated", None)
        assert "eve" not in answer.text


@pytest.mark.parametrize(
    "auth",
    ["key", 1, {}, object(), ApiKeys, Backend, new_key, hmac.compare_digest],
    ids=["text", "number", "mapping", "object", "class", "backend class", "no argument", "two arguments"],
)
def test_what_cannot_say_who_is_calling_is_refused_at_construction(auth: Any) -> None:
    """The message says what can."""
    with pytest.raises(ConfigurationError, match=r"auth=.*ApiKeys.*AuthenticationBackend.*\(request\) -> Principal"):
        host_of(auth=auth)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/probe"),
        ("GET", "/probe/"),
        ("POST", "/probe"),
        ("GET", "/probe/below/x"),
        ("GET", "/v1/who"),
        ("GET", "/nothing"),
        ("GET", "/"),
        ("GET", "//readiness"),
        ("GET", "/readiness/"),
        ("GET", "/readiness%2f"),
        ("OPTIONS", "/probe"),
        ("GET", "/probe/ws"),
    ],
)
async def test_strangers_are_told_the_same_wherever_they_knock(telling: Any, method: str, path: str) -> None:
    """Default deny: not even which paths exist is theirs to find out."""
    async with LoopbackDriver(host_of(telling, auth=by_name).app) as driver:
        answer = await driver.request(method, path)
        assert (answer.status, answer.json()["error"]["code"]) == (401, "unauthenticated")
        assert (await driver.request("GET", "/readiness")).text == "ok"
        assert (await driver.request("POST", "/readiness")).status == 405


@pytest.mark.parametrize("host", ["x/#@evil", "x/readiness#@evil", "x/readiness#", "/readiness?", "x@y/readiness", ""])
async def test_who_is_calling_is_decided_by_the_path_and_never_by_the_host_header(telling: Any, host: str) -> None:
    """An address that is put together from headers would lead past the door. A loopback socket refuses such names."""
    app = host_of(telling, auth=by_name).app
    assert (await get(app, headers={**ADA, "host": host})).status == 200
    assert (await get(app, headers={"host": host})).status == 401
    async with LoopbackDriver(app) as driver:
        assert (await driver.request("GET", "/probe", headers={**ADA, "host": host})).status in (400, 421)


async def test_the_authenticator_is_asked_once_and_gets_no_body(make_probe: Any) -> None:
    """It could neither wait for one nor eat it."""
    asked: list[HTTPConnection] = []

    async def auth(request: HTTPConnection) -> Principal:
        asked.append(request)
        assert isinstance(request, Request)
        with pytest.raises(RuntimeError, match="Receive channel"):
            await request.body()
        return Principal(id="ada")

    async def echo(request: Request) -> Response:
        return Response(await request.body())

    app = host_of(make_probe(routes=[Route("/", echo, methods=["POST"])]), auth=auth).app
    async with InMemoryDriver(app) as driver:
        assert (await driver.request("POST", "/probe", body=b"whole")).body == b"whole"
    assert len(asked) == 1


async def test_a_stranger_is_refused_before_the_body_has_arrived_and_hears_it(telling: Any) -> None:
    """The rest of the body is let pass, so that the connection is not reset over it."""
    gate, taken = Gate(), asyncio.Event()

    async def body() -> AsyncGenerator[bytes]:
        yield b"x"
        await gate.wait()
        yield b"x"
        yield b"x"
        taken.set()

    async with (
        InMemoryDriver(host_of(telling, auth=by_name).app) as driver,
        driver.stream("POST", "/probe", body=body()) as answer,
    ):
        assert answer.status == 401
        assert b"unauthenticated" in await anext(answer)
        gate.open()
        assert await answer.read() == b""
        assert taken.is_set()


async def failing(connection: HTTPConnection) -> Principal:
    """Look the credential up where it is not, as authenticators do."""
    users: dict[str, Principal] = {}
    return users[connection.headers["authorization"]]


class FailingUser(BaseUser):
    """A user class that forgot what makes a user."""

    @property
    def is_authenticated(self) -> bool:
        return True


class FailingBackend(AuthenticationBackend):
    """Returns what nobody can be told from others by."""

    async def authenticate(self, conn: HTTPConnection) -> tuple[AuthCredentials, BaseUser]:
        return AuthCredentials(), FailingUser()


def failing_with(error: Exception) -> Callable[[HTTPConnection], Any]:
    """Return an authenticator that raises this."""

    async def auth(_: HTTPConnection) -> Principal:
        raise error

    return auth


def failing_in_a_thread(connection: HTTPConnection) -> Principal:
    """The same without `async`."""
    return asyncio.run(failing(connection))


FAILURES: dict[str, Any] = {
    "a look-up": failing,
    "a plain function": failing_in_a_thread,
    "a backend": FailingBackend(),
    "no principal": naming("ada"),
    "an id that is no text": naming(Principal(id=cast("Any", 7))),
    "an empty id": naming(Principal(id="", kind="caller")),
    "a teapot": failing_with(HTTPException(418, CANARY)),
    "a timeout of its own": failing_with(TimeoutError(CANARY)),
}


@pytest.mark.parametrize("auth", FAILURES.values(), ids=FAILURES)
async def test_an_authenticator_that_fails_lets_nobody_in_and_gives_nothing_away(
    telling: Any, caplog: pytest.LogCaptureFixture, auth: Any
) -> None:
    """The answer has an id, the log has the id and the place; neither has what the credential was."""
    caplog.set_level(logging.DEBUG)
    answer = await get(host_of(telling, auth=auth).app, headers={"authorization": f"Bearer {CANARY}"})
    assert (answer.status, answer.json()["error"]["code"]) == (500, "internal_error")
    incident = answer.json()["error"]["message"].partition("error id ")[2].rstrip(")")
    (record,) = [record for record in caplog.records if incident in record.getMessage()]
    assert record.levelno == logging.ERROR
    assert "authenticator.py" in (record.stack_info or "")
    assert CANARY not in answer.text + caplog.text


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (AuthenticationError(CANARY), 401, "unauthenticated"),
        (HTTPException(401, CANARY), 401, "unauthenticated"),
        (HTTPException(403, CANARY), 401, "unauthenticated"),
        (AccessDenied("Your plan has ended."), 403, "access_denied"),
        (QueueFull("Too many attempts."), 429, "queue_full"),
    ],
)
async def test_an_authenticator_may_refuse_by_raising(telling: Any, error: Exception, status: int, code: str) -> None:
    """In Starlette's words, in FastAPI's, and in the host's own."""
    answer = await get(host_of(telling, auth=failing_with(error)).app)
    assert (answer.status, answer.json()["error"]["code"]) == (status, code)
    assert CANARY not in answer.text


@pytest.mark.parametrize("blocking", [False, True])
async def test_a_slow_authenticator_is_cut_and_the_request_refused(
    telling: Any, caplog: pytest.LogCaptureFixture, blocking: bool
) -> None:
    """Also one that blocks: it has a thread of its own, so that nobody else waits for it."""
    released = threading.Event()

    async def waiting(_: HTTPConnection) -> Principal | None:
        await asyncio.Event().wait()
        return None

    def blocked(_: HTTPConnection) -> Principal | None:
        released.wait(10)

    host = host_of(telling, auth=blocked if blocking else waiting, limits=Limits(authentication_timeout=0.05))
    try:
        answer = await get(host.app)
    finally:
        released.set()
    assert (answer.status, answer.json()["error"]["code"], answer.headers["retry-after"]) == (503, "unavailable", "1")
    assert "auth= did not say within 0.05 seconds" in caplog.text


async def test_nobody_is_named_anonymous_by_an_authenticator(telling: Any) -> None:
    """An anonymous principal is nobody; one with an id of its own is somebody."""
    assert (await get(host_of(telling, auth=naming(ANONYMOUS)).app)).status == 401
    assert (await get(host_of(telling, auth=naming(Principal(id="ada"))).app)).json() == ["default", "caller", "ada"]
    named = await get(host_of(telling, auth=naming(Principal(id="anonymous", kind="caller"))).app)
    assert named.json() == ["default", "caller", "anonymous"]
    assert Principal(id="anonymous", kind="caller").owner != ANONYMOUS.owner


@pytest.mark.parametrize("auth", [by_name, failing_with(KeyError("no"))], ids=["stranger", "failure"])
def test_a_websocket_of_a_stranger_is_refused_before_it_is_accepted(telling: Any, auth: Any) -> None:
    """1008, which servers turn into 403."""
    client = TestClient(host_of(telling, auth=auth).app)
    with pytest.raises(WebSocketDisconnect) as refused, client.websocket_connect("/probe/ws"):
        pass
    assert refused.value.code == 1008


def test_a_websocket_has_its_principal(telling: Any) -> None:
    """The same authenticator decides, over the connection's headers."""
    client = TestClient(host_of(telling, auth=by_name).app)
    with client.websocket_connect("/probe/ws", headers=ADA) as websocket:
        assert websocket.receive_text() == "ada"


async def test_a_hundred_interleaved_requests_keep_their_principals(make_probe: Any, figure: Any) -> None:
    """All are in flight at once, in tasks that start tasks of their own."""
    count = figure(100, 1_000)
    all_there = asyncio.Barrier(count)

    async def who(_: Request) -> PlainTextResponse:
        before = probe.context.principal.id
        await all_there.wait()
        in_task = await asyncio.create_task(asyncio.to_thread(lambda: probe.context.principal.id))
        return PlainTextResponse(f"{before} {in_task} {probe.context.principal.id}")

    probe = make_probe(routes=[Route("/", who)])
    names = [("ada", "bob")[number % 2] for number in range(count)]
    async with InMemoryDriver(host_of(probe, auth=by_name).app) as driver:
        answers = await asyncio.gather(
            *(driver.request("GET", "/probe", headers={"authorization": f"Bearer {name}"}) for name in names)
        )
    assert [answer.text for answer in answers] == [f"{name} {name} {name}" for name in names]


async def test_a_stream_that_outlives_its_request_still_belongs_to_who_asked_for_it(make_probe: Any) -> None:
    """Who is calling is settled when the run is admitted; who pulls is not asked."""
    streams: list[HostedStream] = []

    def seal(_: object) -> str:
        return "hers"

    async def begin(_: Request) -> Response:
        asked = ChannelRequest(
            channel="probe", operation="message", input="hi", session=ChannelSession(commit_as="turn")
        )
        streams.append(await probe.context.run_stream(asked, seal=seal))
        return Response()

    probe = make_probe(routes=[Route("/", begin)])
    async with InMemoryDriver(host_of(probe, auth=by_name).app) as driver:
        assert (await driver.request("GET", "/probe", headers=ADA)).status == 200
        await streams[0].get_final_response()
    ada, bob = (Principal(tenant="acme", id=name, kind="caller") for name in ("ada", "bob"))
    assert await probe.context.read_record("turn", principal=ada) == "hers"
    for other in (bob, replace(ada, tenant="other"), ANONYMOUS):
        with pytest.raises(UnknownId):
            await probe.context.read_record("turn", principal=other)


USER, CHAT = "x-agent-user-isolation-key", "x-agent-chat-isolation-key"


async def test_a_trusted_user_key_names_the_user_inside_the_authenticated_tenant(telling: Any) -> None:
    """`auth=` says which platform it is, the platform says for whom."""
    app = host_of(telling, auth=by_name, trust_isolation_headers=True).app
    assert (await get(app, headers={**ADA, USER: "carol"})).json() == ["acme", "caller", "carol"]
    assert (await get(app, headers={**ADA, CHAT: "room"})).json() == ["acme", "caller", "ada"]
    assert (await get(app, headers={USER: "carol", CHAT: "room"})).status == 401


async def test_isolation_headers_that_nobody_vouches_for_name_nobody(telling: Any) -> None:
    """Also those of an authenticated caller."""
    app = host_of(telling, auth=by_name).app
    assert (await get(app, headers={**ADA, USER: "bob"})).json() == ["acme", "caller", "ada"]


class NamelessUser(SimpleUser):
    """A user whose class has no identity, as Starlette's base class has none."""

    @property
    def identity(self) -> str:
        raise NotImplementedError


class NumberedUser(SimpleUser):
    """A user whose identity is a number, as a database gives it."""

    @property
    def identity(self) -> Any:
        return 7


class OddUser:
    """A user object of another make, where this is a method."""

    def is_authenticated(self) -> bool:
        return False


USERS: dict[str, Any] = {
    "ada": SimpleUser("ada"),
    "nameless": NamelessUser("shown"),
    "numbered": NumberedUser("shown"),
    "odd": OddUser(),
    "empty": SimpleUser(""),
}


class Around(AuthenticationBackend):
    """What an app around the host has for login: the header says which user object there is."""

    async def authenticate(self, conn: HTTPConnection) -> Any:
        user = USERS.get(conn.headers.get("x-login", ""))
        return None if user is None else (AuthCredentials(), user)


def around(host: AgentFrameworkHost) -> Starlette:
    """Mount the host in an app that has a login."""
    login = Middleware(AuthenticationMiddleware, backend=Around())
    return Starlette(routes=[Mount("/agent", host.app)], middleware=[login])


@pytest.mark.parametrize(
    ("login", "kind", "id"),
    [
        ("ada", "caller", "ada"),
        ("nameless", "caller", "shown"),
        ("numbered", "caller", "7"),
        ("odd", "anonymous", "anonymous"),
        ("", "anonymous", "anonymous"),
    ],
)
async def test_the_user_of_the_app_around_is_the_principal(telling: Any, login: str, kind: str, id: str) -> None:
    """Without `auth=`, nobody logged in means anonymous."""
    answer = await get(around(host_of(telling)), "/agent/probe", headers={"x-login": login})
    assert answer.json() == ["default", kind, id]


async def test_a_user_without_any_identity_is_an_error_and_nobody(telling: Any) -> None:
    """Two of those would be one owner otherwise. The probe goes on answering."""
    app = around(host_of(telling))
    assert (await get(app, "/agent/probe", headers={"x-login": "empty"})).status == 500
    assert (await get(app, "/agent/readiness", headers={"x-login": "empty"})).status == 200


async def test_auth_decides_alone_when_both_are_there(telling: Any) -> None:
    """A login of the app around does not open what `auth=` guards, nor change who is calling."""
    app = around(host_of(telling, auth=by_name))
    assert (await get(app, "/agent/probe", headers={"x-login": "ada"})).status == 401
    both = {"x-login": "ada", "authorization": "Bearer bob"}
    assert (await get(app, "/agent/probe", headers=both)).json() == ["acme", "caller", "bob"]


async def test_auth_may_be_the_login_of_the_app_around(telling: Any) -> None:
    """Then whoever is not logged in is refused."""
    app = around(host_of(telling, auth=mounted_user))
    assert (await get(app, "/agent/probe", headers={"x-login": "ada"})).json() == ["default", "caller", "ada"]
    assert (await get(app, "/agent/probe")).status == 401
    assert (await get(app, "/agent/readiness")).status == 200


async def test_a_backends_user_and_scopes_reach_the_endpoints(make_probe: Any) -> None:
    """As behind Starlette's own middleware."""

    @requires("authenticated")
    async def user(request: Request) -> PlainTextResponse:
        return PlainTextResponse(request.user.display_name)

    app = host_of(make_probe(routes=[Route("/", user)]), auth=Backend()).app
    assert (await get(app, headers=ADA)).text == "ada"


def webhook(make_probe: Any, **more: Any) -> Any:
    """Return a channel with a webhook that it verifies itself, beside a route that takes everything."""

    async def received(_: Request) -> PlainTextResponse:
        return PlainTextResponse(f"received from {probe.context.principal.kind}")

    async def rest(_: Request) -> PlainTextResponse:
        return PlainTextResponse("rest")

    probe = make_probe(
        routes=[Route("/{rest:path}", rest)],
        verified_routes=[VerifiedRoute(Route("/hook", received, methods=["POST"]), "secret token")],
        siblings=[SiblingRoute(Route("/.well-known/hook", received), verifier="secret token")],
        **more,
    )
    return probe


async def test_a_route_that_its_channel_verifies_is_reached_without_the_hosts_authentication(make_probe: Any) -> None:
    """Exactly this route; nobody is calling there, as far as the host knows."""
    app = host_of(webhook(make_probe), auth=by_name).app
    assert (await get(app, "/probe/hook", method="POST", headers=ADA)).text == "received from anonymous"
    assert (await get(app, "/probe/hook", method="POST")).text == "received from anonymous"
    assert (await get(app, "/.well-known/hook")).text == "received from anonymous"
    for method, path in [("GET", "/probe/hook"), ("POST", "/probe/hook/"), ("GET", "/probe/other")]:
        assert (await get(app, path, method=method)).status == 401


def test_every_route_of_an_app_has_one_authenticator_by_name(make_probe: Any, telling: Any) -> None:
    """What a review needs to see, and all of it: the app has no route besides."""
    telling.name, telling.path = "telling", "/telling"
    host = host_of(webhook(make_probe), telling, auth=by_name)
    assert [entrance.route for entrance in host.entrances] == list(host.app.routes)
    told = {(entrance.path, entrance.methods and min(entrance.methods)): entrance for entrance in host.entrances}
    assert {key: (entrance.channel, entrance.authenticated_by) for key, entrance in told.items()} == {
        ("/readiness", "GET"): (None, "nobody"),
        ("/livez", "GET"): (None, "nobody"),
        ("/probe/hook", "POST"): ("probe", "secret token"),
        ("/probe/{rest:path}", "GET"): ("probe", "host"),
        ("/.well-known/hook", "GET"): ("probe", "secret token"),
        ("/telling", "GET"): ("telling", "host"),
        ("/telling/", "GET"): ("telling", "host"),
        ("/telling/ws", None): ("telling", "host"),
        ("/telling/below", None): ("telling", "host"),
        ("/v1/who", "GET"): ("telling", "host"),
    }


@pytest.mark.parametrize("name", ["", "nobody"])
def test_a_verifier_without_a_name_is_refused(make_probe: Any, name: str) -> None:
    """Somebody must stand for every route."""
    route = Route("/hook", Backend)
    with pytest.raises(ConfigurationError, match=r"channel 'probe' names .* as its verifier"):
        host_of(make_probe(verified_routes=[VerifiedRoute(route, name)]))


async def test_a_route_that_was_added_to_the_app_by_hand_is_guarded_as_well(telling: Any) -> None:
    """Nobody declared it, so the host authenticates."""

    async def late(_: Request) -> PlainTextResponse:
        return PlainTextResponse("late")

    app = host_of(telling, auth=by_name).app
    app.router.routes.append(Route("/late", late))
    assert (await get(app, "/late")).status == 401
    assert (await get(app, "/late", headers=ADA)).text == "late"


async def test_refusals_read_as_the_channel_whose_route_it_is_says_errors(make_probe: Any) -> None:
    """Below its path and at its siblings; the host's own shape everywhere else."""

    def render(description: ErrorDescription) -> Response:
        return PlainTextResponse(f"probe says {description.code}", status_code=description.status)

    app = host_of(webhook(make_probe, render_error=render), auth=by_name).app
    answer = await get(app, "/probe/other")
    assert (answer.status, answer.text) == (401, "probe says unauthenticated")
    assert answer.headers["www-authenticate"] == "Bearer"
    assert (await get(app, "/elsewhere")).json()["error"]["code"] == "unauthenticated"


async def test_a_host_that_is_called_from_within_another_ones_request_knows_nobody_of_it(
    make_probe: Any, telling: Any
) -> None:
    """Two hosts in one process share context variables, and nothing else."""

    async def ask_the_other(_: Request) -> JSONResponse:
        return JSONResponse([probe.context.principal.id, (await get(inner)).json()[2]])

    inner = host_of(telling).app
    probe = make_probe(routes=[Route("/", ask_the_other)])

    async def in_this_context(scope: Any, receive: Any, send: Any) -> None:
        await host_of(probe, auth=by_name).app(scope, receive, send)

    assert (await get(in_this_context, headers=ADA)).json() == ["ada", "anonymous"]


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({"auth": by_name}, "authenticated by by_name."),
        ({"auth": ApiKeys({"ada": hash_key(new_key())})}, "authenticated by ApiKeys."),
        ({"auth": Backend(), "trust_isolation_headers": True}, "authenticated by Backend, then named by the isolation"),
        ({"trust_isolation_headers": True}, "named by the isolation headers of a trusted platform."),
        ({}, "anonymous, unless an app around the host names them."),
    ],
)
async def test_the_start_line_says_who_authenticates(
    caplog: pytest.LogCaptureFixture, options: dict[str, Any], line: str
) -> None:
    """In the one line that there is."""
    caplog.set_level(logging.INFO, logger="agent_framework.hosting")
    async with host_of(**options):
        pass
    (record,) = caplog.records
    assert f"Callers: {line}" in record.getMessage()
