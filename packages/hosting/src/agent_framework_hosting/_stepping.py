"""Coroutines that mostly do not wait: what is needed while they wait is made only when one really does."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Generator
from contextvars import Context
from types import coroutine
from typing import Any, TypeVar

T = TypeVar("T")


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
    limit = asyncio.timeout(seconds)
    try:
        async with limit:
            return await resumed(steps, waits_for)
    except TimeoutError as error:
        if limit.expired():
            raise TimeIsUp from error
        raise


async def noticed(work: Coroutine[Any, Any, T], before_waiting: Callable[[], None]) -> T:
    """Await `work`; `before_waiting` is called in its task each time that it is about to wait, and must not raise."""
    try:
        waits_for = work.send(None)
    except StopIteration as done:
        return done.value
    return await resumed(work, waits_for, before_waiting)


@coroutine
def resumed(
    work: Coroutine[Any, Any, T] | Generator[Any, Any, T],
    waits_for: Any,
    before_waiting: Callable[[], None] | None = None,
    *,
    context: Context | None = None,
) -> Generator[Any, Any, T]:
    """Await what is left of `work`, which was stepped once, in this context, and waits for what that step returned."""
    while True:
        if before_waiting is not None:
            before_waiting()
        step: Callable[[Any], Any] = work.send
        try:
            given = yield waits_for
        except GeneratorExit:
            work.close()
            raise
        except BaseException as error:  # noqa: BLE001 - thrown in where it belongs
            step, given = work.throw, error
        try:
            waits_for = step(given) if context is None else context.run(step, given)
        except StopIteration as done:
            return done.value
