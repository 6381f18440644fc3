"""What a test holds of an open WebSocket, and how one ends."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from contextlib import suppress

from starlette.datastructures import Headers

from ._driver import in_time


class SocketRefused(ConnectionError):
    """The server answered the handshake with an ordinary HTTP answer."""

    def __init__(self, status: int, headers: Headers, body: bytes) -> None:
        super().__init__(f"The WebSocket was refused with {status}: {body[:200]!r}")
        self.status = status
        self.headers = headers
        self.body = body


class SocketClosed(ConnectionError):
    """The server has closed the WebSocket; 1006 when it did so without a word."""

    def __init__(self, code: int, reason: str | None) -> None:
        super().__init__(f"The WebSocket was closed with {code} {reason or ''}".rstrip())
        self.code = code
        self.reason = reason


class Socket(ABC):
    """An open WebSocket: `send` and `receive` messages, or iterate over what comes until the server closes it."""

    def __init__(self, *, name: str, timeout: float) -> None:
        self.subprotocol: str | None = None
        """What the server has chosen."""
        self._name = name
        self._timeout = timeout

    def __repr__(self) -> str:
        return f"<Socket {self._name}>"

    async def __aiter__(self) -> AsyncIterator[str | bytes]:
        with suppress(SocketClosed):
            while True:
                yield await self.receive()

    async def receive(self) -> str | bytes:
        """Return the next message.

        Raises:
            SocketClosed: The server has closed the WebSocket.
            TimeoutError: Nothing came in time.
        """
        return await in_time(self._message(), self._timeout, f"the next message of {self._name}")

    @abstractmethod
    async def send(self, message: str | bytes) -> None:
        """Send a message, as text or as bytes.

        Raises:
            SocketClosed: The server has closed the WebSocket.
        """

    @abstractmethod
    async def close(self, code: int = 1000) -> None:
        """Take leave, and wait until the server has done so as well."""

    @abstractmethod
    async def disconnect(self) -> None:
        """Hang up without a word. Idempotent."""

    @abstractmethod
    async def _message(self) -> str | bytes: ...
