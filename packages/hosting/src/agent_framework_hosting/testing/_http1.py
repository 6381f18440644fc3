"""A small HTTP/1.1 client that reads no further ahead than its window.

It exists for what ordinary clients hide: a reader that stalls, or leaves in the middle. h11 does the protocol.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress

import h11
from starlette.datastructures import Headers

from ._driver import WINDOW, AnswerCut, OutgoingRequest, StreamedAnswer

_LEAST_BUFFER = 2048
"""The smallest receive buffer that every system accepts."""


async def send(address: tuple[str, int], request: OutgoingRequest, *, timeout: float) -> StreamedAnswer:
    """Send a request over a connection of its own and return once status and headers are there."""
    connection = await _connect(address, request)
    try:
        response = await connection.response(request)
    except BaseException:
        await connection.close()
        raise
    return _SocketAnswer(connection, response, timeout=timeout, name=request.name)


async def _connect(address: tuple[str, int], request: OutgoingRequest) -> _Connection:
    window = WINDOW if request.window is None else request.window
    link = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    link.setblocking(False)
    try:
        link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, max(window, _LEAST_BUFFER))
        await asyncio.get_running_loop().sock_connect(link, address)
    except BaseException:
        link.close()
        raise
    reader, writer = await asyncio.open_connection(sock=link, limit=max(window, 1))
    return _Connection(reader, writer, name=request.name)


class _SocketAnswer(StreamedAnswer):
    def __init__(self, connection: _Connection, response: h11.Response, *, timeout: float, name: str) -> None:
        super().__init__(response.status_code, Headers(raw=list(response.headers)), timeout=timeout, name=name)
        self._connection = connection

    async def disconnect(self) -> None:
        await self._connection.close()

    async def _next(self) -> bytes | None:
        return await self._connection.data()


class _Connection:
    """One socket and one request on it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, name: str) -> None:
        self._reader = reader
        self._writer = writer
        self._name = name
        self._h11 = h11.Connection(h11.CLIENT)
        self._upload: asyncio.Task[None] | None = None
        self._closed = False
        self._failure: BaseException | None = None

    async def response(self, request: OutgoingRequest) -> h11.Response:
        await self._write(h11.Request(method=request.method, target=request.target, headers=request.headers))
        # The body goes out beside the reading: an app may answer before it has read all of it.
        self._upload = asyncio.create_task(self._send_body(request.body))
        self._upload.add_done_callback(self._uploaded)
        event = await self._event()
        while isinstance(event, h11.InformationalResponse):
            event = await self._event()
        if not isinstance(event, h11.Response):
            raise AnswerCut(f"The server closed the connection without an answer to {self._name}.")
        return event

    async def data(self) -> bytes | None:
        if self._closed:
            return None
        event = await self._event()
        if isinstance(event, h11.Data):
            return bytes(event.data)
        await self.close()
        return None

    async def close(self) -> None:
        self._closed = True
        if self._upload:
            self._upload.cancel()
        self._writer.transport.abort()
        # A connection that the server has reset is closed as well.
        with suppress(ConnectionError):
            await self._writer.wait_closed()

    async def _send_body(self, body: AsyncGenerator[bytes]) -> None:
        try:
            async with aclosing(body) as chunks:
                async for chunk in chunks:
                    await self._write(h11.Data(data=chunk))
            await self._write(h11.EndOfMessage())
        except ConnectionError:
            # The server wants no more of the body; what it has to say about that is in its answer.
            return

    def _uploaded(self, upload: asyncio.Task[None]) -> None:
        if not upload.cancelled() and (error := upload.exception()) is not None:
            self._failure = error
            self._writer.transport.abort()

    async def _write(self, event: h11.Event) -> None:
        self._writer.write(self._h11.send(event) or b"")
        await self._writer.drain()

    async def _event(self) -> object:
        try:
            while (event := self._h11.next_event()) is h11.NEED_DATA:
                self._h11.receive_data(await self._reader.read(WINDOW))
        except (ConnectionError, h11.RemoteProtocolError) as error:
            if self._failure:
                raise self._failure from None
            if self._closed:
                return None
            raise AnswerCut(f"The connection ended before the answer to {self._name} was complete.") from error
        return event
