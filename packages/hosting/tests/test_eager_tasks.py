"""A server's loop may begin every task at once, which whoever embeds a host sets for speed where Python has it."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncGenerator
from typing import Any

import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from agent_framework_hosting.limits import Limits
from agent_framework_hosting.testing import Gate, InMemoryDriver, LoopbackDriver
from agent_framework_hosting.web.body import ClientGone
from agent_framework_hosting.web.events import EventStream
from agent_framework_hosting.web.watch import run_while_connected

pytestmark = [
    pytest.mark.skipif(sys.version_info < (3, 12), reason="tasks that begin at once came with Python 3.12"),
    pytest.mark.parametrize("driver_type", [InMemoryDriver, LoopbackDriver]),
]


@pytest.fixture
async def loop() -> AsyncGenerator[asyncio.AbstractEventLoop]:
    """The test's loop, which is as it was before when the test has ended."""
    loop = asyncio.get_running_loop()
    before = loop.get_task_factory()
    yield loop
    loop.set_task_factory(before)


def eagerly(answer: ASGIApp) -> ASGIApp:
    """Answer in a loop whose tasks begin at once."""
    # By name, since type checkers read this as Python 3.11.
    factory: Any = vars(asyncio)["eager_task_factory"]

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            asyncio.get_running_loop().set_task_factory(factory)
            await answer(scope, receive, send)

    return app


async def test_a_stream_comes_chunk_by_chunk_and_whole(loop: asyncio.AbstractEventLoop, driver_type: Any) -> None:
    gates = [Gate(), Gate()]

    async def events() -> AsyncGenerator[bytes, None]:
        yield b"0"
        for number, gate in enumerate(gates, 1):
            await gate.wait()
            yield b"%d" % number

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        await EventStream(events(), limits=Limits())(scope, receive, send)

    async with driver_type(eagerly(answer)) as driver, driver.stream("GET", "/") as answered:
        chunks = [await anext(answered)]
        for gate in gates:
            gate.open()
            chunks.append(await anext(answered))
        assert chunks == [b"0", b"1", b"2"]
        assert not b"".join([chunk async for chunk in answered])


async def test_a_stream_that_never_waits_comes_whole(loop: asyncio.AbstractEventLoop, driver_type: Any) -> None:
    """It has ended before the task that makes it was there to be known."""

    async def events() -> AsyncGenerator[bytes, None]:
        yield b"first"
        yield b"second"

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        await EventStream(events(), limits=Limits())(scope, receive, send)

    async with driver_type(eagerly(answer)) as driver:
        assert (await driver.request("GET", "/")).text == "firstsecond"


async def test_a_client_that_leaves_has_its_stream_closed(loop: asyncio.AbstractEventLoop, driver_type: Any) -> None:
    closed = asyncio.Event()

    async def events() -> AsyncGenerator[bytes, None]:
        try:
            yield b"first"
            await asyncio.Event().wait()
        finally:
            loop.call_soon_threadsafe(closed.set)

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        await EventStream(events(), limits=Limits())(scope, receive, send)

    async with driver_type(eagerly(answer)) as driver, driver.stream("GET", "/") as answered:
        await anext(answered)
        await answered.disconnect()
        async with asyncio.timeout(30):
            await closed.wait()


async def test_a_client_that_leaves_has_its_answer_stopped(loop: asyncio.AbstractEventLoop, driver_type: Any) -> None:
    at_work, gone = asyncio.Event(), asyncio.Event()

    async def work() -> None:
        loop.call_soon_threadsafe(at_work.set)
        await asyncio.Event().wait()

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        while (await receive()).get("more_body"):
            continue
        try:
            await run_while_connected(work(), receive)
        except ClientGone:
            loop.call_soon_threadsafe(gone.set)

    async with driver_type(eagerly(answer)) as driver:
        asking = asyncio.ensure_future(driver.request("GET", "/"))
        await at_work.wait()
        asking.cancel()
        async with asyncio.timeout(30):
            await gone.wait()
