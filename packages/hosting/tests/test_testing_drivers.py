"""One body of tests over both drivers: what holds in memory holds over sockets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, TypeAlias

import pytest
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from agent_framework_hosting.testing import AnswerCut, Driver, Gate, InMemoryDriver, LoopbackDriver, ScriptedAgent

MakeDriver: TypeAlias = Callable[..., Driver]

CHUNK = b"x" * 16 * 1024


@pytest.fixture(params=[InMemoryDriver, LoopbackDriver])
def driver_of(request: pytest.FixtureRequest) -> MakeDriver:
    return request.param


def app_of(endpoint: Callable[[Request], Any], **options: Any) -> Starlette:
    return Starlette(routes=[Route("/{rest:path}", endpoint, methods=["GET", "POST", "HEAD", "DELETE"])], **options)


async def mirror(request: Request) -> Response:
    """Answer with what came in."""
    return JSONResponse(
        {
            "method": request.method,
            "path": request.url.path,
            "query": request.url.query,
            "headers": dict(request.headers),
            "body": (await request.body()).decode(),
        },
        status_code=201,
        headers={"x-twice": "1"},
    )


def streaming(*steps: bytes | Gate) -> Callable[[Request], StreamingResponse]:
    async def body() -> AsyncIterator[bytes]:
        for step in steps:
            if isinstance(step, Gate):
                await step.wait()
            else:
                yield step

    return lambda _: StreamingResponse(body(), media_type="text/event-stream")


async def test_a_request_gives_its_whole_answer(driver_of: MakeDriver) -> None:
    """Status, headers and body; JSON goes in and comes out."""
    async with driver_of(app_of(mirror)) as driver:
        answer = await driver.request("post", "/a%20b?c=d", json={"größe": 1}, headers={"X-One": "ä"})
    assert (answer.status, answer.headers["X-Twice"]) == (201, "1")
    seen = answer.json()
    assert (seen["method"], seen["path"], seen["query"]) == ("POST", "/a b", "c=d")
    assert seen["body"] == '{"größe": 1}'
    assert seen["headers"]["content-type"] == "application/json"
    assert seen["headers"]["content-length"] == str(len(seen["body"].encode()))
    assert seen["headers"]["x-one"] == "ä"
    assert seen["headers"]["host"] == driver.base_url.removeprefix("http://")


async def test_given_headers_win_over_implied_ones(driver_of: MakeDriver) -> None:
    """Names in any case; a header may come twice."""
    async with driver_of(app_of(mirror)) as driver:
        headers = [("Content-Type", "application/x"), ("HOST", "elsewhere"), ("x-a", "1"), ("x-a", "2")]
        answer = await driver.request("POST", "/", json=1, headers=headers)
    seen = answer.json()["headers"]
    assert (seen["content-type"], seen["host"]) == ("application/x", "elsewhere")


async def test_a_length_may_be_announced_for_a_body_in_chunks(driver_of: MakeDriver) -> None:
    """Then it is not sent as chunked."""
    async with driver_of(app_of(mirror)) as driver:
        answer = await driver.request("POST", "/", body=[b"a", b"b"], headers={"Content-Length": "2"})
    assert answer.json()["body"] == "ab"
    assert answer.json()["headers"].keys() & {"content-length", "transfer-encoding"} == {"content-length"}


@pytest.mark.parametrize("method", ["GET", "DELETE", "POST"])
async def test_a_request_may_have_no_body(driver_of: MakeDriver, method: str) -> None:
    """The app sees an empty one."""
    async with driver_of(app_of(mirror)) as driver:
        assert (await driver.request(method, "/")).json()["body"] == ""


async def test_a_request_body_may_come_in_chunks(driver_of: MakeDriver) -> None:
    """The app has the first chunk before the second is sent; no length is announced."""
    got_first = Gate()
    got_first.open()

    async def collect(request: Request) -> Response:
        chunks: list[bytes] = []
        async for chunk in request.stream():
            if chunk:
                chunks.append(chunk)
                await got_first.wait()
        return JSONResponse([len(chunks), b"".join(chunks).decode(), request.headers.get("content-length")])

    async def body() -> AsyncIterator[bytes]:
        yield b"one "
        await got_first.wait_reached()
        yield b"two"

    async with driver_of(app_of(collect)) as driver:
        answer = await driver.request("POST", "/", body=body())
        assert answer.json() == [2, "one two", None]
        assert (await driver.request("POST", "/", body=[b"a", b"b"])).json()[1] == "ab"


async def test_a_failing_body_is_the_tests_own_error(driver_of: MakeDriver) -> None:
    """What the body's generator raises comes out of the request; the app sees a disconnect."""

    async def body() -> AsyncIterator[bytes]:
        yield b"one"
        raise LookupError("in the test")

    noticed = Gate()
    noticed.open()

    async def collect(request: Request) -> Response:
        try:
            await request.body()
        except ClientDisconnect:
            await noticed.wait()
        return PlainTextResponse("")

    async with driver_of(app_of(collect)) as driver:
        with pytest.raises(LookupError, match="in the test"):
            await driver.request("POST", "/", body=body())
        await noticed.wait_reached()


async def test_json_and_body_exclude_each_other(driver_of: MakeDriver) -> None:
    """Silently dropping one of them would test something else."""
    async with driver_of(app_of(mirror)) as driver:
        with pytest.raises(ValueError, match="not both"):
            await driver.request("POST", "/", json={}, body=b"")


async def test_chunks_arrive_as_the_app_sends_them(driver_of: MakeDriver) -> None:
    """The first is there while the app still waits to send the second."""
    gate = Gate()
    async with (
        driver_of(app_of(streaming(b"one", gate, b"two"))) as driver,
        driver.stream("GET", "/") as answer,
    ):
        assert (answer.status, answer.headers["content-type"]) == (200, "text/event-stream; charset=utf-8")
        assert await anext(answer) == b"one"
        await gate.wait_reached()
        gate.open()
        assert await answer.read() == b"two"


async def test_events_can_be_read_as_they_come(driver_of: MakeDriver) -> None:
    """Server-Sent Events, one by one."""
    gate = Gate()
    app = app_of(streaming(b'event: a\ndata: {"n"', b": 1}\n\n", gate, b"data: [DONE]\n\n"))
    async with driver_of(app) as driver, driver.stream("GET", "/") as answer:
        events = answer.events()
        assert (await anext(events)).json() == {"n": 1}
        gate.open()
        assert [event.data async for event in events] == ["[DONE]"]


async def test_a_whole_answer_can_be_read_as_events(driver_of: MakeDriver) -> None:
    """For tests that do not care when what came."""
    async with driver_of(app_of(streaming(b"data: 1\n\ndata", b": 2\n\n"))) as driver:
        answer = await driver.request("GET", "/")
    assert [event.json() for event in answer.events()] == [1, 2]


@pytest.mark.parametrize("how", ["disconnect", "leave the block"])
async def test_an_app_notices_that_its_reader_has_left(driver_of: MakeDriver, how: str) -> None:
    """By hanging up, and by leaving the block in the middle."""
    left = Gate()
    left.open()

    async def until_left(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"one", "more_body": True})
        while (await receive())["type"] != "http.disconnect":
            pass
        await left.wait()

    async with driver_of(until_left, lifespan=False) as driver:
        async with driver.stream("GET", "/") as answer:
            assert await anext(answer) == b"one"
            if how == "disconnect":
                await answer.disconnect()
                await answer.disconnect()
                assert await answer.read() == b""
                await left.wait_reached()
        await left.wait_reached()


async def test_an_agent_behind_an_app_can_be_held_back_and_watched(driver_of: MakeDriver) -> None:
    """Gates and records work from the test, in whichever thread the agent runs."""
    gate = Gate()
    agent = ScriptedAgent(["one", gate, "two"])

    async def chat(request: Request) -> Response:
        stream = agent.run((await request.body()).decode(), stream=True)
        return StreamingResponse(update.text async for update in stream)

    async with driver_of(app_of(chat)) as driver, driver.stream("POST", "/", body=b"hi") as answer:
        assert await anext(answer) == b"one"
        await agent.wait_started()
        await gate.wait_reached()
        await answer.disconnect()
        await agent.runs[0].wait_ended()
    assert (agent.runs[0].cancelled, agent.runs[0].seen, agent.runs[0].text) == (True, ["hi"], "one")


async def test_hanging_up_ends_a_read_that_waits(driver_of: MakeDriver) -> None:
    """A reader task and the test that hangs up may be two."""
    gate = Gate()
    async with driver_of(app_of(streaming(b"one", gate))) as driver, driver.stream("GET", "/") as answer:
        assert await anext(answer) == b"one"
        reading = asyncio.create_task(answer.read())
        await gate.wait_reached()
        await answer.disconnect()
        assert await reading == b""


async def test_a_client_may_leave_before_the_answer_has_begun(driver_of: MakeDriver) -> None:
    """Cancelling the request disconnects it."""
    arrived, left = Gate(), Gate()
    arrived.open()
    left.open()

    async def silent(scope: Scope, receive: Receive, send: Send) -> None:
        await arrived.wait()
        while (await receive())["type"] != "http.disconnect":
            pass
        await left.wait()

    async with driver_of(silent, lifespan=False) as driver:
        request = asyncio.create_task(driver.request("GET", "/"))
        await arrived.wait_reached()
        request.cancel()
        await left.wait_reached()


@pytest.mark.parametrize("driver_of", [InMemoryDriver, partial(LoopbackDriver, send_buffer=4096)])
async def test_a_reader_who_does_not_read_holds_the_app_back(driver_of: MakeDriver) -> None:
    """The app's `send` waits, soon; it goes on when the reader reads, and not before."""
    stalled, total = Gate(), 2000
    stalled.open()
    ahead: list[int] = []

    async def flood(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for count in range(total):
            sending = asyncio.ensure_future(send({"type": "http.response.body", "body": CHUNK, "more_body": True}))
            if not stalled.reached and not (await asyncio.wait({sending}, timeout=0.2))[0]:
                ahead.append(count * len(CHUNK))
                await stalled.wait()
            await sending
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async with driver_of(flood, lifespan=False) as driver, driver.stream("GET", "/", window=4096) as answer:
        await stalled.wait_reached()
        assert ahead[0] < 1024 * 1024
        assert len(await answer.read()) == total * len(CHUNK)


async def test_requests_run_side_by_side(driver_of: MakeDriver) -> None:
    """One that waits does not hold up another."""
    gate = Gate()

    async def app(request: Request) -> Response:
        if request.url.path == "/slow":
            await gate.wait()
        return PlainTextResponse(request.url.path)

    async with driver_of(app_of(app)) as driver:
        slow = asyncio.create_task(driver.request("GET", "/slow"))
        await gate.wait_reached()
        assert (await driver.request("GET", "/fast")).text == "/fast"
        gate.open()
        assert (await slow).text == "/slow"


async def test_the_lifespan_runs_around_the_requests(driver_of: MakeDriver) -> None:
    """Start-up before, shutdown after, and its state in every request."""
    phases: list[str] = []

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncGenerator[dict[str, Any]]:
        phases.append("up")
        yield {"greeting": "hello"}
        phases.append("down")

    async def app(request: Request) -> Response:
        phases.append("request")
        return PlainTextResponse(request.state.greeting)

    async with driver_of(app_of(app, lifespan=lifespan)) as driver:
        assert (await driver.request("GET", "/")).text == "hello"
    assert phases == ["up", "request", "down"]


async def test_the_lifespan_can_be_left_out(driver_of: MakeDriver) -> None:
    """For an app whose server runs none."""

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncGenerator[None]:
        raise AssertionError("must not run")
        yield

    async with driver_of(app_of(mirror, lifespan=lifespan), lifespan=False) as driver:
        assert (await driver.request("GET", "/")).status == 201


@pytest.mark.parametrize("phase", ["startup", "shutdown"])
async def test_a_failing_lifespan_raises_the_apps_own_error(driver_of: MakeDriver, phase: str) -> None:
    """Not a report of it."""

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncGenerator[None]:
        if phase == "startup":
            raise LookupError(phase)
        yield
        raise LookupError(phase)

    with pytest.raises(LookupError, match=phase):
        async with driver_of(app_of(mirror, lifespan=lifespan)):
            assert phase == "shutdown"


async def test_an_app_without_a_lifespan_may_return_from_it(driver_of: MakeDriver) -> None:
    """As ASGI allows."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await PlainTextResponse("ok")(scope, receive, send)

    async with driver_of(app) as driver:
        assert (await driver.request("GET", "/")).text == "ok"


async def test_an_app_that_raises_before_its_answer_gives_a_500(driver_of: MakeDriver) -> None:
    """As a server does; the error itself is kept for the test."""

    async def broken(scope: Scope, receive: Receive, send: Send) -> None:
        raise LookupError("in the app")

    async with driver_of(broken, lifespan=False) as driver:
        answer = await driver.request("GET", "/")
    assert (answer.status, answer.body) == (500, b"")
    assert [str(error) for error in driver.errors] == ["in the app"]


async def test_an_app_that_breaks_off_its_answer_is_found_out(driver_of: MakeDriver) -> None:
    """What came before is there; the end is missing, and that is an error."""

    async def broken(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"one", "more_body": True})
        raise LookupError("in the app")

    async with driver_of(broken, lifespan=False) as driver, driver.stream("GET", "/") as answer:
        assert await anext(answer) == b"one"
        with pytest.raises(AnswerCut, match="GET /"):
            await answer.read()


async def test_head_has_no_body(driver_of: MakeDriver) -> None:
    """Whatever the app sends."""
    async with driver_of(app_of(lambda _: PlainTextResponse("hello"))) as driver:
        answer = await driver.request("HEAD", "/")
    assert (answer.status, answer.headers["content-length"], answer.body) == (200, "5", b"")


async def test_silence_ends_in_a_timeout_that_says_where(driver_of: MakeDriver, later: Callable[[float], None]) -> None:
    """Before the answer, and in the middle of it; nothing hangs."""
    app = app_of(streaming(b"one", Gate()))
    async with driver_of(app) as driver, driver.stream("GET", "/x") as answer:
        assert await anext(answer) == b"one"
        reading = asyncio.ensure_future(anext(answer))
        await asyncio.sleep(0)
        later(1000)
        with pytest.raises(TimeoutError, match="next bytes of GET /x"):
            await reading

    asked = Gate()
    asked.open()

    async def silent(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await asked.wait()
        await receive()

    async with driver_of(silent, lifespan=False) as driver:
        asking = asyncio.ensure_future(driver.request("GET", "/x"))
        await asked.wait_reached()
        later(1000)
        with pytest.raises(TimeoutError, match="the answer to GET /x"):
            await asking


async def test_an_answer_reads_well_in_a_failing_assertion(driver_of: MakeDriver) -> None:
    """Status, type, and the beginning of the body."""
    async with driver_of(app_of(lambda _: PlainTextResponse("x" * 600))) as driver:
        answer = await driver.request("GET", "/")
        async with driver.stream("GET", "/a?b") as streamed:
            assert repr(streamed).endswith("Answer 200 of GET /a?b>")
    assert repr(answer) == f"<Answer 200 text/plain; charset=utf-8 b'{'x' * 500}'...>"


async def test_a_driver_outside_its_block_says_how_to_use_it(driver_of: MakeDriver) -> None:
    """Nothing is started behind the test's back."""
    with pytest.raises(RuntimeError, match="inside `async with"):
        await driver_of(app_of(mirror)).request("GET", "/")
