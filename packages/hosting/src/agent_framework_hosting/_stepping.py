"""Coroutines that mostly do not wait: what is needed while they wait is made only when one really does."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Coroutine, Generator
from contextvars import Context
from types import coroutine
from typing import Any, TypeVar

T = TypeVar("T")

current_task: Callable[[asyncio.AbstractEventLoop | None], asyncio.Task[Any] | None] = asyncio.current_task
"""Return the task that runs in a loop, which is the one that runs here."""
if sys.version_info < (3, 12):
    # Until then it is written in Python, and every update asks. This is all that it does for a loop that is known.
    current_task = vars(asyncio.tasks)["_current_tasks"].get


class TimeIsUp(TimeoutError):
    """A coroutine took longer than it may."""


async def within(seconds: float, work: Awaitable[T]) -> T:
    """Await `work` for so long; a timer is set only when it waits.

    Raises:
        TimeIsUp: It took longer, and was cancelled.

    Example:
        >>> async def ready() -> int:
        ...     return 1
        >>> asyncio.run(within(10, ready()))
        1
    """
    steps = work.__await__()
    try:
        waits_for = next(steps)
    except StopIteration as done:
        return done.value
    rest = resumed(steps, waits_for) if hasattr(steps, "send") else _stepped(steps, waits_for)
    # If it fails, its error knows this frame: the two would keep each other.
    del waits_for
    limit = asyncio.timeout(seconds)
    try:
        async with limit:
            return await rest
    except TimeoutError as error:
        if limit.expired():
            raise TimeIsUp from error
        raise


class Noticed(Coroutine[Any, Any, T], Generator[Any, Any, T]):
    """`work`, for a task to run: `before_waiting`, which must not raise, is called in it each time that it is to wait.

    It is no coroutine around another one, since every step would go through its frame.
    """

    __slots__ = ("_before_waiting", "_work")

    def __init__(self, work: Coroutine[Any, Any, T], before_waiting: Callable[[], None]) -> None:
        self._work = work
        self._before_waiting = before_waiting

    def __await__(self) -> Generator[Any, Any, T]:
        return self

    def __next__(self) -> Any:
        # What a task calls: the one that is inherited would call `send`.
        waits_for = self._work.send(None)
        self._before_waiting()
        return waits_for

    def send(self, value: Any, /) -> Any:
        """Step it."""
        waits_for = self._work.send(value)
        self._before_waiting()
        return waits_for

    def throw(self, *error: Any) -> Any:
        """Step it with an error."""
        try:
            waits_for = self._work.throw(*error)
        finally:
            # What was thrown in, and comes out, knows this frame by then: the two would keep each other.
            del error
        self._before_waiting()
        return waits_for

    def close(self) -> None:
        """Have it end at once."""
        self._work.close()

    def __getattr__(self, name: str) -> Any:
        # Its name and its frame: who looks into a task, or asks what it waits for, is to see the work.
        return getattr(self._work, name)


@coroutine
def turn() -> Generator[None]:
    """Let whoever else is ready have its turn: `asyncio.sleep(0)`, without its frames."""
    yield


@coroutine
def _stepped(steps: Generator[Any, Any, T], waits_for: Any) -> Generator[Any, Any, T]:
    # What some servers give to be awaited has a `__next__` and nothing else.
    yield waits_for
    return (yield from steps)


@coroutine
def resumed(
    work: Coroutine[Any, Any, T] | Generator[Any, Any, T],
    waits_for: Any,
    *,
    context: Context | None = None,
) -> Generator[Any, Any, T]:
    """Await what is left of `work`, which was stepped once, in this context, and waits for what that step returned."""
    while True:
        step: Callable[[Any], Any] = work.send
        try:
            given = yield waits_for
        except GeneratorExit:
            work.close()
            raise
        except BaseException as error:  # noqa: BLE001 - thrown in where it belongs
            step, given = work.throw, error
        # If that has failed, its error knows this frame by and by: the two would keep each other.
        waits_for = None
        try:
            waits_for = step(given) if context is None else context.run(step, given)
        except StopIteration as done:
            return done.value
        finally:
            # An error that was thrown in, and comes out, knows this frame by then: the two would keep each other.
            del given
