"""First in, first out, one at a time: the order of turns inside a session.

Pure bookkeeping on one event loop: taking a place never waits, only `Place.turn` does. Giving a place back hands the
turn straight to the next one in line, so a newcomer can never overtake somebody who waits.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from ..errors import QueueFull, RunCancelled, SessionBusy
from .refusals import STOPPED
from .store import Concurrency, LossReason

KeyT = TypeVar("KeyT", bound=Hashable)


class Place(Generic[KeyT]):
    """A place in a session's line; `release` is idempotent and may be called at any time."""

    __slots__ = ("_future", "_held", "_is_interrupted", "_key", "_lines", "_released", "on_loss")

    def __init__(self, lines: Lines[KeyT], key: KeyT, *, held: bool) -> None:
        self._lines = lines
        self._key = key
        self._held = held
        self._future: asyncio.Future[None] | None = None
        self._released = False
        self._is_interrupted = False
        self.on_loss: Callable[[LossReason], None] | None = None

    async def turn(self) -> None:
        """Wait until everybody who came before has left.

        Raises:
            RunCancelled: A newer turn has interrupted this one, or somebody has cancelled it.
        """
        if self._is_interrupted:
            raise _interrupted()
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

    def interrupt(self) -> None:
        """Tell whoever has this place to give it up."""
        if self._is_interrupted:
            return
        self._is_interrupted = True
        if self._held:
            if self.on_loss is not None:
                self.on_loss("interrupted")
        elif self._future is not None and not self._future.done():
            self._future.set_exception(_interrupted())


class Lines(Generic[KeyT]):
    """All lines of a host, one per session.

    Args:
        max_waiting: How many may wait in one line, besides the one whose turn it is.
    """

    def __init__(self, *, max_waiting: int) -> None:
        self._max_waiting = max_waiting
        self._holders: dict[KeyT, Place[KeyT]] = {}
        # Most lines have nobody who waits, and an empty queue is larger than all else that a turn needs here.
        self._waiting: dict[KeyT, deque[Place[KeyT]]] = {}

    def enter(self, key: KeyT, *, concurrency: Concurrency = "queue") -> Place[KeyT]:
        """Take a place at the end of a line.

        Raises:
            SessionBusy: It is somebody else's turn, and `concurrency` is `reject`.
            QueueFull: Too many wait already.
        """
        if key not in self._holders:
            place = self._holders[key] = Place(self, key, held=True)
            return place
        if concurrency == "reject":
            raise busy()
        if concurrency == "interrupt":
            self.stop(key)
        waiting = self._waiting.get(key, ())
        if len(waiting) >= self._max_waiting:
            raise QueueFull(
                f"This session has {len(waiting)} turns waiting already. Try again when some of them are done."
            )
        place = Place(self, key, held=False)
        self._waiting.setdefault(key, deque()).append(place)
        return place

    def stop(self, key: KeyT) -> bool:
        """Stop whoever has the turn and whoever waits; returns whether there was anybody."""
        holder = self._holders.get(key)
        if holder is None:
            return False
        holder.interrupt()
        for place in list(self._waiting.get(key, ())):
            place.interrupt()
            place.release()
        return True

    def leave(self, key: KeyT, place: Place[KeyT], *, held: bool) -> None:
        """Take a place out of its line; called by `Place.release`."""
        waiting = self._waiting.get(key)
        if waiting is None:
            del self._holders[key]
            return
        if held:
            self._holders[key] = waiting.popleft()
        else:
            waiting.remove(place)
        if not waiting:
            del self._waiting[key]
        if held:
            self._holders[key].hand_over()

    def __len__(self) -> int:
        return len(self._holders)


def busy() -> SessionBusy:
    """Say that a turn that does not want to wait has come in vain."""
    return SessionBusy("This session is busy with another request. Send the request again when that one is done.")


def _interrupted() -> RunCancelled:
    return RunCancelled(STOPPED, reason="interrupted")
