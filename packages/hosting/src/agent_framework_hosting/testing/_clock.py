"""A clock that stands still until a test moves it."""

from __future__ import annotations

import asyncio
import heapq
import threading
from contextlib import suppress
from itertools import count
from typing import TypeAlias

from ._gate import TIMEOUT, Bell

_Sleeper: TypeAlias = "tuple[float, int, asyncio.Future[None]]"


class FakeClock:
    """Stands in for a clock with `time()`, `monotonic()` and `await sleep(seconds)`; nobody really waits.

    Whoever sleeps wakes when the test has moved the clock far enough. It may be moved from any thread, and slept on in
    any event loop. `time()` and `monotonic()` show the same seconds.

    Args:
        now: What the clock shows at first, in seconds since the epoch.

    Example:
        >>> import asyncio
        >>> from agent_framework_hosting.testing import FakeClock
        >>> async def remind(clock: FakeClock) -> None:
        ...     await clock.sleep(30)
        ...     print("half a minute is over at", clock.time())
        >>> async def main() -> None:
        ...     clock = FakeClock(now=1000)
        ...     reminding = asyncio.ensure_future(remind(clock))
        ...     await clock.wait_sleeping()
        ...     clock.advance(29.5)
        ...     print(clock)
        ...     clock.advance(0.5)
        ...     await reminding
        >>> asyncio.run(main())
        <FakeClock 1029.5 sleeping=1>
        half a minute is over at 1030.0
    """

    def __init__(self, *, now: float = 1_800_000_000.0) -> None:
        self.sleeps: list[float] = []
        """How long each sleep was asked for, oldest first."""
        self._now = float(now)
        self._sleepers: list[_Sleeper] = []
        self._order = count()
        self._lock = threading.Lock()
        self._bell = Bell()

    def __repr__(self) -> str:
        return f"<FakeClock {self._now} sleeping={self.sleeping}>"

    @property
    def sleeping(self) -> int:
        """How many are asleep."""
        return len(self._sleepers)

    def time(self) -> float:
        """Return the seconds since the epoch."""
        return self._now

    def monotonic(self) -> float:
        """Return the same; differences are what counts."""
        return self._now

    async def sleep(self, seconds: float) -> None:
        """Return once the clock has moved so far; at once, but not without giving way, for nothing or less."""
        self.sleeps.append(seconds)
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        waking = asyncio.get_running_loop().create_future()
        with self._lock:
            sleeper = (self._now + seconds, next(self._order), waking)
            heapq.heappush(self._sleepers, sleeper)
        self._bell.ring()
        try:
            await waking
        finally:
            self._forget(sleeper)

    def advance(self, seconds: float) -> None:
        """Move the clock and wake whoever has slept long enough, in the order in which they are due.

        The clock moves in one leap: who wakes and sleeps again sleeps from the new time. Step by step, with
        `wait_sleeping` between, it is seen at each step.

        Raises:
            ValueError: A clock does not go backwards.
        """
        if seconds < 0:
            raise ValueError(f"A clock does not go backwards; advance({seconds:g}) would turn it back.")
        with self._lock:
            self._now += seconds
            while self._sleepers and self._sleepers[0][0] <= self._now:
                _, _, waking = heapq.heappop(self._sleepers)
                loop = waking.get_loop()
                if not loop.is_closed():
                    loop.call_soon_threadsafe(_wake, waking)

    async def wait_sleeping(self, count: int = 1, *, timeout: float = TIMEOUT) -> None:
        """Wait until so many are asleep at once."""
        await self._bell.until(
            lambda: self.sleeping >= count,
            waiting_for=f"{count} sleeper(s) on {self!r}",
            timeout=timeout,
        )

    def _forget(self, sleeper: _Sleeper) -> None:
        # Whoever was woken is gone from the list already; who was cancelled is not.
        with self._lock, suppress(ValueError):
            self._sleepers.remove(sleeper)
            heapq.heapify(self._sleepers)


def _wake(waking: asyncio.Future[None]) -> None:
    if not waking.done():
        waking.set_result(None)
