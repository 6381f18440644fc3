"""The timers of a loop whose clock a test has moved."""

from __future__ import annotations

import asyncio
from typing import Any


def timers() -> int:
    """Return how many timers the loop has."""
    loop: Any = asyncio.get_running_loop()
    return sum(not timer.cancelled() for timer in loop._scheduled)  # noqa: SLF001 - nothing public tells of them


async def rings() -> None:
    """Let the timers that are due have their turn: the loop finds them in one, and calls them behind whoever waits."""
    for _ in range(3):
        await asyncio.sleep(0)
