"""`POST /responses`: from the request's bytes to the answer's."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Coroutine
from typing import TYPE_CHECKING, Any, TypeAlias

from starlette.types import Receive, Scope, Send

from agent_framework_hosting.channel import Replayed
from agent_framework_hosting.parsing.body import decode
from agent_framework_hosting.rendering.text import to_json
from agent_framework_hosting.types import JSON
from agent_framework_hosting.web.body import read_body
from agent_framework_hosting.web.endpoint import send_json
from agent_framework_hosting.web.events import EventStream
from agent_framework_hosting.web.idempotency import REPLAYED, idempotency_key
from agent_framework_hosting.web.watch import run_while_connected

from ._continuation import chat_key
from ._operation import Headers
from ._rare import Rare
from ._record import body_of
from ._turns import Turn, Turns

if TYPE_CHECKING:
    from agent_framework_hosting.channel import ChannelContext

_Said: TypeAlias = bytes | AsyncGenerator[bytes, None]
"""A whole response, or its events."""


class Creation:
    """Creates responses."""

    def __init__(self, context: ChannelContext, turns: Turns, rare: Rare) -> None:
        self._context = context
        self._turns = turns
        self._rare = rare

    async def __call__(self, scope: Scope, receive: Receive, send: Send, *, request_id: bytes) -> None:
        """Answer one request."""
        # Nothing of the request but its answer is known here: it may be large, and a stream may be long.
        said, headers = await self._answer(scope, receive)
        if isinstance(said, bytes):
            await send_json(send, 200, said, request_id=request_id, headers=headers)
            return
        context, headers = self._context, [(b"x-request-id", request_id), *headers]
        stream = EventStream(said, limits=context.limits, buffers=context.buffers, headers=headers)
        await stream({}, receive, send)

    async def _answer(self, scope: Scope, receive: Receive) -> tuple[_Said, Headers]:
        """Return the response, or its events, and the headers to go with it; refusals are raised here."""
        limits = self._context.limits
        body = await read_body(scope, receive, limits=limits)
        named = idempotency_key(scope, body, chat=chat_key())
        decoded = decode(body, max_depth=limits.max_json_depth)
        del body
        turn = await self._turns.read(decoded, named=named)
        is_streamed = turn.asked.stream
        if turn.asked.background:
            record, is_new = await self._rare.background.accept(turn, decoded, named=named)
            said = self._rare.following.follow(record, after=-1) if is_streamed else to_json(body_of(record))
            return said, _ignored(turn) if is_new else [REPLAYED]
        try:
            # The turn lives as long as the client is there.
            run: Coroutine[Any, Any, _Said] = self._turns.stream(turn) if is_streamed else self._turns.whole(turn)
            return await run_while_connected(run, receive), _ignored(turn)
        except Replayed as replayed:
            record = replayed.record
            return _again(record) if is_streamed else to_json(body_of(record)), [REPLAYED]


def _ignored(turn: Turn) -> Headers:
    return [(b"x-ignored-parameters", turn.ignored.encode())] if turn.ignored else []


async def _again(record: JSON) -> AsyncGenerator[bytes, None]:
    # Few requests come twice.
    from ._replay import said_again

    yield said_again(record)
