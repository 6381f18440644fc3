"""What the floor does while an agent waits: nothing of it is made for one that does not.

Some of it the host has, too. None of the host's is taken: a limit that moves with what it measures would be none.
"""

from __future__ import annotations

import asyncio
import types
from collections.abc import Awaitable, Callable, Coroutine, Generator
from typing import Any, Generic, TypeVar

T = TypeVar("T")


@types.coroutine
def driven(
    work: Coroutine[Any, Any, T], before_waiting: Callable[[], Awaitable[None] | None]
) -> Generator[Any, Any, T]:
    """Await `work`; before each of its waits, do what `before_waiting` returns."""
    step: Callable[[Any], Any] = work.send
    given: Any = None
    while True:
        try:
            waits_for = step(given)
        except StopIteration as done:
            return done.value
        try:
            first = before_waiting()
            if first is not None:
                yield from first.__await__()
            given = yield waits_for
        except GeneratorExit:
            work.close()
            raise
        except BaseException as error:  # noqa: BLE001 - whatever comes, a cancellation too, belongs into the work
            step, given = work.throw, error
        else:
            step = work.send


@types.coroutine
def turn() -> Generator[None]:
    """Let others that are ready have their turn."""
    yield


class Countdown(Generic[T]):
    """Calls `then` with each that has been in it for `after` seconds: all wait as long, so one timer does for all."""

    def __init__(self, after: float, then: Callable[[T], None]) -> None:
        self._after = after
        self._then = then
        self._ends: dict[T, float] = {}
        self._timer: asyncio.TimerHandle | None = None

    def begin(self, who: T) -> None:
        """Let it wait; from the beginning, when it was waiting."""
        loop = asyncio.get_running_loop()
        self._ends.pop(who, None)
        self._ends[who] = ends = loop.time() + self._after
        if self._timer is None:
            self._timer = loop.call_at(ends, self._tick)

    def end(self, who: T) -> None:
        """Let it wait no more, if it did."""
        self._ends.pop(who, None)

    def _tick(self) -> None:
        loop = asyncio.get_running_loop()
        while self._ends:
            who, ends = next(iter(self._ends.items()))
            if ends > loop.time():
                self._timer = loop.call_at(ends, self._tick)
                return
            del self._ends[who]
            self._then(who)
        self._timer = None
