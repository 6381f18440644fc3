"""How long runs may take: in all, and until they first say something.

Runs that get equally long end in the order in which they began. So one timer serves all of them: it waits for the first
of those that are left, and is not touched when a run begins or ends.
"""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from itertools import takewhile
from typing import Final

from ._admission import Run
from .errors import RunTimeout
from .limits import Limits
from .logs import logger

_QUIET: Final = "The agent said nothing within {:g} seconds, so its run was stopped."
_LONG: Final = "The run took longer than the {:g} seconds that this server gives it, and was stopped."

_in_background: Final[ContextVar[bool]] = ContextVar("agent_framework_hosting_in_background", default=False)


@contextmanager
def in_background() -> Generator[None]:
    """Give the runs inside the block the time of those for which nobody waits."""
    token = _in_background.set(True)
    try:
        yield
    finally:
        _in_background.reset(token)


class Deadlines:
    """Stops those runs of a host that take too long.

    The time of a run begins when it has its session: what it waits for before is other runs, which have deadlines of
    their own.

    Args:
        limits: How long runs may take.
    """

    def __init__(self, limits: Limits) -> None:
        self._first = _Countdown(limits.first_update_timeout, _QUIET)
        self._total = _Countdown(limits.run_timeout, _LONG)
        self._background = _Countdown(limits.background_run_timeout, _LONG)
        self.awaits_update: Final = limits.first_update_timeout is not None
        """Whether it matters when a run first says something."""

    def begin(self, run: Run, *, is_streamed: bool) -> None:
        """Let the time of a run begin; one that is not streamed says nothing before its end."""
        (self._background if _in_background.get() else self._total).begin(run)
        if is_streamed and self.awaits_update:
            self._first.begin(run)

    def updated(self, run: Run) -> None:
        """Take notice that a run has said something."""
        self._first.runs.pop(run, None)

    def end(self, run: Run) -> None:
        """Stop it no more; idempotent."""
        self._total.runs.pop(run, None)
        self._background.runs.pop(run, None)
        self._first.runs.pop(run, None)

    @contextmanager
    def limited(self, run: Run) -> Generator[None]:
        """Give what comes before a run has its session as long as the run itself."""
        self.begin(run, is_streamed=False)
        try:
            yield
        finally:
            self.end(run)


class _Countdown:
    """Runs that get equally long, and when the time of each is up; the first one to end comes first."""

    __slots__ = ("_loop", "_message", "_seconds", "_timer", "runs")

    def __init__(self, seconds: float | None, message: str) -> None:
        self.runs: dict[Run, float] = {}
        self._seconds = seconds
        self._message = message
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timer: asyncio.TimerHandle | None = None

    def begin(self, run: Run) -> None:
        if self._seconds is None:
            return
        loop = asyncio.get_running_loop()
        if loop is not self._loop:
            self._move(loop)
        until = self.runs[run] = loop.time() + self._seconds
        if self._timer is None:
            self._timer = loop.call_at(until, self._tick)

    def _move(self, loop: asyncio.AbstractEventLoop) -> None:
        # A host is in one loop at a time: in the one before nothing goes on any more, and its timer would never come.
        if self._timer is not None:
            self._timer.cancel()
        self._loop, self._timer, self.runs = loop, None, {}

    def _tick(self) -> None:
        self._timer = None
        if self._loop is None or self._seconds is None:
            return
        now = self._loop.time()
        for run, _ in list(takewhile(lambda entry: entry[1] <= now, self.runs.items())):
            if self.runs.pop(run, None) is None:
                # It ended while another one was stopped.
                continue
            message = self._message.format(self._seconds)
            logger.warning("%s", message)
            run.expire(RunTimeout(message))
        for until in self.runs.values():
            self._timer = self._loop.call_at(until, self._tick)
            break
