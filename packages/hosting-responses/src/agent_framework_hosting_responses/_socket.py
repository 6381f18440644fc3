"""`GET /responses` as a WebSocket: one turn after the other, with the events of a stream as messages.

The agenda says what is done, and in which order; here is who waits. One task listens all the time, so that nobody
misses the client's leaving; the other one answers. The events of a response go through the writer of all event streams,
which bounds what a slow reader may leave unread, and cuts one that does not read.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING, Any, Final

from starlette.types import Message, Receive, Scope, Send

from agent_framework_hosting.errors import InvalidRequest
from agent_framework_hosting.isolation import keys_of_socket
from agent_framework_hosting.logs import logger
from agent_framework_hosting.parsing.refusals import shown
from agent_framework_hosting.rendering.text import to_json
from agent_framework_hosting.web.errors import describe
from agent_framework_hosting.web.events import EventStream

from ._errors import error_response
from ._inbound.socket import Agenda, Close, Create, Refusal, Steer
from ._outbound.wire import unframed
from ._settings import CreationSettings
from ._turns import Turns

if TYPE_CHECKING:
    from agent_framework_hosting.channel import ChannelContext, ConnectionContext

_GRACE: Final = 5.0
"""Seconds for the client to take leave, too, once the connection is closed."""
_NOTHING_TO_SAY: Final = " "
"""Stands for the input of a turn that is prepared without one, so that its other fields are checked."""


class SocketEndpoint:
    """Answers at the channel's path whoever asks for a WebSocket; an ASGI app."""

    def __init__(self, context: ChannelContext, settings: CreationSettings) -> None:
        self._context = context
        self._settings = settings
        self._turns = Turns(context, settings)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection until it ends."""
        await receive()
        await send({"type": "websocket.accept"})
        # All that is done for it is done under the keys of its handshake, as is a request's under its own.
        with keys_of_socket(scope):
            connection = self._context.connection()
            try:
                apart = Turns(connection, self._settings, is_apart=True)
                await _Conversation(connection, turns=self._turns, apart=apart, scope=scope, send=send).serve(receive)
            finally:
                connection.close()


class _Conversation:
    """One connection.

    Args:
        connection: What is kept with it.
        turns: Turns that are stored.
        apart: Turns of the connection alone.
        scope: ASGI's.
        send: ASGI's.
    """

    def __init__(self, connection: ConnectionContext, *, turns: Turns, apart: Turns, scope: Scope, send: Send) -> None:
        self._connection = connection
        self._limits = connection.limits
        self._turns = turns
        self._apart = apart
        self._scope = scope
        self._send = send
        self._agenda = Agenda(limits=connection.limits)
        self._news = asyncio.Event()
        self._is_lost = False

    async def serve(self, receive: Receive) -> None:
        """Listen and answer until one of both has come to its end."""
        listening = asyncio.create_task(self._listen(receive))
        answering = asyncio.create_task(self._answer_all())
        draining = asyncio.create_task(self._drain())
        expiry = asyncio.get_running_loop().call_later(self._limits.socket_lifetime, self._expire)
        try:
            await asyncio.wait({listening, answering}, return_when=asyncio.FIRST_COMPLETED)
            if answering.done() and not self._is_lost:
                await asyncio.wait({listening}, timeout=_GRACE)
        finally:
            expiry.cancel()
            for task in (listening, answering, draining):
                task.cancel()
            ended, _ = await asyncio.wait({listening, answering, draining}, timeout=_GRACE)
            for task in ended:
                _note(task)

    async def _listen(self, receive: Receive) -> None:
        while (event := await receive())["type"] == "websocket.receive":
            text: str | None = event.get("text")
            self._agenda.take(event.get("bytes") or b"" if text is None else text)
            self._news.set()

    async def _drain(self) -> None:
        await self._connection.until_drain()
        self._agenda.drain()
        self._news.set()

    def _expire(self) -> None:
        self._agenda.expire()
        self._news.set()

    async def _answer_all(self) -> None:
        while not self._is_lost:
            step = self._agenda.next()
            match step:
                case None:
                    self._news.clear()
                    await self._news.wait()
                case Create():
                    await self._create(step)
                case Refusal():
                    await self._refuse(step.error, step.continues, step.stream_id)
                case Steer():
                    await self._say(_not_steered(step))
                case Close():
                    await self._told({"type": "websocket.close", "code": step.code, "reason": step.reason})
                    return

    async def _create(self, create: Create) -> None:
        try:
            events = await self._events(create)
        except Exception as error:  # noqa: BLE001 - one request went wrong, which its client hears; others go on
            await self._refuse(error, create.continues, create.stream_id)
            return
        messages = _Messages(self._send, stream_id=create.stream_id)
        await EventStream(events, limits=self._limits, buffers=self._connection.buffers)(
            self._scope, _never, messages.send
        )
        self._is_lost = not messages.is_whole
        if messages.last == "response.failed":
            await self._forget(create.continues)

    async def _events(self, create: Create) -> AsyncGenerator[bytes, None]:
        """Return the events of a response; refusals are raised here."""
        previous, turns = create.body.get("previous_response_id"), self._turns
        if create.is_apart:
            turns = self._apart
        elif isinstance(previous, str) and await self._connection.holds(previous):
            raise InvalidRequest(
                f"The response '{shown(previous)}' was made with 'store': false. It is known on this connection alone, "
                "and can only be continued with 'store': false.",
                param="previous_response_id",
                code="previous_response_not_found",
            )
        if create.generate:
            return await turns.stream(await turns.read(create.body, named=None))
        body = create.body if create.body.get("input") or previous else {**create.body, "input": _NOTHING_TO_SAY}
        turn = await turns.read(body, named=None)
        self._agenda.prepared(turn.fields.response_id, create)
        return _said(turns.prepared(turn))

    async def _refuse(self, error: Exception, continues: str | None, stream_id: str | None) -> None:
        description = describe(error)
        head = b'{"type":"error","status":%d,' % description.status
        await self._say(_named(head + error_response.body(description)[1:], stream_id))
        await self._forget(continues)

    async def _forget(self, continues: str | None) -> None:
        if continues is not None:
            self._agenda.failed(continues)
            await self._connection.forget(continues)

    async def _say(self, message: bytes) -> None:
        await self._told({"type": "websocket.send", "text": message.decode()})

    async def _told(self, message: Message) -> None:
        try:
            async with asyncio.timeout(self._limits.stall_timeout):
                await self._send(message)
        except TimeoutError:
            logger.info("A WebSocket was cut: the client stopped reading.")
            self._is_lost = True


class _Messages:
    """Takes the parts of an event stream, and sends each event in it as a message."""

    def __init__(self, send: Send, *, stream_id: str | None) -> None:
        self.is_whole = False
        self.last = ""
        self._send = send
        self._stream_id = stream_id
        self._rest = bytearray()

    async def send(self, message: Message) -> None:
        """Take what an ASGI application sends."""
        if message["type"] != "http.response.body":
            return
        known = max(len(self._rest) - 1, 0)
        self._rest += message["body"]
        end = self._rest.rfind(b"\n\n", known) + 2
        if end > 1:
            events = bytes(self._rest[:end])
            del self._rest[:end]
            for framed in unframed(events):
                self.last = framed.name
                await self._send({"type": "websocket.send", "text": _named(framed.data, self._stream_id).decode()})
        self.is_whole = not message.get("more_body", False)


def _note(task: asyncio.Task[None]) -> None:
    error = None if task.cancelled() else task.exception()
    # Some servers raise this where a message is sent to somebody who has left.
    if error is not None and not isinstance(error, OSError):
        logger.error("A WebSocket ended with an error.", exc_info=error)


def _named(message: bytes, stream_id: str | None) -> bytes:
    """Return a JSON object with the name that the client has given to what it belongs to."""
    return message if stream_id is None else b'%b,"stream_id":%b}' % (message[:-1], to_json(stream_id))


def _not_steered(steer: Steer) -> bytes:
    return to_json(
        {
            "type": "response.steer.failed",
            "sequence_number": 0,
            "error": {
                "type": "invalid_request_error",
                "code": "steering_not_supported",
                "message": "An agent's run takes no input while it runs. Send it with the next response.create.",
            },
            "steer": {"input": steer.input, "previous_response_id": steer.previous_response_id},
        }
    )


async def _said(events: bytes) -> AsyncGenerator[bytes, None]:
    yield events


async def _never() -> Any:
    await asyncio.get_running_loop().create_future()
