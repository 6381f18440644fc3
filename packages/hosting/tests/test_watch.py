"""A whole answer whose client leaves, and bodies that are too large, too slow, or never come."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest
from starlette.responses import PlainTextResponse
from starlette.types import Message, Receive, Scope, Send

from agent_framework_hosting.errors import RequestError
from agent_framework_hosting.limits import Limits
from agent_framework_hosting.testing import Gate, InMemoryDriver, LoopbackDriver
from agent_framework_hosting.web.body import ClientGone, read_body
from agent_framework_hosting.web.watch import run_while_connected


@pytest.mark.parametrize("driver_type", [InMemoryDriver, LoopbackDriver])
async def test_the_work_is_cancelled_when_the_client_leaves(driver_type: Any) -> None:
    """The app hears of it as `ClientGone`, and is not itself cancelled."""
    loop = asyncio.get_running_loop()
    at_work, gone = asyncio.Event(), asyncio.Event()

    async def work() -> None:
        loop.call_soon_threadsafe(at_work.set)
        await asyncio.Event().wait()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        await read_body(scope, receive, limits=Limits())
        try:
            await run_while_connected(work(), receive)
        except ClientGone:
            loop.call_soon_threadsafe(gone.set)

    async with driver_type(app) as driver:
        request = asyncio.ensure_future(driver.request("POST", "/", body=b"x"))
        await at_work.wait()
        request.cancel()
        async with asyncio.timeout(30):
            await gone.wait()


async def test_work_that_takes_no_notice_of_a_client_that_has_left_does_not_leave_its_task_cancelled(
    later: Callable[[float], None],
) -> None:
    """Whatever the task does next would otherwise take another's cancellation for its own, or the other way round."""
    begun = Gate()

    async def heedless() -> str:
        begun.open()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return "done"
        return "never"

    async def left() -> Message:
        return {"type": "http.disconnect"}

    async def request() -> tuple[str, int]:
        task = asyncio.current_task()
        assert task is not None
        return await run_while_connected(heedless(), left), task.cancelling()

    answering = asyncio.create_task(request())
    await begun.wait()
    later(1)
    assert await answering == ("done", 0)


async def test_who_leaves_is_missed_within_a_second(only: Callable[[float], AbstractContextManager[None]]) -> None:
    async def never() -> None:
        await asyncio.Event().wait()

    async def left() -> Message:
        return {"type": "http.disconnect"}

    watching = asyncio.create_task(run_while_connected(never(), left))
    await asyncio.sleep(0)
    with only(1), pytest.raises(ClientGone):
        await watching


async def test_a_cancellation_from_elsewhere_stays_one() -> None:
    """Nobody takes a server's own cancellation for a client's leaving."""

    async def never() -> Any:
        await asyncio.Event().wait()

    task = asyncio.ensure_future(run_while_connected(never(), never))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_quick_work_never_touches_receive() -> None:
    """Most answers cost no watching task."""

    async def quick() -> int:
        return 42

    async def receive() -> Any:
        raise AssertionError("receive was called")

    assert await run_while_connected(quick(), receive) == 42


def reading(**bounds: Any) -> Any:
    """Return an app that reads its body and answers with its length, or with the name of the refusal."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        try:
            text = str(len(await read_body(scope, receive, limits=Limits(**bounds))))
        except RequestError as error:
            text = f"{error.status} {error.message}"
        await PlainTextResponse(text)(scope, receive, send)

    return app


async def test_a_body_arrives_whole_however_it_is_cut() -> None:
    """One chunk, many chunks, none."""
    async with InMemoryDriver(reading()) as driver:
        assert (await driver.request("POST", "/", body=b"x" * 1000)).text == "1000"
        assert (await driver.request("POST", "/", body=[b"a", b"", b"bc"])).text == "3"
        assert (await driver.request("POST", "/")).text == "0"


@pytest.mark.parametrize("length", ["11", "9" * 5_000])
async def test_an_announced_length_beyond_the_limit_is_refused_unread(length: str) -> None:
    """Nobody waits for a body that will not be taken."""

    async def never() -> AsyncIterator[bytes]:
        await asyncio.Event().wait()
        yield b""

    async with InMemoryDriver(reading(max_request_bytes=10)) as driver:
        answer = await driver.request("POST", "/", body=never(), headers={"content-length": length})
    assert answer.text == "413 The request body is larger than the 10 bytes that this server takes."


async def test_a_body_that_grows_beyond_the_limit_is_refused() -> None:
    """A length that nobody announced is counted as it comes."""
    async with InMemoryDriver(reading(max_request_bytes=10)) as driver:
        assert (await driver.request("POST", "/", body=[b"x" * 6, b"x" * 6])).text.startswith("413")


async def test_a_body_that_does_not_come_is_given_up() -> None:
    """The time for it is bounded."""

    async def never() -> AsyncIterator[bytes]:
        yield b"x"
        await asyncio.Event().wait()

    async with InMemoryDriver(reading(receive_timeout=0.02)) as driver:
        assert (await driver.request("POST", "/", body=never())).text.startswith("408")


async def test_a_slow_line_gets_through_with_a_body_that_keeps_coming(later: Callable[[float], None]) -> None:
    """As long as it is quick enough for what has come."""

    async def slowly() -> AsyncIterator[bytes]:
        for _ in range(8):
            yield b"x" * 1000
            later(5)
            await asyncio.sleep(0.001)

    bounds = {"receive_timeout": 20.0, "min_receive_rate": 20}
    async with InMemoryDriver(reading(**bounds), timeout=600) as driver:
        assert (await driver.request("POST", "/", body=slowly())).text == "8000"


async def test_a_byte_now_and_then_is_given_up() -> None:
    """However long it goes on."""

    async def dripping() -> AsyncIterator[bytes]:
        while True:
            yield b"x"
            await asyncio.sleep(0.01)

    async with InMemoryDriver(reading(receive_timeout=0.1)) as driver:
        answer = await driver.request("POST", "/", body=dripping())
    assert answer.text.startswith("408 The request body did not arrive in time: this server waits 0.1 seconds")


@pytest.mark.parametrize("encoding", ["gzip", "br, identity", "x"])
async def test_a_body_that_is_encoded_is_refused(encoding: str) -> None:
    """What it grows to would be known too late."""
    async with InMemoryDriver(reading()) as driver:
        answer = await driver.request("POST", "/", body=b"x", headers={"content-encoding": encoding})
        assert answer.text.startswith("415 ")
        plain = await driver.request("POST", "/", body=b"x", headers={"content-encoding": "identity"})
        assert plain.text == "1"
