"""A drain that the host is told of, whoever serves it: signals beside other handlers, and WebSockets that wait."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
from collections.abc import AsyncGenerator
from typing import Any

import pytest
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket

from agent_framework_hosting import _drain
from agent_framework_hosting.errors import ConfigurationError, RunCancelled
from agent_framework_hosting.host import AgentFrameworkHost
from agent_framework_hosting.limits import Limits
from agent_framework_hosting.testing import Gate, LoopbackDriver, ScriptedAgent, SocketClosed
from agent_framework_hosting.types import ChannelRequest

SOON = 60.0


def ask() -> ChannelRequest:
    return ChannelRequest(channel="test", operation="message", input="hi")


async def test_a_signal_reaches_the_host_and_whoever_handled_it_before() -> None:
    """The host drains at once; its handler is gone with it."""
    heard: list[int] = []

    def handler(number: int, _: Any) -> None:
        heard.append(number)

    gate = Gate()
    before = signal.signal(signal.SIGTERM, handler)
    try:
        host = AgentFrameworkHost(
            ScriptedAgent(every=["begun", gate]),
            channels=[],
            limits=Limits(drain_timeout=0.01),
            drain_on_signals=True,
        )
        async with host:
            run = asyncio.create_task(host.run(ask()))
            await gate.wait_reached()
            os.kill(os.getpid(), signal.SIGTERM)
            with pytest.raises(RunCancelled) as told:
                await run
            assert told.value.reason == "drained"
        assert heard == [signal.SIGTERM]
        assert signal.getsignal(signal.SIGTERM) is handler
    finally:
        signal.signal(signal.SIGTERM, before)


ALONE = """
import asyncio, os, signal
from agent_framework_hosting import _drain
from agent_framework_hosting.errors import RunCancelled
from agent_framework_hosting.host import AgentFrameworkHost
from agent_framework_hosting.limits import Limits
from agent_framework_hosting.testing import Gate, ScriptedAgent
from agent_framework_hosting.types import ChannelRequest

async def main():
    gate = Gate()
    agent = ScriptedAgent(every=["begun", gate])
    async with AgentFrameworkHost(agent, channels=[], limits=Limits(drain_timeout=0.01), drain_on_signals=True) as host:
        run = asyncio.create_task(host.run(ChannelRequest(channel="test", operation="message", input="hi")))
        await gate.wait_reached()
        os.kill(os.getpid(), signal.SIGTERM)
        try:
            await run
        except RunCancelled as told:
            print(told.reason, flush=True)
        await asyncio.Event().wait()

_drain._FLUSH = {flush}
asyncio.run(main())
"""


@pytest.mark.parametrize("is_impatient", [False, True])
def test_where_nobody_else_handles_a_signal_what_runs_is_told_before_the_process_ends_by_it(is_impatient: bool) -> None:
    """As in the workers of Hypercorn's own command; a second signal waits for nothing."""
    program = ALONE.format(flush=3600 if is_impatient else 0)
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "drained\n"
        if is_impatient:
            process.terminate()
        assert process.wait(100) == -signal.SIGTERM


async def test_all_who_drain_a_host_are_told_once_it_is_calm() -> None:
    """A signal begins a drain, and the end of the lifespan another one while that still waits."""
    gate = Gate()
    async with AgentFrameworkHost(
        ScriptedAgent(every=["begun", gate, "said"]), channels=[], limits=Limits(drain_timeout=SOON)
    ) as host:
        run = asyncio.create_task(host.run(ask()))
        await gate.wait_reached()
        drains = [asyncio.create_task(host.drain()) for _ in range(2)]
        await asyncio.sleep(0)
        gate.open()
        async with asyncio.timeout(SOON / 2):
            assert await asyncio.gather(*drains) == [True, True]
        await run


async def test_a_handler_that_came_later_is_left_alone() -> None:
    before = signal.getsignal(signal.SIGTERM)
    try:
        async with AgentFrameworkHost(ScriptedAgent(), channels=[], drain_on_signals=True):
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
        assert signal.getsignal(signal.SIGTERM) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGTERM, before)


async def test_nobodys_signals_are_touched_unless_asked() -> None:
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    async with AgentFrameworkHost(ScriptedAgent(), channels=[]):
        assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == before


def test_signals_in_another_thread_are_refused_with_the_mend() -> None:
    errors: list[Exception] = []

    async def start() -> None:
        async with AgentFrameworkHost(ScriptedAgent(), channels=[], drain_on_signals=True):
            raise AssertionError("It must not start.")

    def run() -> None:
        try:
            asyncio.run(start())
        except ConfigurationError as error:
            errors.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert "main thread" in str(errors[0])


class Talk:
    """A channel whose WebSocket answers what it is asked, for as long as its client likes."""

    name, path = "talk", "/talk"

    def contribute(self, context: Any) -> Any:
        from agent_framework_hosting.channel import ChannelContribution

        async def socket(websocket: WebSocket) -> None:
            await websocket.accept()
            async for text in websocket.iter_text():
                result = await context.run(ChannelRequest(channel="talk", operation="message", input=text))
                await websocket.send_text(result.result.text)

        return ChannelContribution([WebSocketRoute("/", socket)])


@pytest.fixture
async def gated() -> AsyncGenerator[tuple[AgentFrameworkHost, Gate, LoopbackDriver]]:
    gate = Gate()
    host = AgentFrameworkHost(ScriptedAgent([gate, "after all"], every="quick"), channels=[Talk()])
    async with LoopbackDriver(host.app) as driver:
        yield host, gate, driver


async def test_a_websocket_finishes_what_it_has_begun_and_is_told_that_the_server_restarts(gated: Any) -> None:
    host, gate, driver = gated
    async with driver.websocket("/talk") as busy, driver.websocket("/talk") as idle:
        await busy.send("hi")
        await gate.wait_reached()
        draining = asyncio.create_task(host.drain())
        while (await driver.request("GET", "/readiness")).status == 200:
            continue
        gate.open()
        assert await busy.receive() == "after all"
        assert await draining
        for socket in (busy, idle):
            with pytest.raises(SocketClosed) as closed:
                await socket.receive()
            assert closed.value.code == 1012


async def test_a_websocket_whose_client_takes_nothing_keeps_no_host_from_its_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(_drain, "_LAST_WORDS", 0.2)
    sockets, stuck = _drain.WebSockets(), asyncio.Event()

    async def app(_: Any, receive: Any, send: Any) -> None:
        await send({"type": "websocket.accept"})
        await receive()

    async def send(message: Any) -> None:
        if message["type"] == "websocket.close":
            stuck.set()
            await asyncio.Event().wait()

    async def receive() -> Any:
        return await asyncio.Event().wait()

    async def serve() -> None:
        await sockets.middleware(app)({"type": "websocket"}, receive, send)

    serving = asyncio.create_task(serve())
    await asyncio.sleep(0)
    async with asyncio.timeout(30):
        await sockets.close()
    assert stuck.is_set()
    serving.cancel()
    await asyncio.wait({serving})
