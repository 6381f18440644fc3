"""WebSockets of the loopback driver, against a Starlette app."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

import pytest
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket

from agent_framework_hosting.testing import LoopbackDriver, SocketClosed, SocketRefused


def serving(endpoint: Callable[[WebSocket], object]) -> LoopbackDriver:
    return LoopbackDriver(Starlette(routes=[WebSocketRoute("/talk", endpoint)]))


async def echo(socket: WebSocket) -> None:
    await socket.accept("shout" if "shout" in socket.scope["subprotocols"] else None)
    while (message := await socket.receive())["type"] == "websocket.receive":
        await socket.send({"type": "websocket.send", "text": message.get("text"), "bytes": message.get("bytes")})
        if message.get("text") == "bye":
            await socket.close(4001, "as you like")
            return


async def test_messages_go_both_ways_whatever_their_kind_and_size() -> None:
    async with serving(echo) as driver, driver.websocket("/talk") as socket:
        for message in ("hi", "ein Köter", "", b"\x00\xff", "x" * 300_000):
            await socket.send(message)
            assert await socket.receive() == message
        await socket.close()


async def test_the_servers_closing_is_told_with_its_code() -> None:
    async with serving(echo) as driver, driver.websocket("/talk") as socket:
        await socket.send("one")
        await socket.send("bye")
        assert [message async for message in socket] == ["one", "bye"]
    async with serving(echo) as driver, driver.websocket("/talk") as socket:
        await socket.send("bye")
        await socket.receive()
        with pytest.raises(SocketClosed, match="closed with 4001 as you like"):
            await socket.receive()


async def test_headers_and_subprotocols_reach_the_app() -> None:
    seen: list[str] = []

    async def endpoint(socket: WebSocket) -> None:
        seen.append(socket.headers["authorization"])
        await echo(socket)

    async with serving(endpoint) as driver:
        async with driver.websocket("/talk", headers={"authorization": "me"}, subprotocols=["a", "shout"]) as socket:
            assert socket.subprotocol == "shout"
        assert seen == ["me"]


async def test_a_refused_handshake_shows_the_servers_answer() -> None:
    async def refuse(socket: WebSocket) -> None:
        await socket.close()

    async with serving(refuse) as driver:
        with pytest.raises(SocketRefused) as error:
            async with driver.websocket("/talk"):
                pass
        assert error.value.status == 403
        with pytest.raises(SocketRefused):
            async with driver.websocket("/nowhere"):
                pass


async def test_who_leaves_the_block_has_hung_up() -> None:
    gone = threading.Event()

    async def endpoint(socket: WebSocket) -> None:
        await socket.accept()
        if (await socket.receive())["type"] == "websocket.disconnect":
            gone.set()

    async with serving(endpoint) as driver:
        async with driver.websocket("/talk"):
            pass
        assert await asyncio.to_thread(gone.wait, 30)


async def test_silence_is_a_timeout_that_names_the_socket(later: Callable[[float], None]) -> None:
    async def endpoint(socket: WebSocket) -> None:
        await socket.accept()
        await socket.receive()

    app = Starlette(routes=[WebSocketRoute("/talk", endpoint)])
    async with LoopbackDriver(app) as driver, driver.websocket("/talk") as socket:
        receiving = asyncio.ensure_future(socket.receive())
        await asyncio.sleep(0)
        later(1000)
        with pytest.raises(TimeoutError, match="the next message of WebSocket /talk"):
            await receiving
