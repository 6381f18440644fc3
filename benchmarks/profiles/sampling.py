"""A small sampling profiler: whose code runs when a tick of processor time has passed.

The timer is the process's own (`setitimer`), so no rights are needed, and the handler runs between two steps of Python
code of the main thread: what a call into C has cost is its caller's. The kernel counts in ticks of some milliseconds,
so only many requests make a profile; and what is shorter than a tick is met as often as it is long.
"""

from __future__ import annotations

import signal
import sys
from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Final

from .areas import area_of_frame

_EVERY: Final = 0.001
"""Seconds of processor time; the kernel makes it a tick."""


class Sampler:
    """Counts samples by area into `into`, while there is one."""

    def __init__(self) -> None:
        self.into: Counter[str] | None = None

    @contextmanager
    def running(self) -> Generator[None]:
        """Take samples inside of the block; on the main thread alone."""
        before = signal.signal(signal.SIGPROF, self._take)
        signal.setitimer(signal.ITIMER_PROF, _EVERY, _EVERY)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
            signal.signal(signal.SIGPROF, before)

    def _take(self, number: int, frame: FrameType | None) -> None:
        del number
        if self.into is not None:
            self.into[area_of_frame(frame)] += 1


@contextmanager
def counted_calls() -> Generator[Counter[str]]:
    """Count the calls of Python functions inside of the block by area, exactly."""
    calls: Counter[str] = Counter()

    def note(frame: FrameType, event: str, _: Any) -> None:
        if event == "call":
            calls[area_of_frame(frame)] += 1

    sys.setprofile(note)
    try:
        yield calls
    finally:
        sys.setprofile(None)
