"""What the loopback driver alone can do: a real server that any client can talk to."""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
from urllib.request import urlopen

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from agent_framework_hosting.errors import ConfigurationError
from agent_framework_hosting.testing import Gate, LoopbackDriver


def app_of(text: str) -> Starlette:
    async def answer(_: Request) -> PlainTextResponse:
        return PlainTextResponse(text)

    return Starlette(routes=[Route("/", answer)])


def test_a_blocking_client_talks_to_it() -> None:
    """A plain `with` needs no event loop in the test."""
    with LoopbackDriver(app_of("hello")) as driver, urlopen(driver.base_url) as answer:
        assert answer.read() == b"hello"


async def test_two_servers_run_side_by_side() -> None:
    """Each on a port of its own."""
    async with LoopbackDriver(app_of("one")) as one, LoopbackDriver(app_of("two")) as two:
        assert one.address != two.address
        assert [(await driver.request("GET", "/")).text for driver in (one, two)] == ["one", "two"]


async def test_nothing_listens_once_it_is_left() -> None:
    """The port is closed, and the thread has ended."""
    async with LoopbackDriver(app_of("hello"), lifespan=False) as driver:
        assert (await driver.request("GET", "/")).text == "hello"
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection(*driver.address)
    assert not [thread for thread in threading.enumerate() if thread.name == "loopback"]


def test_the_app_runs_in_a_thread_of_its_own() -> None:
    """A client that blocks the test does not block the server."""

    async def where(_: Request) -> PlainTextResponse:
        return PlainTextResponse(threading.current_thread().name)

    with LoopbackDriver(Starlette(routes=[Route("/", where)])) as driver, urlopen(driver.base_url) as answer:
        assert answer.read() == b"loopback"


async def test_raw_sockets_reach_the_server() -> None:
    """For bytes that no client would send."""
    async with LoopbackDriver(app_of("hello")) as driver:
        reader, writer = await asyncio.open_connection(*driver.address)
        writer.write(b"NONSENSE\r\n\r\n")
        assert (await reader.readline()).startswith(b"HTTP/1.1 400")
        writer.close()
        await writer.wait_closed()


async def test_a_request_that_never_ends_is_cancelled_when_the_driver_is_left(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The test is told in the log."""
    arrived, cancelled = Gate(), Gate()
    cancelled.open()

    async def deaf(_: Request) -> PlainTextResponse:
        try:
            await arrived.wait()
        finally:
            await cancelled.wait()
        return PlainTextResponse("never")

    with caplog.at_level(logging.WARNING):
        async with LoopbackDriver(Starlette(routes=[Route("/deaf", deaf)])) as driver:
            request = asyncio.create_task(driver.request("GET", "/deaf"))
            await arrived.wait_reached()
            request.cancel()
    await cancelled.wait_reached()
    assert "Still running at the end of the test, cancelled: GET /deaf" in caplog.text


def test_without_a_server_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hypercorn is an extra."""
    monkeypatch.setitem(sys.modules, "hypercorn.asyncio", None)
    with pytest.raises(ConfigurationError, match=r"\[serve\] extra"), LoopbackDriver(app_of("hello")):
        pass
