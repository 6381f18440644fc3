"""How the channel contract talks to the WebSocket channel."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any, ClassVar
from urllib.parse import quote

from agent_framework_hosting.channel import Channel
from agent_framework_hosting.testing import Socket, SocketClosed, SocketRefused
from agent_framework_hosting.testing.contracts import Capability, ChannelAdapter, Line, Said


class ChatAdapter(ChannelAdapter):
    """Opens a connection for every message, as somebody on a shaky line does."""

    channel: ClassVar[Any]
    lacks: ClassVar[Mapping[Capability, str]] = {"reading": "a chat that was closed is gone from the screen"}
    unknown_id = "msg_00000000000000000000000000000000"

    def __init__(self) -> None:
        self.to_reset: set[str] = set()

    def make(self, **options: Any) -> Channel:
        return self.channel(**options)

    def message(self, line: Line, text: str, *, stream: bool) -> Any:
        return {"text": text, "after": line.after, "stream": stream, "reset": line.name in self.to_reset}

    async def say(self, line: Line, text: str) -> Said:
        return await self.send(line, json.dumps(self.message(line, text, stream=False)).encode())

    async def send(self, line: Line, body: bytes) -> Said:
        async with aclosing(self._ask(line, body)) as items:
            *_, said = [item async for item in items]
        assert isinstance(said, Said)
        return said

    async def listen(self, line: Line, text: str) -> AsyncGenerator[str | Said, None]:
        async with aclosing(self._ask(line, json.dumps(self.message(line, text, stream=True)).encode())) as items:
            async for item in items:
                yield item

    async def reset(self, line: Line) -> None:
        self.to_reset.add(line.name)

    async def _ask(self, line: Line, body: bytes) -> AsyncGenerator[str | Said, None]:
        self.to_reset.discard(line.name)
        address = f"{self.at or '/'}?room={quote(line.name)}"
        try:
            async with self.driver.websocket(address, headers=line.headers) as socket:
                await socket.send(_as_text(body))
                async with aclosing(_read(socket)) as items:
                    async for item in items:
                        yield item
        except SocketRefused as refused:
            yield Said(error="refused", status=refused.status, wire=refused.body)


async def _read(socket: Socket) -> AsyncGenerator[str | Said, None]:
    wire, shown = b"", ""
    while True:
        try:
            message = await socket.receive()
        except SocketClosed as closed:
            raise AssertionError(f"The connection ended without an answer: {closed}") from closed
        wire += message.encode() if isinstance(message, str) else message
        told = json.loads(message)
        match told["type"]:
            case "piece":
                shown += told["text"]
                yield shown
            case "error":
                assert told["message"]
                yield Said(error=told["code"], wire=wire)
                return
            case _:
                yield Said(text=told.get("text", ""), id=told.get("id"), wire=wire)
                return


def _as_text(body: bytes) -> str | bytes:
    try:
        return body.decode()
    except UnicodeDecodeError:
        return body
