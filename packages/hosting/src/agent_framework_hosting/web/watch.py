"""Stops a run whose client has left, for answers that are sent whole."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, Final, TypeVar

from starlette.types import Receive

from .._stepping import resumed
from .body import ClientGone

T = TypeVar("T")

PATIENCE: Final = 0.25
"""Seconds before the watch begins: most answers are quicker, and then it costs a timer at most instead of a task."""


async def run_while_connected(work: Coroutine[Any, Any, T], receive: Receive) -> T:
    """Await `work`; when the client leaves first, cancel it and raise `ClientGone`.

    Call it when the whole body has been read, since it consumes what `receive` gives.
    """
    try:
        waits_for = work.send(None)
    except StopIteration as done:
        return done.value
    task = asyncio.current_task()
    if task is None:
        work.close()
        raise RuntimeError("run_while_connected must be awaited inside a task.")
    watch = _Watch(task, receive)
    timer = asyncio.get_running_loop().call_later(PATIENCE, watch.begin)
    rest = resumed(work, waits_for)
    # If it fails, its error knows this frame: the two would keep each other.
    del waits_for
    try:
        return await rest
    except asyncio.CancelledError:
        if watch.take_back():
            raise ClientGone from None
        raise
    finally:
        timer.cancel()
        watch.end()
        # Once cancelled, it would keep this frame, and be kept by it.
        del task, watch


class _Watch:
    def __init__(self, task: asyncio.Task[Any], receive: Receive) -> None:
        self._has_cancelled = False
        self._task = task
        self._receive = receive
        self._watching: asyncio.Task[None] | None = None

    def begin(self) -> None:
        self._watching = asyncio.get_running_loop().create_task(self._wait_for_disconnect())

    def end(self) -> None:
        # Not kept: what a task that was cancelled knows of its end has all that it was doing, and that has this.
        watching, self._watching = self._watching, None
        if watching is not None:
            watching.cancel()
        if self._has_cancelled:
            # What is run took no notice of it, so that it is nobody's any more.
            self.take_back()

    def take_back(self) -> bool:
        """Let its cancellation of the task count no more; says whether that was the only one."""
        has_cancelled, self._has_cancelled = self._has_cancelled, False
        return has_cancelled and not self._task.uncancel()

    async def _wait_for_disconnect(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            continue
        self._has_cancelled = True
        self._task.cancel()
