"""How long a run may take: in all, and until it first says something.

One timer serves both, and nothing is done per update.
"""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

from ._admission import Run
from .errors import RunTimeout
from .limits import Limits
from .logs import logger

_in_background: Final[ContextVar[bool]] = ContextVar("agent_framework_hosting_in_background", default=False)


@contextmanager
def in_background() -> Generator[None]:
    """Give the runs inside the block the time of those for which nobody waits."""
    token = _in_background.set(True)
    try:
        yield
    finally:
        _in_background.reset(token)


@contextmanager
def limited(run: Run, limits: Limits) -> Generator[None]:
    """Give what comes before a run has its session as long as the run itself."""
    deadline = Deadline(run, limits)
    deadline.begin(is_streamed=False)
    try:
        yield
    finally:
        deadline.end()


class Deadline:
    """Stops one run that takes too long.

    It begins when the run has its session: what it waits for before is other runs, which have deadlines of their own.

    Args:
        run: The run to stop.
        limits: How long it may take.
    """

    __slots__ = ("_first", "_loop", "_run", "_timer", "_total", "_until")

    def __init__(self, run: Run, limits: Limits) -> None:
        self._run = run
        self._first = limits.first_update_timeout
        self._total = limits.background_run_timeout if _in_background.get() else limits.run_timeout
        self._until: float | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timer: asyncio.TimerHandle | None = None

    def begin(self, *, is_streamed: bool) -> None:
        """Let the time run; a run that is not streamed says nothing before its end."""
        self._loop = asyncio.get_running_loop()
        now = self._loop.time()
        self._until = None if self._total is None else now + self._total
        if not is_streamed:
            self._first = None
        if self._first is not None and (self._total is None or self._first < self._total):
            self._timer = self._loop.call_at(now + self._first, self._too_quiet)
        else:
            self._wait_for_the_end()

    @property
    def awaits_update(self) -> bool:
        """Whether it matters when the run first says something."""
        return self._first is not None

    def updated(self) -> None:
        """Take notice that the run has said something."""
        if self._first is not None:
            self._first = None
            self.end()
            self._wait_for_the_end()

    def end(self) -> None:
        """Stop no more; idempotent."""
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()

    def _wait_for_the_end(self) -> None:
        if self._until is not None and self._loop is not None:
            self._timer = self._loop.call_at(self._until, self._too_long)

    def _too_quiet(self) -> None:
        self._stop(f"The agent said nothing within {self._first:g} seconds, so its run was stopped.")

    def _too_long(self) -> None:
        self._stop(f"The run took longer than the {self._total:g} seconds that this server gives it, and was stopped.")

    def _stop(self, message: str) -> None:
        logger.warning("%s", message)
        self._run.expire(RunTimeout(message))
