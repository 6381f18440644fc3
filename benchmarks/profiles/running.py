"""One request of the floor while it is answered: what is sent of it, and what ends it early."""

from __future__ import annotations

import asyncio
from typing import Any, Final, cast

from starlette.types import Receive, Send

from ..limits import EVENT_STREAM
from .waiting import Countdown, driven
from .wording import Fields, Said

Headers = list[tuple[bytes, bytes]]
_FIRST: Final = 4
"""The number of the first delta."""


class Refused(Exception):
    """The request is answered with this status."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class Terms:
    """What holds for all runs: which duties they have, and one timer for each kind of wait.

    Args:
        times: Whether there is a deadline.
        watches: Whether clients are watched for.
        beats: Whether streams are kept alive.
        cuts: Whether answers and sends have bounds.
        patience: Seconds after which something is made for whoever still waits.
        deadline: Seconds that a run may take.
        silence: Seconds after which a stream is kept alive.
        send_within: Seconds that a send may wait.
    """

    def __init__(
        self,
        *,
        times: bool,
        watches: bool,
        beats: bool,
        cuts: bool,
        patience: float,
        deadline: float,
        silence: float,
        send_within: float,
    ) -> None:
        self.times, self.watches, self.beats, self.cuts = times, watches, beats, cuts
        self.waits = times or watches or beats
        self.patience = Countdown(patience, Run.last_long)
        self.deadlines = Countdown(max(0.0, deadline - patience), Run.be_late)
        self.silences = Countdown(silence, Run.beat)
        self.sends = Countdown(send_within, Run.be_cut)


class Run:
    """One request while it is answered."""

    __slots__ = (
        *("asked", "body", "chunks", "headers", "owner", "ready", "said", "send", "sent"),
        *("_commenting", "_has_begun", "_has_left", "_has_spoken", "_helper", "_is_cut", "_is_late"),
        *("_receive", "_sends", "_task", "_terms", "_waits"),
    )

    def __init__(self, terms: Terms, asked: Fields, said: Said, receive: Receive, send: Send) -> None:
        self.asked, self.said, self.send = asked, said, send
        self.owner, self.body, self.sent = "", b"", 0
        self.headers: Headers = []
        self.chunks: list[str]
        self._terms, self._receive = terms, receive
        self._has_begun = self._has_left = self._has_spoken = self._is_cut = self._is_late = False
        self._sends = self._waits = False
        self._helper: asyncio.Task[None] | None = None

    @property
    def number(self) -> int:
        """The number of a stream's next event."""
        return _FIRST + len(self.chunks)

    async def answer(self, work: Any) -> bytes:
        """Do the work, for as long as it may take and somebody wants it."""
        if self.asked.stream:
            self.ready, self.chunks = bytearray(), []
        elif not self._terms.waits:
            return await work
        try:
            return await driven(work, self._before_waiting)
        except asyncio.CancelledError:
            if not (self._has_left or self._is_late or self._is_cut) or self._task.uncancel():
                raise
            if self._is_late and not self.asked.stream:
                raise Refused(504) from None
            if self._is_late:
                self.ready += self.said.failed(self.number)
                await self.flush(more=False)
            return b""
        finally:
            if self._waits:
                self._end()

    def _before_waiting(self) -> Any:
        if not self._waits and self._terms.waits:
            self._waits = True
            self._task = cast("asyncio.Task[Any]", asyncio.current_task())
            self._terms.patience.begin(self)
        return self.flush() if self.asked.stream and self.ready else None

    async def flush(self, *, more: bool = True) -> None:
        """Send what is ready."""
        if not self._has_begun:
            self._has_begun = True
            headers = [*EVENT_STREAM, *self.headers]
            await self.send({"type": "http.response.start", "status": 200, "headers": headers})
        data = bytes(self.ready)
        self.ready.clear()
        self.sent += len(data)
        self._has_spoken = True
        sending = self.send({"type": "http.response.body", "body": data, "more_body": more})
        if not self._terms.cuts:
            await sending
            return
        await driven(cast("Any", sending), self._begin_send)
        if self._sends:
            self._sends = False
            self._terms.sends.end(self)

    def _begin_send(self) -> None:
        if not self._sends:
            self._sends = True
            self._task = cast("asyncio.Task[Any]", asyncio.current_task())
            self._terms.sends.begin(self)

    def last_long(self) -> None:
        """Have what only a run needs that takes its time."""
        terms = self._terms
        if terms.watches:
            self._helper = asyncio.get_running_loop().create_task(self._watch())
        if terms.times:
            terms.deadlines.begin(self)
        if terms.beats and self.asked.stream:
            terms.silences.begin(self)

    def be_late(self) -> None:
        """End at the deadline."""
        self._is_late = True
        self._task.cancel()

    def be_cut(self) -> None:
        """End because nobody reads."""
        self._is_cut = True
        self._task.cancel()

    def beat(self) -> None:
        """Say something when nothing was said for long."""
        if not self._has_spoken:
            self._commenting = asyncio.get_running_loop().create_task(self._comment())
        self._has_spoken = False
        self._terms.silences.begin(self)

    async def _comment(self) -> None:
        await self.send({"type": "http.response.body", "body": b": \n\n", "more_body": True})

    async def _watch(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            continue
        self._has_left = True
        self._task.cancel()

    def _end(self) -> None:
        terms = self._terms
        terms.patience.end(self)
        terms.deadlines.end(self)
        terms.silences.end(self)
        terms.sends.end(self)
        if self._helper is not None:
            self._helper.cancel()
