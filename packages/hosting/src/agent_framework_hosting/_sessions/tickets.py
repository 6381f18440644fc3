"""First in, first out, one at a time: the order of turns inside a session.

Pure bookkeeping on one event loop: taking a place never waits, only `Place.turn` does. Giving a place back hands the
turn straight to the next one in line, so a newcomer can never overtake somebody who waits.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Hashable
from typing import Generic, TypeVar

from ..errors import QueueFull

KeyT = TypeVar("KeyT", bound=Hashable)


class Place(Generic[KeyT]):
    """A place in a session's line; `release` is idempotent and may be called at any time."""

    __slots__ = ("_future", "_held", "_key", "_lines", "_released")

    def __init__(self, lines: Lines[KeyT], key: KeyT, *, held: bool) -> None:
        self._lines = lines
        self._key = key
        self._held = held
        self._future: asyncio.Future[None] | None = None
        self._released = False

    async def turn(self) -> None:
        """Wait until everybody who came before has left."""
        if self._held:
            return
        self._future = asyncio.get_running_loop().create_future()
        await self._future

    def release(self) -> None:
        """Leave the line; the next one in it, if any, has its turn."""
        if not self._released:
            self._released = True
            self._lines.leave(self._key, self, held=self._held)

    def hand_over(self) -> None:
        """Give the turn to this place."""
        self._held = True
        if self._future is not None and not self._future.done():
            self._future.set_result(None)


class Lines(Generic[KeyT]):
    """All lines of a host, one per session.

    Args:
        max_waiting: How many may wait in one line, besides the one whose turn it is.
    """

    def __init__(self, *, max_waiting: int) -> None:
        self._max_waiting = max_waiting
        self._lines: dict[KeyT, deque[Place[KeyT]]] = {}

    def enter(self, key: KeyT) -> Place[KeyT]:
        """Take a place at the end of a line.

        Raises:
            QueueFull: Too many wait already.
        """
        waiting = self._lines.get(key)
        if waiting is None:
            self._lines[key] = deque()
            return Place(self, key, held=True)
        if len(waiting) >= self._max_waiting:
            raise QueueFull(
                f"This session has {len(waiting)} turns waiting already. Try again when some of them are done."
            )
        place = Place(self, key, held=False)
        waiting.append(place)
        return place

    def leave(self, key: KeyT, place: Place[KeyT], *, held: bool) -> None:
        """Take a place out of its line; called by `Place.release`."""
        waiting = self._lines[key]
        if not held:
            waiting.remove(place)
        elif waiting:
            waiting.popleft().hand_over()
        else:
            del self._lines[key]

    def __len__(self) -> int:
        return len(self._lines)
