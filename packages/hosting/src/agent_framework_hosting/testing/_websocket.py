"""A small WebSocket client that can also leave without a word; wsproto does the protocol."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Mapping, Sequence
from contextlib import suppress

from starlette.datastructures import Headers
from wsproto import ConnectionType, WSConnection
from wsproto.events import (
    AcceptConnection,
    BytesMessage,
    CloseConnection,
    Event,
    Ping,
    RejectConnection,
    RejectData,
    Request,
    TextMessage,
)
from wsproto.utilities import LocalProtocolError, RemoteProtocolError

from ._driver import WINDOW, in_time
from ._socket import Socket, SocketClosed, SocketRefused

_ABNORMAL = 1006


class WireSocket(Socket):
    """A WebSocket over a connection of its own."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, name: str, timeout: float
    ) -> None:
        super().__init__(name=name, timeout=timeout)
        self._reader = reader
        self._writer = writer
        self._protocol = WSConnection(ConnectionType.CLIENT)

    async def send(self, message: str | bytes) -> None:
        """Send a message."""
        try:
            await self._write(TextMessage(message) if isinstance(message, str) else BytesMessage(message))
        except (ConnectionError, LocalProtocolError):
            raise SocketClosed(_ABNORMAL, None) from None

    async def close(self, code: int = 1000) -> None:
        """Take leave, and wait until the server has done so as well."""
        await self._write(CloseConnection(code))
        with suppress(SocketClosed):
            while True:
                await self.receive()

    async def disconnect(self) -> None:
        """Hang up without a word. Idempotent."""
        self._writer.transport.abort()
        # A connection that the server has reset is closed as well.
        with suppress(ConnectionError):
            await self._writer.wait_closed()

    async def open(self, request: Request) -> None:
        """Shake hands; for whoever makes the socket.

        Raises:
            SocketRefused: The server does not want to.
        """
        await self._write(request)
        answer, body = await self._event(), b""
        if isinstance(answer, RejectConnection):
            while answer.has_body:
                part = await self._event()
                if not isinstance(part, RejectData):
                    break
                body += bytes(part.data)
                if part.body_finished:
                    break
            raise SocketRefused(answer.status_code, Headers(raw=list(answer.headers)), body)
        if not isinstance(answer, AcceptConnection):
            raise SocketClosed(_ABNORMAL, f"no answer to the handshake, but {answer}")
        self.subprotocol = answer.subprotocol

    async def _message(self) -> str | bytes:
        parts: list[str | bytes] = []
        while True:
            event = await self._event()
            match event:
                case TextMessage() | BytesMessage():
                    parts.append(event.data if isinstance(event.data, str) else bytes(event.data))
                    if event.message_finished:
                        return _joined(parts)
                case Ping():
                    await self._write(event.response())
                case CloseConnection():
                    with suppress(ConnectionError, LocalProtocolError):
                        await self._write(event.response())
                    raise SocketClosed(event.code, event.reason)
                case _:
                    continue

    async def _event(self) -> Event:
        while True:
            for event in self._protocol.events():
                return event
            try:
                data = await self._reader.read(WINDOW)
                self._protocol.receive_data(data or None)
            except (ConnectionError, LocalProtocolError, RemoteProtocolError):
                raise SocketClosed(_ABNORMAL, None) from None
            if not data:
                raise SocketClosed(_ABNORMAL, None)

    async def _write(self, event: Event) -> None:
        self._writer.write(self._protocol.send(event))
        await self._writer.drain()


async def connect(
    address: tuple[str, int],
    path: str,
    *,
    headers: Mapping[str, str] | Sequence[tuple[str, str]],
    subprotocols: Sequence[str],
    timeout: float,
) -> WireSocket:
    """Return an open WebSocket.

    Raises:
        SocketRefused: The server does not want to.
    """
    link = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    link.setblocking(False)
    try:
        await asyncio.get_running_loop().sock_connect(link, address)
    except BaseException:
        link.close()
        raise
    reader, writer = await asyncio.open_connection(sock=link)
    opened = WireSocket(reader, writer, name=f"WebSocket {path}", timeout=timeout)
    given = headers.items() if isinstance(headers, Mapping) else headers
    request = Request(
        host=f"{address[0]}:{address[1]}",
        target=path,
        extra_headers=[(name.encode("latin-1"), value.encode("latin-1")) for name, value in given],
        subprotocols=list(subprotocols),
    )
    try:
        await in_time(opened.open(request), timeout, f"the handshake of WebSocket {path}")
    except BaseException:
        await opened.disconnect()
        raise
    return opened


def _joined(parts: list[str | bytes]) -> str | bytes:
    if isinstance(parts[0], str):
        return "".join(part for part in parts if isinstance(part, str))
    return b"".join(part for part in parts if isinstance(part, bytes))
