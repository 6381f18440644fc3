"""One keep-alive connection of HTTP/1.1, with so little of its own that the server's core is the busy one."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import Final

from .answers import WrongAnswer

_HEAD_END: Final = b"\r\n\r\n"
_LAST_CHUNK: Final = b"\r\n0\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Exchange:
    """One answer as it came, and when: asked, first byte of its body, end."""

    raw: bytes
    asked: float
    first: float
    ended: float

    def body(self) -> bytes:
        """Return the answer's body.

        Raises:
            WrongAnswer: The answer is not a 200.
        """
        head, _, body = self.raw.partition(_HEAD_END)
        if not head.startswith(b"HTTP/1.1 200 "):
            raise WrongAnswer(f"The answer is no 200: {self.raw[:500]!r}")
        return _joined(body) if _is_chunked(head) else body


class Connection(asyncio.Protocol):
    """Asks one question at a time."""

    def __init__(self) -> None:
        self._transport: asyncio.WriteTransport | None = None
        self._answer: asyncio.Future[Exchange] | None = None
        self._raw = bytearray()
        self._asked = self._first = 0.0
        self._body_at = 0
        self._ends_at: int | None = None
        self._enough: asyncio.Future[None] | None = None
        self._until = b""
        self._seen = self._times = 0

    async def ask(self, request: bytes) -> Exchange:
        """Send a request and return its answer."""
        transport = self._require_transport()
        self._raw = bytearray()
        self._asked, self._first = time.perf_counter(), 0.0
        self._body_at, self._ends_at = 0, None
        self._answer = asyncio.get_running_loop().create_future()
        transport.write(request)
        return await self._answer

    async def read(self, request: bytes, *, until: bytes, times: int) -> None:
        """Send a request and wait until its answer, which goes on, has held `until` so many times."""
        self._seen, self._until, self._times = 0, until, times
        self._enough = asyncio.get_running_loop().create_future()
        self._require_transport().write(request)
        await self._enough

    def close(self) -> None:
        """Close the connection."""
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if isinstance(transport, asyncio.WriteTransport):
            self._transport = transport

    def data_received(self, data: bytes) -> None:
        if self._enough is not None:
            self._count(data)
            return
        self._raw += data
        if not self._body_at:
            self._read_head()
        if self._body_at and not self._first and len(self._raw) > self._body_at:
            self._first = time.perf_counter()
        if self._is_whole() and self._answer is not None and not self._answer.done():
            self._answer.set_result(Exchange(bytes(self._raw), self._asked, self._first, time.perf_counter()))

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(WrongAnswer(f"The server hung up after {bytes(self._raw[-200:])!r} ({exc})."))
        if self._enough is not None and not self._enough.done():
            self._enough.set_exception(WrongAnswer(f"The server hung up after {self._seen} of {self._times} ({exc})."))

    def _require_transport(self) -> asyncio.WriteTransport:
        if self._transport is None:
            raise WrongAnswer("The connection is not open: the server has closed it, or nobody has opened it.")
        return self._transport

    def _count(self, data: bytes) -> None:
        # What is looked for may lie on both sides of a cut: what could be its beginning is kept, and nothing else.
        self._raw += data
        self._seen += self._raw.count(self._until)
        last = self._raw.rfind(self._until)
        behind = last + len(self._until) if last >= 0 else 0
        del self._raw[: max(behind, len(self._raw) - len(self._until) + 1)]
        if self._seen >= self._times and self._enough is not None and not self._enough.done():
            self._enough.set_result(None)

    def _read_head(self) -> None:
        head, end, _ = bytes(self._raw).partition(_HEAD_END)
        if end:
            self._body_at = len(head) + len(end)
            if not _is_chunked(head):
                length = head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
                self._ends_at = self._body_at + int(length)

    def _is_whole(self) -> bool:
        if self._ends_at is None:
            return self._body_at > 0 and self._raw.endswith(_LAST_CHUNK)
        return len(self._raw) >= self._ends_at


async def connected(port: int) -> Connection:
    """Return a connection to this port of this machine."""
    _, connection = await asyncio.get_running_loop().create_connection(Connection, "127.0.0.1", port)
    return connection


def _is_chunked(head: bytes) -> bool:
    return b"transfer-encoding: chunked" in head.lower()


def _joined(chunked: bytes) -> bytes:
    parts: list[bytes] = []
    at = 0
    while True:
        line = chunked.index(b"\r\n", at)
        size = int(chunked[at:line], 16)
        if not size:
            return b"".join(parts)
        parts.append(chunked[line + 2 : line + 2 + size])
        at = line + 2 + size + 2
