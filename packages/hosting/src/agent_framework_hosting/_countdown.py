"""One timer for many that wait equally long: what is begun and ended all the time costs an entry, and no timer.

What gets equally long is due in the order in which it was begun. So the timer waits for the first of those that are
left, and is not touched when one begins or ends. Those that were begun soon after one another are due together: it is a
moment later for most of them, and one timer instead of one for each.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable
from contextvars import Context
from itertools import takewhile
from typing import Final, Generic, TypeVar

T = TypeVar("T", bound=Hashable)

_SOON: Final = 0.05
"""Seconds between two looks at what is due, at least; a sixteenth of the whole time where that is less."""


class Countdown(Generic[T]):
    """Calls `ring` with everything that was begun, and not ended, so many seconds ago, or a moment more.

    It is in one loop at a time: what was begun in the one before is forgotten, since nothing goes on there any more.

    Args:
        seconds: How long.
        ring: What is called, in the loop and a context of its own; it must not raise.
    """

    __slots__ = ("_context", "_loop", "_ring", "_seconds", "_soon", "_timer", "_waiting")

    def __init__(self, seconds: float, ring: Callable[[T], None]) -> None:
        self._seconds = seconds
        self._soon = min(_SOON, seconds / 16)
        self._ring = ring
        self._waiting: dict[T, float] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timer: asyncio.TimerHandle | None = None
        # Whoever begins first would otherwise lend his context to all who come until nobody waits any more.
        self._context = Context()

    def begin(self, what: T, *, loop: asyncio.AbstractEventLoop | None = None) -> None:
        """Let the time of this begin. Whoever knows the loop that runs says so: to find it is a call of the system."""
        loop = loop or asyncio.get_running_loop()
        if loop is not self._loop:
            self._move(loop)
        until = self._waiting[what] = loop.time() + self._seconds
        if self._timer is None:
            self._timer = loop.call_at(until, self._tick, context=self._context)

    def end(self, what: T) -> None:
        """Call nobody for this; idempotent."""
        self._waiting.pop(what, None)

    def _move(self, loop: asyncio.AbstractEventLoop) -> None:
        # In the loop before the timer would never come.
        if self._timer is not None:
            self._timer.cancel()
        self._loop, self._timer, self._waiting = loop, None, {}

    def _tick(self) -> None:
        loop = self._loop
        if loop is None:
            return
        now = loop.time()
        try:
            for what, _ in list(takewhile(lambda entry: entry[1] <= now, self._waiting.items())):
                # It may have ended while another one was called for.
                if self._waiting.pop(what, None) is not None:
                    self._ring(what)
        finally:
            # Not before, or what is begun by those who are called for would set a timer of its own.
            self._timer = None
            for until in self._waiting.values():
                self._timer = loop.call_at(max(until, now + self._soon), self._tick, context=self._context)
                break
