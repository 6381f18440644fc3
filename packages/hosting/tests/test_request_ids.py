"""Every answer has the id of its request, whoever gave it; the log tells of each request under the same id."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Mapping
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.types import Message, Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect

from agent_framework_hosting.channel import Task
from agent_framework_hosting.host import AgentFrameworkHost
from agent_framework_hosting.limits import Limits
from agent_framework_hosting.logs import access_logger, logger
from agent_framework_hosting.testing import Gate, InMemoryDriver, ScriptedAgent
from agent_framework_hosting.web.endpoint import Endpoint
from agent_framework_hosting.web.events import EventStream

CANARY = "hunter2-canary"
FORGED = "req_1\r\nX-Evil: 1"


def host_of(*channels: Any, **options: Any) -> AgentFrameworkHost:
    return AgentFrameworkHost(ScriptedAgent(), channels=channels, **options)


async def fine(_: Request) -> PlainTextResponse:
    return PlainTextResponse("fine")


async def broken(_: Request) -> PlainTextResponse:
    raise ValueError(CANARY)


def is_id(value: str | None) -> bool:
    return value is not None and value.startswith("req_") and len(value) == 36


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        ("GET", "/readiness", {}, 200),
        ("GET", "/livez", {}, 200),
        ("POST", "/livez", {}, 405),
        ("GET", "/nowhere", {"authorization": "Bearer ada"}, 404),
        ("GET", "/probe", {"authorization": "Bearer ada"}, 200),
        ("PUT", "/probe", {"authorization": "Bearer ada"}, 405),
        ("GET", "/probe", {}, 401),
        ("GET", "/probe/broken", {"authorization": "Bearer ada"}, 500),
        ("GET", "/probe", {"x-agent-user-isolation-key": "x" * 600}, 400),
    ],
)
async def test_every_answer_has_an_id_of_the_hosts_own(
    make_probe: Any, method: str, path: str, headers: Mapping[str, str], status: int
) -> None:
    """Of probes and refusals, too; an id that the caller sends does not take its place."""
    probe = make_probe(routes=[Route("/", fine), Route("/broken", broken)])
    host = host_of(probe, auth=who, trust_isolation_headers=True)
    async with InMemoryDriver(host.app) as driver:
        first = await driver.request(method, path, headers={**headers, "x-request-id": "mine"})
        second = await driver.request(method, path, headers={**headers, "x-request-id": "mine"})
    assert (first.status, second.status) == (status, status)
    ids = [answer.headers.get("x-request-id") for answer in (first, second)]
    assert all(map(is_id, ids))
    assert ids[0] != ids[1]


def who(request: Any) -> Any:
    from agent_framework_hosting.types import Principal

    return Principal(id="ada", kind="caller") if "authorization" in request.headers else None


async def test_the_same_id_is_in_the_answer_and_in_the_log(make_probe: Any, caplog: pytest.LogCaptureFixture) -> None:
    async def logs(_: Request) -> PlainTextResponse:
        await asyncio.create_task(said())
        return PlainTextResponse("done")

    async def said() -> None:
        logger.warning("from inside")

    async with InMemoryDriver(host_of(make_probe(routes=[Route("/", logs)])).app) as driver:
        answer = await driver.request("GET", "/probe", headers={"x-request-id": "checkout-7"})
    (record,) = [each for each in caplog.records if each.getMessage() == "from inside"]
    assert getattr(record, "request_id", None) == answer.headers["x-request-id"]
    assert getattr(record, "client_request_id", None) == "checkout-7"


@pytest.mark.parametrize("sent", ["a b", "x" * 129, "", "é", "a\tb", 'a"b', "a;b"])
async def test_a_callers_id_that_makes_no_sense_is_not_repeated(
    make_probe: Any, caplog: pytest.LogCaptureFixture, sent: str
) -> None:
    async def logs(_: Request) -> PlainTextResponse:
        logger.warning("from inside")
        return PlainTextResponse("done")

    app = host_of(make_probe(routes=[Route("/", logs)])).app
    await called(app, "/probe", [(b"x-request-id", sent.encode("latin-1"))])
    (record,) = [each for each in caplog.records if each.getMessage() == "from inside"]
    assert getattr(record, "client_request_id", "") is None


async def called(app: Any, path: str, headers: list[tuple[bytes, bytes]]) -> list[Message]:
    """Call an app as a server that checks no header."""
    sent: list[Message] = []

    arrived = [{"type": "http.request", "body": b"", "more_body": False}]

    async def receive() -> Message:
        if arrived:
            return arrived.pop()
        await asyncio.Event().wait()
        raise AssertionError("Nobody sets it.")

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "GET",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "headers": headers,
    }
    await app({**scope, "query_string": b"", "scheme": "http", "server": ("h", 1), "client": ("c", 1)}, receive, send)
    return sent


async def test_an_endpoint_of_ones_own_app_makes_its_own_id() -> None:
    """Channels' endpoints serve without a host, too."""

    class Refuses:
        async def __call__(self, scope: Any, receive: Any, send: Any, *, request_id: bytes) -> None:
            raise ValueError(CANARY)

    start, *_ = await called(Endpoint({"GET": Refuses()}), "/", [])
    assert is_id(dict(start["headers"])[b"x-request-id"].decode())


def test_a_websocket_is_accepted_with_its_id(make_probe: Any) -> None:
    async def socket(websocket: WebSocket) -> None:
        await websocket.accept(headers=[(b"x-other", b"1")])
        await websocket.close()

    client = TestClient(host_of(make_probe(routes=[WebSocketRoute("/ws", socket)])).app)
    with client.websocket_connect("/probe/ws") as websocket:
        headers = {name.decode(): value.decode() for name, value in websocket.extra_headers or ()}
        assert is_id(headers["x-request-id"])
        assert headers["x-other"] == "1"
        with pytest.raises(WebSocketDisconnect):
            websocket.receive_text()


async def test_an_unknown_exception_is_logged_once_and_ends_in_an_answer(
    make_probe: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """It does not go on to the server, which would print it with all that it says."""
    async with InMemoryDriver(host_of(make_probe(routes=[Route("/", broken)])).app) as driver:
        answer = await driver.request("GET", "/probe")
    assert answer.status == 500
    errors = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert len(errors) == 1
    assert CANARY not in caplog.text + answer.text


async def test_an_answer_that_breaks_off_tells_the_server_nothing(
    make_probe: Any, caplog: pytest.LogCaptureFixture
) -> None:
    async def halves() -> AsyncGenerator[str]:
        yield "half"
        raise ValueError(CANARY)

    async def endpoint(_: Request) -> StreamingResponse:
        return StreamingResponse(halves())

    app = host_of(make_probe(routes=[Route("/", endpoint)])).app
    with pytest.raises(Exception, match="broke off") as raised:
        await called(app, "/probe", [])
    assert raised.value.__cause__ is None
    assert raised.value.__suppress_context__
    assert CANARY not in caplog.text
    assert "in halves" in "".join(record.exc_text or "" for record in caplog.records)


async def test_each_request_gets_a_line_when_that_is_wanted(make_probe: Any, caplog: pytest.LogCaptureFixture) -> None:
    """By the route, never by what was asked for: paths carry ids and tokens. Probes are not worth a line."""
    caplog.set_level(logging.INFO)
    access_logger.setLevel(logging.INFO)
    probe = make_probe(routes=[Route("/of/{name}", fine), Route("/broken", broken)])
    async with InMemoryDriver(host_of(probe).app) as driver:
        first = await driver.request("GET", f"/probe/of/{CANARY}?token={CANARY}")
        await driver.request("GET", "/probe/broken")
        await driver.request("GET", f"/{CANARY}")
        await driver.request("GET", "/readiness")
        await driver.request(CANARY, "/probe/of/x")
    records = [record for record in caplog.records if record.name == access_logger.name]
    lines = [record.getMessage().partition(" in ")[0] for record in records]
    assert lines == [
        "GET /probe/of/{name} 200",
        "GET /probe/broken 500",
        "GET - 404",
        "_OTHER /probe/of/{name} 405",
    ]
    assert "internal_error" in records[1].getMessage() or "run_failed" in records[1].getMessage()
    assert getattr(records[0], "request_id", None) == first.headers["x-request-id"]
    assert CANARY not in caplog.text


async def test_an_answer_whose_last_part_nobody_reads_is_told_as_cut(
    make_probe: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """What was handed to the server is not what a client has."""

    gate, cut = Gate(), asyncio.Event()

    async def events() -> AsyncGenerator[bytes, None]:
        yield b"what the line holds"
        await gate.wait()
        yield b"what it does not"

    async def unread(scope: Scope, receive: Receive, send: Send) -> None:
        await EventStream(events(), limits=Limits(stall_timeout=0.05))(scope, receive, send)
        cut.set()

    caplog.set_level(logging.INFO)
    access_logger.setLevel(logging.INFO)
    probe = make_probe(routes=[Mount("/", app=unread)])
    async with InMemoryDriver(host_of(probe).app) as driver, driver.stream("GET", "/probe/", window=0):
        await gate.wait_reached()
        gate.open()
        async with asyncio.timeout(30):
            await cut.wait()
    (line,) = [record.getMessage() for record in caplog.records if record.name == access_logger.name]
    assert line.endswith(", cut")


async def test_work_that_was_accepted_is_logged_under_the_request_that_brought_it(
    make_probe: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """Also when it fails, and is given up."""
    done = asyncio.Event()

    async def fails(_: Task) -> None:
        logger.warning("at work")
        raise ValueError(CANARY)

    async def give_up(_: Task) -> None:
        done.set()

    probe = make_probe()

    async def accept(_: Request) -> PlainTextResponse:
        await probe.context.tasks.accept(kind="work", id="1", line="l", payload={})
        return PlainTextResponse("accepted")

    probe.routes = [Route("/", accept)]
    host = host_of(probe, limits=Limits(task_failures=1))
    probe.context.tasks.handle("work", fails, on_give_up=give_up)
    async with host, InMemoryDriver(host.app) as driver:
        answer = await driver.request("GET", "/probe")
        await done.wait()
    told = {record.getMessage().partition(" (")[0]: record for record in caplog.records}
    for line in ("at work", "A task failed", "A task is given up"):
        assert getattr(told[line], "request_id", None) == answer.headers["x-request-id"], line
    assert CANARY not in caplog.text


async def test_livez_answers_while_the_host_drains_and_cannot_be_shadowed(make_probe: Any) -> None:
    from agent_framework_hosting.errors import ConfigurationError

    host = host_of(make_probe(name="root", path="", routes=[Route("/{rest:path}", fine)]))
    async with InMemoryDriver(host.app) as driver:
        host.begin_drain()
        livez, readiness = [await driver.request("GET", path) for path in ("/livez", "/readiness")]
    assert (livez.status, livez.text, livez.headers["content-type"]) == (200, "ok", "text/plain; charset=utf-8")
    assert (readiness.status, readiness.text) == (503, "draining")
    with pytest.raises(ConfigurationError, match=r"'/livez' is wanted .* taken by the host's liveness probe"):
        host_of(make_probe(path="/livez", routes=[Route("/", fine)]))
