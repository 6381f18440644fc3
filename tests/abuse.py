"""Clients that mean harm, or just read slowly, by hand: no library sends what they send."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit

import httpx2

from .served import Served

PATIENCE: Final = 60.0
BETWEEN_LOOKS: Final = 0.1
SMALL: Final = 4096


@dataclass
class Line:
    """One connection to a server."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    got: bytes = field(default=b"")

    async def send(self, data: bytes) -> bool:
        """Send something; returns whether the connection still takes it."""
        try:
            self.writer.write(data)
            await self.writer.drain()
        except OSError:
            return False
        return not self.reader.at_eof()

    async def read_to_end(self) -> bytes:
        """Read until the server hangs up, and return all that came.

        Raises:
            TimeoutError: It does not.
        """
        async with asyncio.timeout(PATIENCE):
            with suppress(OSError):
                while data := await self.reader.read(65536):
                    self.got += data
        return self.got

    async def read_until(self, text: bytes) -> None:
        """Read until this has come."""
        async with asyncio.timeout(PATIENCE):
            while text not in self.got:
                data = await self.reader.read(65536)
                assert data, f"the line ended before {text!r}: {self.got[-500:]!r}"
                self.got += data

    def stop_reading(self) -> None:
        """Take nothing more from the system."""
        transport: Any = self.writer.transport
        transport.pause_reading()

    def reset(self) -> None:
        """Hang up without a word, as a client does that dies."""
        link = self.writer.get_extra_info("socket")
        link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


@asynccontextmanager
async def connected(served: Served, *, window: int | None = None) -> AsyncGenerator[Line]:
    """Open a connection; with a window, one that takes few bytes ahead of its reader."""
    line = await connect(served, window=window)
    try:
        yield line
    finally:
        line.writer.transport.abort()


async def connect(served: Served, *, window: int | None = None) -> Line:
    """Return a connection; see `connected`."""
    address = urlsplit(served.url)
    link = socket.socket()
    link.setblocking(False)
    if window is not None:
        link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, window)
    await asyncio.get_running_loop().sock_connect(link, (str(address.hostname), int(address.port or 0)))
    return Line(*await asyncio.open_connection(sock=link, limit=window or 65536))


def request(
    path: str, body: bytes | object = b"", *, method: str = "POST", headers: Mapping[str, str] | None = None
) -> bytes:
    """Return a whole request; what is not bytes is sent as JSON."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    told = {"host": "127.0.0.1", "content-type": "application/json", "content-length": str(len(data))}
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in (told | dict(headers or {})).items())]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + data


def statuses(answers: bytes) -> Sequence[int]:
    """Return the statuses of the answers on a line."""
    return [int(each[:3]) for each in answers.split(b"HTTP/1.1 ")[1:]]


async def health(served: Served) -> Mapping[str, Any]:
    """Return what the server holds."""
    async with httpx2.AsyncClient(timeout=PATIENCE) as client:
        return (await client.get(f"{served.url}/health")).raise_for_status().json()


async def calm(served: Served, *, base: Mapping[str, Any]) -> Mapping[str, Any]:
    """Wait until the server has no more tasks and files than before, and return what it holds then."""
    try:
        async with asyncio.timeout(PATIENCE):
            while True:
                now = await health(served)
                if now["tasks"] <= base["tasks"] and now["files"] <= base["files"] and now["held"] == 0:
                    return now
                await asyncio.sleep(BETWEEN_LOOKS)
    except TimeoutError:
        raise AssertionError(f"The server never came to rest: {base} before, {await health(served)} now.") from None
