"""A clock for tests that wait out long silences."""

from __future__ import annotations

import asyncio


class HurriedClock:
    """A clock on which every sleep is over at once."""

    def __init__(self) -> None:
        self.slept: list[float] = []
        self._now = 0.0

    def monotonic(self) -> float:
        return self._now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self._now += seconds
        await asyncio.sleep(0)
