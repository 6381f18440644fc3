"""`POST /responses`: from the request's bytes to the answer's."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import msgspec
from starlette.types import Receive, Scope, Send

from agent_framework_hosting.channel import ChannelContext, Replayed
from agent_framework_hosting.parsing.body import decode
from agent_framework_hosting.types import JSON
from agent_framework_hosting.web.body import read_body
from agent_framework_hosting.web.endpoint import send_json
from agent_framework_hosting.web.events import EventStream
from agent_framework_hosting.web.idempotency import REPLAYED, idempotency_key
from agent_framework_hosting.web.watch import run_while_connected

from ._continuation import chat_key
from ._record import body_of
from ._replay import said_again
from ._turns import Turns


class Creation:
    """Creates responses."""

    def __init__(self, context: ChannelContext, turns: Turns) -> None:
        self._context = context
        self._turns = turns

    async def __call__(self, scope: Scope, receive: Receive, send: Send, *, request_id: bytes) -> None:
        """Answer one request."""
        limits = self._context.limits
        body = await read_body(scope, receive, limits=limits)
        named = idempotency_key(scope, body, chat=chat_key())
        turn = await self._turns.read(decode(body, max_depth=limits.max_json_depth), named=named)
        headers = [(b"x-request-id", request_id)]
        ignored = [(b"x-ignored-parameters", turn.ignored.encode())] if turn.ignored else []
        try:
            if turn.asked.stream:
                stream = self._turns.stream(turn)
                answer = self._sent(await run_while_connected(stream, receive), headers=[*headers, *ignored])
                await answer(scope, receive, send)
            else:
                whole = await run_while_connected(self._turns.whole(turn), receive)
                await send_json(send, 200, msgspec.json.encode(whole), request_id=request_id, headers=ignored)
        except Replayed as replayed:
            if turn.asked.stream:
                answer = self._sent(_again(replayed.record), headers=[*headers, REPLAYED])
                await answer(scope, receive, send)
            else:
                before = msgspec.json.encode(body_of(replayed.record))
                await send_json(send, 200, before, request_id=request_id, headers=[REPLAYED])

    def _sent(self, events: AsyncGenerator[bytes, None], *, headers: list[tuple[bytes, bytes]]) -> EventStream:
        context = self._context
        return EventStream(events, limits=context.limits, buffers=context.buffers, headers=headers)


async def _again(record: JSON) -> AsyncGenerator[bytes, None]:
    yield said_again(record)
