"""What the in-memory driver alone can do: exact chunks, exact windows, and a look at what an app leaves behind."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from contextvars import ContextVar

import pytest
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from agent_framework_hosting.testing import AnswerCut, Gate, InMemoryDriver

START: Message = {"type": "http.response.start", "status": 200, "headers": []}


def body(chunk: bytes, *, more: bool = True) -> Message:
    return {"type": "http.response.body", "body": chunk, "more_body": more}


def counting(sent: list[bytes], *chunks: bytes) -> ASGIApp:
    """An app that notes each chunk once its `send` has returned."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(START)
        for chunk in chunks:
            await send(body(chunk))
            sent.append(chunk)
        await send(body(b"", more=False))

    return app


async def test_with_a_closed_window_a_send_ends_when_its_chunk_is_read() -> None:
    """`window=0` lets a test lead the app step by step."""
    sent: list[bytes] = []
    app = counting(sent, b"one", b"two", b"three")
    async with InMemoryDriver(app, lifespan=False) as driver, driver.stream("GET", "/", window=0) as answer:
        assert sent == []
        assert await anext(answer) == b"one"
        assert await anext(answer) == b"two"
        assert sent == [b"one"]
        assert await answer.read() == b"three"
    assert sent == [b"one", b"two", b"three"]


async def test_an_app_may_run_ahead_by_the_window() -> None:
    """So many unread bytes, and then its next `send` waits."""
    sent: list[bytes] = []
    app = counting(sent, b"1234", b"5678", b"9")
    async with InMemoryDriver(app, lifespan=False) as driver, driver.stream("GET", "/", window=7) as answer:
        assert await anext(answer) == b"1234"
        assert sent == [b"1234"]
        assert await answer.read() == b"56789"


async def test_without_a_window_an_app_never_waits() -> None:
    """It has ended before anything is read, and the chunks are as it sent them."""
    sent: list[bytes] = []
    chunks = [bytes([number]) * 50_000 for number in range(20)]
    app = counting(sent, *chunks)
    async with InMemoryDriver(app, lifespan=False) as driver, driver.stream("GET", "/", window=None) as answer:
        assert sent == chunks
        assert [chunk async for chunk in answer] == chunks


async def test_hanging_up_releases_a_send_that_waits() -> None:
    """What is sent later is dropped, as Hypercorn does."""
    sent: list[bytes] = []
    app = counting(sent, b"one", b"two")
    async with InMemoryDriver(app, lifespan=False) as driver, driver.stream("GET", "/", window=0):
        assert sent == []
    assert sent == [b"one", b"two"]
    assert driver.errors == []


async def test_from_asgi_2_4_a_send_to_nobody_raises() -> None:
    """For apps that rely on it."""
    outcome: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(START)
        while (await receive())["type"] != "http.disconnect":
            pass
        try:
            await send(body(b"late"))
        except OSError as error:
            outcome.append(str(error))

    async with InMemoryDriver(app, lifespan=False, spec_version="2.4") as driver, driver.stream("GET", "/"):
        pass
    assert outcome == ["The client has disconnected."]


async def test_an_answer_may_come_before_the_body_is_read() -> None:
    """A body without end is pulled only as far as the app receives it."""
    pulled: list[int] = []
    closed: list[bool] = []

    async def endless() -> AsyncIterator[bytes]:
        try:
            while True:
                pulled.append(1)
                yield b"x"
        finally:
            closed.append(True)

    async def refuse(scope: Scope, receive: Receive, send: Send) -> None:
        for _ in range(3):
            await receive()
        await PlainTextResponse("too large", 413)(scope, receive, send)

    async with InMemoryDriver(refuse, lifespan=False) as driver:
        answer = await driver.request("POST", "/", body=endless())
    assert (answer.status, answer.text) == (413, "too large")
    assert len(pulled) <= 4
    assert closed == [True]


async def test_receive_tells_of_a_disconnect_once_the_answer_is_complete() -> None:
    """As servers do; an app that waits for it does not hang."""
    got: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await PlainTextResponse("ok")(scope, receive, send)
        got.append((await receive())["type"])

    async with InMemoryDriver(app, lifespan=False) as driver:
        assert (await driver.request("GET", "/")).text == "ok"
    assert got == ["http.disconnect"]


async def test_leaving_the_driver_waits_for_what_apps_do_after_their_answer() -> None:
    """Background work is done when the block is left."""
    gate, done = Gate(), list[str]()

    async def work() -> None:
        await gate.wait()
        done.append("work")

    async def answer(_: Request) -> PlainTextResponse:
        return PlainTextResponse("ok", background=BackgroundTask(work))

    app = Starlette(routes=[Route("/", answer)])
    async with InMemoryDriver(app) as driver:
        assert (await driver.request("GET", "/")).text == "ok"
        assert done == []
        asyncio.get_running_loop().call_soon(gate.open)
    assert done == ["work"]


async def test_an_app_that_outlives_its_readers_is_reported() -> None:
    """It is cancelled, named, and the lifespan is shut down all the same."""
    ended: list[str] = []

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncGenerator[None]:
        yield
        ended.append("lifespan")

    async def deaf(_: Request) -> PlainTextResponse:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("request")
        return PlainTextResponse("never")

    app = Starlette(routes=[Route("/deaf", deaf)], lifespan=lifespan)
    with pytest.raises(TimeoutError, match=r"still worked 0.5 s after its readers had left: \['GET /deaf'\]"):
        async with InMemoryDriver(app, timeout=0.5) as driver:
            with pytest.raises(TimeoutError, match="the answer to GET /deaf"):
                await driver.request("GET", "/deaf")
    assert ended == ["request", "lifespan"]


async def test_leaving_the_driver_hangs_up_on_every_reader() -> None:
    """A reader in another task neither hangs nor takes what it has for the whole."""
    gate = Gate()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(START)
        await gate.wait()
        while (await receive())["type"] != "http.disconnect":
            pass

    async with InMemoryDriver(app, lifespan=False) as driver:
        reading = asyncio.create_task(driver.request("GET", "/"))
        await gate.wait_reached()
        gate.open()
    with pytest.raises(AnswerCut, match="The driver was left before GET / had ended"):
        await reading


async def test_what_a_test_sets_in_its_context_does_not_reach_the_app() -> None:
    """A server's requests do not run in the test's context either."""
    who: ContextVar[str] = ContextVar("who", default="nobody")

    async def app(_: Request) -> PlainTextResponse:
        return PlainTextResponse(who.get())

    who.set("fixture")
    async with InMemoryDriver(Starlette(routes=[Route("/", app)])) as driver:
        who.set("test")
        assert (await driver.request("GET", "/")).text == "fixture"


@pytest.mark.parametrize(
    "messages",
    [[body(b"early")], [START, START], [START, body(b"", more=False), body(b"late")], [{"type": "http.strange"}]],
)
async def test_messages_out_of_order_are_the_apps_error(messages: list[Message]) -> None:
    """A server would refuse them too."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        for message in messages:
            await send(message)

    async with InMemoryDriver(app, lifespan=False) as driver, driver.stream("GET", "/"):
        pass
    assert [type(error) for error in driver.errors] == [RuntimeError]


async def test_the_app_is_told_who_calls_and_where() -> None:
    """Both are for the test to choose."""

    async def app(request: Request) -> JSONResponse:
        return JSONResponse([str(request.url), request.client, request.scope["server"]])

    starlette = Starlette(routes=[Route("/x", app)])
    async with InMemoryDriver(starlette, base_url="https://bot.example:8443", client=("203.0.113.9", 1)) as driver:
        answer = await driver.request("GET", "/x?y=1")
    assert answer.json() == ["https://bot.example:8443/x?y=1", ["203.0.113.9", 1], ["bot.example", 8443]]


async def test_a_startup_that_fails_without_raising_is_an_error_too() -> None:
    """The app's message is in it."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "lifespan.startup.failed", "message": "no disk"})

    with pytest.raises(RuntimeError, match="startup failed: no disk"):
        async with InMemoryDriver(app):
            pass


async def test_a_startup_that_never_ends_is_reported() -> None:
    """The guard says what was waited for, and nothing is left running."""
    cancelled = Gate()
    cancelled.open()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await cancelled.wait()

    with pytest.raises(TimeoutError, match="the app's startup"):
        async with InMemoryDriver(app, timeout=0.05):
            pass
    await cancelled.wait_reached()
