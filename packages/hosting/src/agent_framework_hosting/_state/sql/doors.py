"""One at a time through each door, in the order of coming."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Hashable
from contextlib import asynccontextmanager


class Doors:
    """As many doors as are asked for; one that nobody stands at is forgotten."""

    def __init__(self) -> None:
        self._doors: dict[Hashable, tuple[asyncio.Lock, int]] = {}

    @asynccontextmanager
    async def at(self, name: Hashable) -> AsyncGenerator[None]:
        """Go through a door once all who came before have."""
        lock, waiting = self._doors.get(name) or (asyncio.Lock(), 0)
        self._doors[name] = (lock, waiting + 1)
        try:
            async with lock:
                yield
        finally:
            lock, waiting = self._doors.pop(name)
            if waiting > 1:
                self._doors[name] = (lock, waiting - 1)
