"""Where a request comes to: foreseen or found out, it is where Starlette's router would take it."""

from __future__ import annotations

import gc
import logging
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.middleware import Middleware
from starlette.requests import HTTPConnection, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Host, Match, Mount, Route, Router, WebSocketRoute
from starlette.testclient import TestClient
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket

from agent_framework_hosting._answer import answer_by
from agent_framework_hosting._headers import Headers
from agent_framework_hosting._ways import Entrances
from agent_framework_hosting.auth import ApiKeys, hash_key, new_key
from agent_framework_hosting.door import Door
from agent_framework_hosting.entrances import Entrance
from agent_framework_hosting.host import AgentFrameworkHost
from agent_framework_hosting.limits import Limits
from agent_framework_hosting.logs import access_logger
from agent_framework_hosting.testing import InMemoryDriver, ScriptedAgent
from agent_framework_hosting.types import Principal
from agent_framework_hosting.web.body import read_body
from agent_framework_hosting.web.endpoint import Endpoint, send_json


async def here(_: Request) -> Response:
    return PlainTextResponse("here")


def ada(_: HTTPConnection) -> Principal:
    return Principal(id="ada")


async def live(socket: WebSocket) -> None:
    await socket.close()


class OddRoute(Route):
    """Looks at more than method and path."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        if (b"x-odd", b"1") not in scope["headers"]:
            return Match.NONE, {}
        return super().matches(scope)


ROUTES = [
    Route("/a", here),
    Route("/a", here, methods=["POST"]),
    Route("/a", Endpoint({})),
    Route("/a/b", here, methods=["GET", "DELETE"]),
    Route("/{name}", here, methods=["PUT"]),
    Route("/{rest:path}", Endpoint({})),
    Mount("/a", routes=[Route("/b", here)]),
    WebSocketRoute("/a", live),
    Host("odd.example.com", Router([Route("/a", here)])),
    OddRoute("/a", here),
]


@st.composite
def scopes(draw: st.DrawFn) -> Scope:
    kind = draw(st.sampled_from(["http", "websocket"]))
    headers = draw(st.lists(st.sampled_from([(b"host", b"odd.example.com"), (b"x-odd", b"1")]), unique=True))
    scope: Scope = {"type": kind, "path": draw(st.sampled_from(["/a", "/a/", "/a/b", "/c", "/"])), "headers": headers}
    if kind == "http":
        scope["method"] = draw(st.sampled_from(["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "BREW"]))
    if draw(st.booleans()):
        scope |= {
            "root_path": draw(st.sampled_from(["", "/a"])),
            "path_params": draw(st.sampled_from([{}, {"x": "1"}])),
        }
    return scope


@given(st.lists(st.sampled_from(ROUTES), unique_by=id), st.lists(scopes(), min_size=1, max_size=4))
def test_a_request_comes_to_where_the_router_takes_it(routes: list[BaseRoute], asked: list[Scope]) -> None:
    entrances = Entrances([Entrance(route=route) for route in routes])
    for scope in asked:
        matches = [(route, *route.matches(scope)) for route in routes]
        whole = next((each for each in matches if each[1] is Match.FULL), None)
        nearly = next((each for each in matches if each[1] is Match.PARTIAL), None)
        wanted = whole or nearly
        for _ in range(2):  # what was found is kept in the scope
            place = entrances.locate(scope)
            if wanted is None:
                assert place is None
            else:
                assert place is not None
                assert (place.entrance.route, place.child_scope) == (wanted[0], wanted[2])
                assert place.entrance.route is wanted[0]
                assert place.is_whole is (whole is not None)


def test_a_path_without_parameters_asks_no_route(monkeypatch: pytest.MonkeyPatch) -> None:
    entrances = Entrances([Entrance(route=Route("/a", Endpoint({}))), Entrance(route=Route("/b", here))])
    monkeypatch.delattr(Route, "matches")
    places = [entrances.find({"type": "http", "method": "GET", "path": path, "headers": []}) for path in ("/a", "/b")]
    assert [place and place.path for place in places] == ["/a", "/b"]


def test_what_a_request_does_to_its_parameters_stays_with_it(make_probe: Any) -> None:
    """A place that was foreseen is one for all requests; the parameters are not."""
    seen: list[dict[str, Any]] = []

    async def mark(scope: Scope, receive: Receive, send: Send, *, request_id: bytes) -> None:
        del receive
        seen.append(dict(scope["path_params"]))
        scope["path_params"]["mark"] = "mine"
        await send_json(send, 200, b"{}", request_id=request_id, headers=[])

    channel = make_probe("probe", "/probe", routes=[Route("/", Endpoint({"POST": mark}))])
    with TestClient(AgentFrameworkHost(ScriptedAgent(), channels=[channel]).app) as client:
        assert [client.post("/probe").status_code for _ in range(2)] == [200, 200]
    assert seen == [{}, {}]


@pytest.mark.parametrize("options", [{}, {"auth": ada}, {"trust_isolation_headers": True}])
async def test_a_request_has_one_scope_and_keeps_no_headers_once_its_body_is_read(
    options: dict[str, Any], make_probe: Any
) -> None:
    """What is copied, or taken apart, is held for as long as a stream is open."""
    scopes: list[Scope] = []

    async def read(scope: Scope, receive: Receive, send: Send, *, request_id: bytes) -> None:
        scopes.append(scope)
        before = [key for key, value in scope.items() if isinstance(value, Headers)]
        await read_body(scope, receive, limits=Limits())
        assert before
        assert not [key for key in before if key in scope]
        gc.collect()
        assert not [each for each in gc.get_objects() if type(each) is Headers]
        await send_json(send, 200, b"{}", request_id=request_id, headers=[])

    host = AgentFrameworkHost(
        ScriptedAgent(),
        channels=[make_probe("probe", "/probe", routes=[Route("/", Endpoint({"POST": read}))])],
        **options,
    )

    async def around(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            scopes.append(scope)
        await host.app(scope, receive, send)

    async with InMemoryDriver(around) as driver:
        assert (await driver.request("POST", "/probe", json={})).status == 200
    first, last = scopes
    assert first is last


@pytest.mark.parametrize(("around", "times"), [(0, 1), (2, 2)])
async def test_a_request_is_looked_up_and_taken_apart_once_and_again_behind_middleware_of_others(
    around: int, times: int, make_probe: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By all who look at it together: guard, isolation headers, authentication, load, the route and the body."""
    calls: list[str] = []

    class Counted(Headers):
        def __init__(self, raw: Any) -> None:
            calls.append("read")
            super().__init__(raw)

    class Looking:
        def __init__(self, app: ASGIApp) -> None:
            self.app = app

        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            await self.app(scope, receive, send)

    async def read(scope: Scope, receive: Receive, send: Send, *, request_id: bytes) -> None:
        await read_body(scope, receive, limits=Limits())
        await send_json(send, 200, b"{}", request_id=request_id, headers=[])

    def locate(entrances: Entrances, scope: Scope) -> Any:
        calls.append("located")
        return found(entrances, scope)

    found = Entrances.locate
    monkeypatch.setattr(Entrances, "locate", locate)
    monkeypatch.setattr("agent_framework_hosting._headers.Headers", Counted)
    key = new_key()
    host = AgentFrameworkHost(
        ScriptedAgent(),
        channels=[make_probe("probe", "/probe", routes=[Route("/", Endpoint({"POST": read}))])],
        auth=ApiKeys({"ada": hash_key(key)}),
        door=Door(middleware=[Middleware(Looking)] * around),
    )
    async with InMemoryDriver(host.app) as driver:
        headers = {"authorization": f"Bearer {key}"}
        assert (await driver.request("POST", "/probe", json={}, headers=headers)).status == 200
    assert sorted(calls) == ["located"] * times + ["read"] * times


async def test_an_answer_that_is_watched_is_not_watched_again() -> None:
    async def send(message: Message) -> None:
        del message

    outer = answer_by(send)
    assert answer_by(outer) is outer
    assert not outer.has_begun
    await outer({"type": "http.response.start"})
    assert outer.has_begun


@pytest.mark.parametrize(
    ("path", "template"),
    [("/probe/below/x", "/probe/below"), ("/probe/7", "/probe/{id}"), ("/probe/any", "/probe/any")],
)
async def test_where_a_request_went_is_told_by_its_path_as_it_came(
    path: str, template: str, make_probe: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """Routes put their parameters into the scope, and mounts what they took of the path."""

    async def found(scope: Scope, receive: Receive, send: Send, *, request_id: bytes) -> None:
        del scope, receive
        await send_json(send, 200, b"{}", request_id=request_id, headers=[])

    routes = [
        Mount("/below", routes=[Route("/x", here)]),
        Route("/any", here),
        Route("/{id}", Endpoint({"GET": found})),
    ]
    host = AgentFrameworkHost(ScriptedAgent(), channels=[make_probe("probe", "/probe", routes=routes)])
    caplog.set_level(logging.INFO, access_logger.name)
    async with InMemoryDriver(host.app) as driver:
        assert (await driver.request("GET", path)).status == 200
    told: list[Any] = [record for record in caplog.records if record.name == access_logger.name]
    assert [each.fields["route"] for each in told] == [template]
