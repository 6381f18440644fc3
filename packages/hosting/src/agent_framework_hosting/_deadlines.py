"""How long runs may take: in all, and until they first say something."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar
from functools import partial
from typing import Final

from ._admission import Run
from ._countdown import Countdown
from ._handled import handling
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
        self._first = _countdown(limits.first_update_timeout, _QUIET)
        self._total = _countdown(limits.run_timeout, _LONG)
        self._background = _countdown(limits.background_run_timeout, _LONG)
        self._all = [each for each in (self._total, self._background, self._first) if each is not None]
        self.awaits_update: Final = limits.first_update_timeout is not None
        """Whether it matters when a run first says something."""

    def begin(self, run: Run, *, is_streamed: bool) -> None:
        """Let the time of a run begin; one that is not streamed says nothing before its end."""
        whole = self._background if _in_background.get() else self._total
        if whole is not None:
            whole.begin(run, loop=run.loop)
        if is_streamed and self._first is not None:
            self._first.begin(run, loop=run.loop)

    def updated(self, run: Run) -> None:
        """Take notice that a run has said something."""
        if self._first is not None:
            self._first.end(run)

    def end(self, run: Run) -> None:
        """Stop it no more; idempotent."""
        for countdown in self._all:
            countdown.end(run)

    @contextmanager
    def limited(self, run: Run) -> Generator[None]:
        """Give what comes before a run has its session as long as the run itself."""
        self.begin(run, is_streamed=False)
        try:
            yield
        finally:
            self.end(run)


def _countdown(seconds: float | None, message: str) -> Countdown[Run] | None:
    return None if seconds is None else Countdown(seconds, partial(_expire, message.format(seconds)))


def _expire(message: str, run: Run) -> None:
    with handling(run.request) if run.request is not None else nullcontext():
        logger.warning("%s", message)
    run.expire(message)
