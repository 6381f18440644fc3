"""Headers are taken apart once, and never stay what they were when somebody has changed them."""

from __future__ import annotations

import inspect
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from starlette.middleware import Middleware
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send

from agent_framework_hosting._headers import Headers, headers_of
from agent_framework_hosting.auth import ApiKeys, bearer_token, hash_key, new_key
from agent_framework_hosting.door import Door
from agent_framework_hosting.host import AgentFrameworkHost
from agent_framework_hosting.testing import InMemoryDriver, ScriptedAgent
from agent_framework_hosting.types import Principal

NAMES = st.sampled_from([b"host", b"origin", b"accept"])


@given(st.lists(st.tuples(NAMES, st.binary(max_size=3))), NAMES)
def test_a_header_has_all_its_values_and_one_alone_only_when_it_was_sent_once(
    raw: list[tuple[bytes, bytes]], name: bytes
) -> None:
    values = [value for header, value in raw if header == name]
    headers = Headers(raw)
    assert headers.all(name) == values
    assert headers.once.get(name) == (values[0] if len(values) == 1 else None)
    assert headers.by_name.get(name) == (values[-1] if values else None)


def test_they_are_read_once_and_again_when_there_are_others() -> None:
    scope: Scope = {"headers": [(b"host", b"one")]}
    first = headers_of(scope)
    assert headers_of(scope) is first
    scope["headers"].append((b"host", b"two"))
    assert headers_of(scope).all(b"host") == [b"one", b"two"]
    scope["headers"] = [(b"host", b"three")]
    assert headers_of(scope).once.get(b"host") == b"three"


async def test_a_key_that_middleware_puts_in_place_of_another_is_the_one_that_counts() -> None:
    """The list of headers is the same one and as long as before; the guard has read it by then."""
    key = new_key()

    class Exchanging:
        def __init__(self, app: ASGIApp) -> None:
            self.app = app

        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            headers: Any = scope.get("headers", [])
            for index, (name, value) in enumerate(headers):
                if name == b"authorization":
                    told = key if value == b"Bearer short" else "none"
                    headers[index] = (name, f"Bearer {told}".encode())
            await self.app(scope, receive, send)

    door = Door(middleware=[Middleware(Exchanging)])
    host = AgentFrameworkHost(ScriptedAgent(), channels=[], auth=ApiKeys({"ada": hash_key(key)}), door=door)
    async with InMemoryDriver(host.app) as driver:
        said = [
            await driver.request("GET", "/x", headers={"authorization": f"Bearer {each}"}) for each in ("short", key)
        ]
    assert [answer.status for answer in said] == [404, 401]


async def test_keys_that_were_made_into_something_else_are_asked_their_own_way() -> None:
    class Closed(ApiKeys):
        async def __call__(self, connection: Any) -> Principal | None:
            del connection
            return None

    key = new_key()
    host = AgentFrameworkHost(ScriptedAgent(), channels=[], auth=Closed({"ada": hash_key(key)}))
    async with InMemoryDriver(host.app) as driver:
        answer = await driver.request("GET", "/x", headers={"authorization": f"Bearer {key}"})
    assert answer.status == 401


async def test_a_key_that_the_app_around_the_host_takes_away_does_not_count_though_it_was_read_there() -> None:
    key = new_key()
    host = AgentFrameworkHost(ScriptedAgent(), channels=[], auth=ApiKeys({"ada": hash_key(key)}))

    async def around(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            assert bearer_token(HTTPConnection(scope)) == key
            scope["headers"][:] = [
                (name, b"Bearer none" if name == b"authorization" else value) for name, value in scope["headers"]
            ]
        await host.app(scope, receive, send)

    async with InMemoryDriver(around) as driver:
        answer = await driver.request("GET", "/x", headers={"authorization": f"Bearer {key}"})
    assert answer.status == 401


async def test_middleware_that_asks_which_asgi_it_stands_before_finds_a_coroutine_function() -> None:
    """As OpenTelemetry's does, by asgiref's rules: it would call anything else with the scope alone."""
    found: list[ASGIApp] = []

    class Asking:
        def __init__(self, app: ASGIApp) -> None:
            found.append(app)
            self.app = app

        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            await self.app(scope, receive, send)

    host = AgentFrameworkHost(ScriptedAgent(), channels=[], door=Door(middleware=[Middleware(Asking)] * 2))
    async with InMemoryDriver(host.app) as driver:
        assert (await driver.request("GET", "/x")).status == 404
    assert [inspect.iscoroutinefunction(app) or inspect.iscoroutinefunction(app.__call__) for app in found] == [
        True
    ] * 2
