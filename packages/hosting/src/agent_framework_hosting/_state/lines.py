"""First in, first out, one at a time: the order of turns inside a session.

Pure bookkeeping on one event loop: taking a place never waits, only `Place.turn` does. Giving a place back hands the
turn straight to the next one in line, so a newcomer can never overtake somebody who waits.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import TypeAlias

from ..errors import QueueFull, RunCancelled, SessionBusy
from .refusals import STOPPED
from .store import Concurrency, LossReason

Key: TypeAlias = tuple[str, str]
"""What a line is for: the tenant, and the session's key."""


class Place:
    """A place in a session's line, once it has entered one; `release` is idempotent and may be called at any time."""

    __slots__ = ("_future", "_is_held", "_is_interrupted", "_line", "_lines", "on_loss")

    def __init__(self, lines: Lines) -> None:
        self._lines = lines
        self._line: Key | None = None
        self._is_held = self._is_interrupted = False
        self._future: asyncio.Future[None] | None = None
        self.on_loss: Callable[[LossReason], None] | None = None

    def enter(self, key: Key, *, concurrency: Concurrency = "queue") -> None:
        """Stand at the end of a line.

        Raises:
            SessionBusy: It is somebody else's turn, and `concurrency` is `reject`.
            QueueFull: Too many wait already.
        """
        self._is_held, self._is_interrupted, self._future = self._lines.enter(key, self, concurrency), False, None
        self._line = key

    async def turn(self) -> None:
        """Wait until everybody who came before has left.

        Raises:
            RunCancelled: A newer turn has interrupted this one, or somebody has cancelled it.
        """
        if self._is_interrupted:
            raise _interrupted()
        if self._is_held:
            return
        self._future = asyncio.get_running_loop().create_future()
        await self._future

    def release(self) -> None:
        """Leave the line; the next one in it, if any, has its turn."""
        line, self._line = self._line, None
        if line is not None:
            self._lines.leave(line, self, is_held=self._is_held)

    def hand_over(self) -> None:
        """Give the turn to this place."""
        self._is_held = True
        if self._future is not None and not self._future.done():
            self._future.set_result(None)

    def interrupt(self) -> None:
        """Tell whoever has this place to give it up."""
        if self._is_interrupted:
            return
        self._is_interrupted = True
        if self._is_held:
            if self.on_loss is not None:
                self.on_loss("interrupted")
        elif self._future is not None and not self._future.done():
            self._future.set_exception(_interrupted())


class Lines:
    """All lines of a host, one per session.

    Args:
        max_waiting: How many may wait in one line, besides the one whose turn it is.
    """

    def __init__(self, *, max_waiting: int) -> None:
        self._max_waiting = max_waiting
        self._holders: dict[Key, Place] = {}
        # Most lines have nobody who waits, and an empty queue is larger than all else that a turn needs here.
        self._waiting: dict[Key, deque[Place]] = {}

    def enter(self, key: Key, place: Place, concurrency: Concurrency) -> bool:
        """Put a place at the end of a line; returns whether its turn is at once. Called by `Place.enter`."""
        if self._holders.setdefault(key, place) is place:
            return True
        if concurrency == "reject":
            raise busy()
        if concurrency == "interrupt":
            self.stop(key)
        waiting = self._waiting.get(key, ())
        if len(waiting) >= self._max_waiting:
            raise QueueFull(
                f"This session has {len(waiting)} turns waiting already. Try again when some of them are done."
            )
        self._waiting.setdefault(key, deque()).append(place)
        return False

    def stop(self, key: Key) -> bool:
        """Stop whoever has the turn and whoever waits; returns whether there was anybody."""
        holder = self._holders.get(key)
        if holder is None:
            return False
        holder.interrupt()
        for place in list(self._waiting.get(key, ())):
            place.interrupt()
            place.release()
        return True

    def leave(self, key: Key, place: Place, *, is_held: bool) -> None:
        """Take a place out of its line; called by `Place.release`."""
        waiting = self._waiting.get(key) if self._waiting else None
        if waiting is None:
            del self._holders[key]
            return
        if is_held:
            self._holders[key] = waiting.popleft()
        else:
            waiting.remove(place)
        if not waiting:
            del self._waiting[key]
        if is_held:
            self._holders[key].hand_over()

    def __len__(self) -> int:
        return len(self._holders)


def busy() -> SessionBusy:
    """Say that a turn that does not want to wait has come in vain."""
    return SessionBusy("This session is busy with another request. Send the request again when that one is done.")


def _interrupted() -> RunCancelled:
    return RunCancelled(STOPPED, reason="interrupted")
