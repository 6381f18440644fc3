"""Event logs in memory: bounded by their bytes, gone with the process."""

from __future__ import annotations

from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from .events import Event, Position, RunName
from .tasks import TaskState


@dataclass(slots=True)
class _Log:
    events: list[Event] = field(default_factory=list[Event])
    size: int = 0


class MemoryEvents:
    """Keeps event logs in a dictionary; see `EventLog`.

    Args:
        find: Returns the state of the task that a run is.
        max_bytes: Of all logs; beyond it the one that was begun first is forgotten.
    """

    def __init__(self, *, find: Callable[[RunName], TaskState | None], max_bytes: int) -> None:
        self._find = find
        self._max_bytes = max_bytes
        self._size = 0
        self._logs: OrderedDict[RunName, _Log] = OrderedDict()

    async def append(self, run: RunName, events: Sequence[Event]) -> bool:
        """See `EventLog`."""
        state = self._find(run)
        if state is None or state.has_ended or any(event.attempt != state.attempt for event in events):
            return False
        log = self._logs.setdefault(run, _Log())
        log.events.extend(events)
        size = sum(len(event.data) for event in events)
        log.size += size
        self._size += size
        while self._size > self._max_bytes and len(self._logs) > 1:
            self._size -= self._logs.popitem(last=False)[1].size
        return True

    async def read(self, run: RunName, *, after: Position | None, most: int) -> Sequence[Event]:
        """See `EventLog`."""
        log = self._logs.get(run)
        if log is None:
            return []
        after = after or (log.events[-1].attempt, -1)
        first = bisect_right(log.events, after, key=lambda event: (event.attempt, event.sequence))
        return log.events[first : first + most]

    async def last(self, run: RunName) -> Event | None:
        """See `EventLog`."""
        log = self._logs.get(run)
        return log.events[-1] if log is not None else None

    async def forget(self, run: RunName) -> None:
        """See `EventLog`."""
        log = self._logs.pop(run, None)
        if log is not None:
            self._size -= log.size
