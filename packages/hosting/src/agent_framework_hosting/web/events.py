"""The one writer of event streams: a run's task fills a buffer, and empties it when it has to wait anyway.

The run never waits for its reader, so that a slow reader holds no session; what it may leave unread is bounded. So a
send that has to wait is left to the request's task, as is all that comes until that is done, and the end. All that is
there is sent in one go, every send is bounded in time, silence is kept alive with comments, and the client's leaving
watched for. Whoever leaves, or reads too slowly, has the run cancelled.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, cast

from starlette.types import Receive, Scope, Send

from .._countdown import Countdown
from .._stepping import Noticed, turn
from ..errors import ResponseTooLarge
from ..limits import Limits
from ..logs import logger
from .link import Link
from .telling import Telling
from .watch import PATIENCE

_HEADERS: Final = (
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    # nginx buffers answers of unknown length unless it is told not to.
    (b"x-accel-buffering", b"no"),
)
_COMMENT: Final = b": \n\n"
_PARTS_BEFORE_GIVING_WAY: Final = 64
_LAST_PART: Final = _PARTS_BEFORE_GIVING_WAY - 1
_BYTES_BEFORE_GIVING_WAY: Final = 32 * 1024
_CROWD: Final = 32
"""Streams that have not begun to send; fewer are through within some milliseconds, one after the other."""
_TURNS_FOR_A_CROWD: Final = 16
"""A crowd comes over several turns of the loop; whoever gives way to it goes on after so many, whatever still comes."""
_SEND_AT_MOST: Final = 64 * 1024
_GRACE: Final = 5.0
_TOO_LARGE: Final = "The answer grew larger than this server sends, so it was cut."
_TOO_MANY_UNREAD: Final = "The server holds too many unread bytes for slow readers, so this answer was cut."


def _patience() -> Countdown[Link]:
    return Countdown(PATIENCE, Link.watch)


@dataclass(slots=True, kw_only=True)
class Buffers:
    """What all streams of a host hold for their readers, in bytes; beyond `max_bytes` whoever wants more is cut.

    They are counted until they have begun to send, and wait together for the time to watch for their clients' leaving.
    """

    max_bytes: int
    held: int = 0
    silent: int = 0
    patience: Countdown[Link] = field(default_factory=_patience, init=False, repr=False, compare=False)


class EventStream:
    """An ASGI answer that sends what an async generator of bytes yields.

    Args:
        events: Whole events, of any generator, or of `tell`. Started, stepped and closed in one task of its own; closed
            early when the client leaves. `ResponseTooLarge` is thrown into a generator when its bound is reached, so
            that it can say so as its last event. What it yielded just before is sent all the same; whoever yields that
            again says that it was the end.
        limits: Bounds of size and time.
        buffers: What all streams share; a budget of its own when left out.
        headers: More response headers.
    """

    __slots__ = ("_ahead", "_buffer", "_buffers", "_done", "_events", "_headers", "_limits", "_link", "_waiter")

    def __init__(
        self,
        events: AsyncGenerator[bytes, None],
        *,
        limits: Limits,
        buffers: Buffers | None = None,
        headers: Sequence[tuple[bytes, bytes]] = (),
    ) -> None:
        self._limits = limits
        self._buffers = buffers or Buffers(max_bytes=limits.max_buffered_bytes)
        self._headers = headers
        self._events = events
        self._buffer = bytearray()
        self._done = False
        self._ahead = 0
        self._waiter: asyncio.Future[None] | None = None

    async def __call__(self, _: Scope, receive: Receive, send: Send) -> None:
        """Send the stream; returns when it has ended and its run has let go of everything."""
        buffers = self._buffers
        self._link = link = Link(receive, send, limits=self._limits, patience=buffers.patience, wake=self._wake)
        producer = asyncio.get_running_loop().create_task(Noticed(self._produce(), self._send_ahead))
        link.lend(producer)
        try:
            buffers.silent += 1
            try:
                # A task that is cancelled before it began never runs its clean-up, so the producer begins first.
                await turn()
                await send({"type": "http.response.start", "status": 200, "headers": [*_HEADERS, *self._headers]})
            finally:
                buffers.silent -= 1
            await self._write(link)
        finally:
            if link.lost:
                logger.info("A stream was cut: the client %s.", "left" if link.lost == "left" else "stopped reading")
            try:
                await link.close()
            finally:
                await self._end(producer)

    async def _end(self, producer: asyncio.Task[None]) -> None:
        self._done = True
        try:
            # Nothing is left to wait for after a stream that was sent to its end.
            if producer.cancel():
                _, pending = await asyncio.wait({producer}, timeout=_GRACE)
                if pending:
                    logger.warning(
                        "A cancelled run has not ended after %g seconds; its target ignores cancellation.", _GRACE
                    )
        finally:
            self._buffers.held -= len(self._buffer)
            self._buffer.clear()
            # They would keep each other otherwise, until the garbage collector comes.
            self._link.forget()
            del self._link

    async def _produce(self) -> None:
        is_told = type(self._events) is Telling
        telling = cast("Telling[Any]", self._events) if is_told else None
        try:
            try:
                await self._fill(telling)
            except Exception as error:
                if telling is None:
                    raise
                # The answer has begun, so every failure becomes its last event.
                self._say(telling.last_words(error))
            finally:
                await self._events.aclose()
        except Exception:  # noqa: BLE001 - the outermost frame of the task; nobody else would hear of it
            logger.exception("A stream's events ended with an error that its channel did not render.")
        finally:
            self._done = True
            self._wake()

    async def _fill(self, telling: Telling[Any] | None) -> None:
        # This runs once per event, so it counts here instead of calling somebody who does.
        buffer, buffers, most = self._buffer, self._buffers, self._limits.max_response_bytes
        # In a crowd everybody is answered before anybody's text is waited for: each gives way behind its first events.
        parts, total, given_way_at = (_LAST_PART if buffers.silent >= _CROWD else 0), 0, 0
        source: AsyncIterable[Any] = self._events
        feed: Callable[[Any], bytes] | None = None
        if telling is not None:
            source, feed = telling.updates, telling.feed
            total, parts = self._open(telling), parts + 1
            if parts == _PARTS_BEFORE_GIVING_WAY:
                parts = 0
                await self._give_way()
        async for each in source:
            data: bytes = each if feed is None else feed(each)
            if self._done:
                # A run that took no notice of being cancelled: nobody is left to read, so it is closed instead.
                return
            # What makes it too large is sent whole: it may be the end, and that of a turn already committed. What says
            # nothing is not too much.
            if (total > most or buffers.held > buffers.max_bytes) and data:
                await self._finish_with(_TOO_LARGE if total > most else _TOO_MANY_UNREAD, telling, unsent=data)
                return
            size = len(data)
            total += size
            buffers.held += size
            buffer += data
            # What waits for its model holds nothing of what it has said.
            del each, data
            parts += 1
            if parts == _PARTS_BEFORE_GIVING_WAY or total - given_way_at >= _BYTES_BEFORE_GIVING_WAY:
                parts, given_way_at = 0, total
                await self._give_way()
        if telling is not None:
            self._say(await telling.ending())

    def _open(self, telling: Telling[Any]) -> int:
        """Add what an answer begins with; one for which there is no room any more is cut before its run begins."""
        is_full = self._buffers.held > self._buffers.max_bytes
        size = self._say(telling.opening())
        if is_full:
            raise ResponseTooLarge(_TOO_MANY_UNREAD)
        return size

    def _say(self, data: bytes) -> int:
        """Add what begins an answer, ends it or makes it too large, whatever its bound; returns how long it is."""
        if self._done:
            return 0
        self._buffer += data
        self._buffers.held += len(data)
        return len(data)

    async def _give_way(self) -> None:
        for _ in range(_TURNS_FOR_A_CROWD):
            await turn()
            if self._buffers.silent < _CROWD:
                break

    async def _finish_with(self, why: str, telling: Telling[Any] | None, *, unsent: bytes) -> None:
        # What whoever made it counts as sent has to be: the last words of a stream tell of it.
        if telling is not None:
            self._say(unsent)
            raise ResponseTooLarge(why)
        try:
            last = await self._events.athrow(ResponseTooLarge(why))
        except StopAsyncIteration:
            last = b""
        except ResponseTooLarge:
            # What was yielded was the last word, of a failure it may be; or there is none for this.
            logger.info("A stream ended where it was cut: %s", why)
            last = b""
        self._say(unsent if last == unsent else unsent + last)
        self._wake()

    def _send_ahead(self) -> None:
        """Send what there is from the run's task, which is about to wait, while the writer has nothing to do.

        A model's chunk is mostly sent alone: to wake another task for it would cost as much as all else that is done.
        """
        buffer = self._buffer
        if buffer and (waiter := self._waiter) is not None and not waiter.done():
            size = len(buffer)
            if size > _SEND_AT_MOST:
                self._wake()
            elif self._link.send_at_once(bytes(buffer)):
                # What `_sent` does, without the call: this is done for each chunk.
                buffer.clear()
                self._buffers.held -= size
            else:
                self._ahead = size
                self._wake()

    def _next(self) -> bytes:
        # Mostly that is all that there is, and needs no view.
        buffer = self._buffer
        return bytes(buffer) if len(buffer) <= _SEND_AT_MOST else bytes(memoryview(buffer)[:_SEND_AT_MOST])

    def _sent(self, size: int) -> None:
        del self._buffer[:size]
        self._buffers.held -= size

    def _wake(self) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    async def _write(self, link: Link) -> None:
        while not link.lost:
            if self._ahead:
                await link.finish()
                self._sent(self._ahead)
                self._ahead = 0
            elif self._buffer:
                data = self._next()
                # The end goes along with what comes last: servers write both at once.
                is_last = self._done and len(data) == len(self._buffer)
                await link.send(data, more=not is_last)
                if is_last:
                    return
                self._sent(len(data))
                # Otherwise a stream that waits for its model would hold what it sent last.
                del data
            elif self._done:
                await link.send(b"", more=False)
                return
            elif link.beat_is_due:
                await link.send(_COMMENT)
            else:
                self._waiter = asyncio.get_running_loop().create_future()
                await self._waiter
