"""`POST /responses`: from the request's bytes to the answer's."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Coroutine
from typing import Any, NamedTuple

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

from ._background import Background
from ._continuation import chat_key
from ._following import Following
from ._operation import Headers
from ._record import body_of
from ._replay import said_again
from ._turns import Turn, Turns


class _Answer(NamedTuple):
    """Where an answer goes."""

    receive: Receive
    send: Send
    request_id: bytes

    async def whole(self, body: bytes, *, headers: Headers) -> None:
        """Send a response."""
        await send_json(self.send, 200, body, request_id=self.request_id, headers=headers)


class Creation:
    """Creates responses."""

    def __init__(self, context: ChannelContext, turns: Turns, background: Background) -> None:
        self._context = context
        self._turns = turns
        self._background = background
        self._following = Following(context)

    async def __call__(self, scope: Scope, receive: Receive, send: Send, *, request_id: bytes) -> None:
        """Answer one request."""
        limits = self._context.limits
        body = await read_body(scope, receive, limits=limits)
        named = idempotency_key(scope, body, chat=chat_key())
        decoded = decode(body, max_depth=limits.max_json_depth)
        # It may be large, and a stream may be long.
        del body
        turn = await self._turns.read(decoded, named=named)
        answer = _Answer(receive, send, request_id)
        if turn.asked.background:
            record, is_new = await self._background.accept(turn, decoded, named=named)
            headers: Headers = _ignored(turn) if is_new else [REPLAYED]
            if turn.asked.stream:
                await self._stream(self._following.follow(record, after=-1), answer, headers=headers)
            else:
                await answer.whole(msgspec.json.encode(body_of(record)), headers=headers)
            return
        try:
            await self._run(turn, answer)
        except Replayed as replayed:
            if turn.asked.stream:
                await self._stream(_again(replayed.record), answer, headers=[REPLAYED])
            else:
                await answer.whole(msgspec.json.encode(body_of(replayed.record)), headers=[REPLAYED])

    async def _run(self, turn: Turn, answer: _Answer) -> None:
        """Answer with a turn that lives as long as the client is there."""
        if turn.asked.stream:
            events = await run_while_connected(self._turns.stream(turn), answer.receive)
            await self._stream(events, answer, headers=_ignored(turn))
        else:
            whole = await run_while_connected(self._turns.whole(turn), answer.receive)
            await answer.whole(whole, headers=_ignored(turn))

    def _stream(
        self, events: AsyncGenerator[bytes, None], answer: _Answer, *, headers: Headers
    ) -> Coroutine[Any, Any, None]:
        # Not async itself: what waits for as long as a stream lasts, and has nothing left to do, is memory alone.
        context = self._context
        named = [(b"x-request-id", answer.request_id), *headers]
        stream = EventStream(events, limits=context.limits, buffers=context.buffers, headers=named)
        return stream({}, answer.receive, answer.send)


def _ignored(turn: Turn) -> Headers:
    return [(b"x-ignored-parameters", turn.ignored.encode())] if turn.ignored else []


async def _again(record: JSON) -> AsyncGenerator[bytes, None]:
    yield said_again(record)
