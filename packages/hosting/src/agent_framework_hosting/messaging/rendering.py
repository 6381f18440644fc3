"""Shows an answer while it is made, and delivers it when it is finished.

The newest text wins: what could not be shown in time is left out, never queued. The finished answer is another matter:
it is delivered whole, whatever the platform says in between.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Final, Self

from ..logs import logger
from .chunks import split
from .outlet import Gone, MessageRef, NotOffered, OutcomeUnknown, OutletError, StreamMode
from .pacing import GateClosed
from .voice import Voice

_NOTHING_MORE: Final = "…"
"""What a message says that an answer has no more need of."""
_ENOUGH_BEHIND: Final = 200
"""Characters behind a message after which its text does not change any more."""


@dataclass(slots=True)
class _Shown:
    """A message that was sent, and what it says; without a ref nobody knows whether it arrived."""

    ref: MessageRef | None
    text: str


@dataclass(slots=True)
class Progress:
    """What of an answer has been sent. Kept between two tries, what was sent is not sent again."""

    shown: list[_Shown] = field(default_factory=list[_Shown])
    files: int = 0
    """How many of its files were sent."""
    has_asked: bool = False
    """Whether what it asks was asked."""


class StreamRenderer:
    """Shows one answer in one place.

    Args:
        voice: Where to.
        progress: What of it was sent by an earlier try.

    Example:
        ```python
        async with StreamRenderer(voice) as renderer:
            async for update in stream:
                renderer.show(text_so_far)
            await renderer.finish(whole_text)
        ```
    """

    def __init__(self, voice: Voice, *, progress: Progress | None = None) -> None:
        self._voice = voice
        self._progress = progress or Progress()
        self._modes: list[StreamMode] = list(voice.traits.streaming)
        self._text: str | Callable[[], str] = ""
        self._wanted = asyncio.Event()
        self._is_over = asyncio.Event()
        self._painter: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        if self._modes:
            self._painter = asyncio.create_task(self._paint())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        painter, self._painter = self._painter, None
        if painter is not None:
            painter.cancel()
            await asyncio.gather(painter, return_exceptions=True)

    def show(self, text: str | Callable[[], str]) -> None:
        """Take this as the answer so far, or what returns it; it is shown when there is time for it."""
        self._text = text
        self._wanted.set()

    async def finish(self, text: str) -> None:
        """Deliver the answer; returns when it has been sent whole.

        Raises:
            OutletError: It could not be sent, for good or for longer than there is patience.
        """
        self._is_over.set()
        if self._painter is not None:
            # Not cancelled: a message that is on its way has to be known, or it would be sent a second time.
            await self._painter_is_done(self._painter)
            self._painter = None
        chunks = [chunk.text for chunk in split(text, self._voice.traits.limits)]
        for index, chunk in enumerate(chunks):
            await self._deliver(index, chunk)
        for left in self._progress.shown[len(chunks) :]:
            if left.ref is not None and left.text != _NOTHING_MORE:
                with suppress(NotOffered):
                    await self._voice.deliver_edit(left.ref, _NOTHING_MORE)
                left.text = _NOTHING_MORE

    async def _deliver(self, index: int, text: str) -> None:
        shown = self._progress.shown
        if index < len(shown):
            at = shown[index]
            if at.text == text:
                return
            if at.ref is not None:
                with suppress(NotOffered):
                    await self._voice.deliver_edit(at.ref, text)
                    at.text = text
                    return
            shown[index] = _Shown(await self._voice.deliver_message(text), text)
        else:
            shown.append(_Shown(await self._voice.deliver_message(text), text))

    async def _paint(self) -> None:
        """Show the newest text again and again, until the answer is finished."""
        interval = self._voice.traits.interval
        # Most answers are short: one that is finished by then comes as one message.
        await self._pause(interval if self._modes[0] == "edit" else 0.0)
        while self._modes and not self._is_over.is_set():
            await self._until_wanted()
            await self._pause(self._voice.gate.until_open(interval=interval))
            if self._is_over.is_set():
                return
            self._wanted.clear()
            try:
                await self._show(self._text if isinstance(self._text, str) else self._text())
            except NotOffered:
                refused = self._modes.pop(0)
                logger.debug("An answer cannot be shown as %s here.", refused)
                self._wanted.set()
            except Gone:
                return
            except OutletError as error:
                logger.debug("An unfinished answer was not shown: %s", error)
                self._wanted.set()
                if isinstance(error, GateClosed) and not self._voice.gate.until_open(interval=interval):
                    # Something else is on its way there; nothing says when it is done.
                    await self._pause(interval)

    async def _show(self, text: str) -> None:
        chunks = [chunk.text for chunk in split(text, self._voice.traits.limits)]
        is_draft = self._modes[0] == "draft"
        behind = sum(map(len, chunks))
        for index, chunk in enumerate(chunks):
            behind -= len(chunk)
            is_settled = behind > _ENOUGH_BEHIND
            if is_draft and not is_settled:
                await self._voice.show_draft(chunk)
                return
            await self._show_message(index, chunk)

    async def _show_message(self, index: int, text: str) -> None:
        shown = self._progress.shown
        if index == len(shown):
            try:
                ref = await self._voice.show_message(text)
            except OutcomeUnknown:
                # It may be there, half an answer; the whole one comes as a message of its own.
                ref = None
            shown.append(_Shown(ref, text))
        elif shown[index].text != text:
            ref = shown[index].ref
            if ref is not None:
                await self._voice.show_edit(ref, text)
                shown[index].text = text

    async def _painter_is_done(self, painter: asyncio.Task[None]) -> None:
        (outcome,) = await asyncio.gather(painter, return_exceptions=True)
        if isinstance(outcome, BaseException):
            logger.error("An unfinished answer could not be shown: an outlet raised", exc_info=outcome)

    async def _until_wanted(self) -> None:
        await _first_of(self._wanted.wait(), self._is_over.wait())

    async def _pause(self, seconds: float) -> None:
        if seconds > 0:
            await _first_of(self._voice.gate.clock.sleep(seconds), self._is_over.wait())


async def _first_of(*waits: Coroutine[Any, Any, object]) -> None:
    tasks = [asyncio.ensure_future(wait) for wait in waits]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
