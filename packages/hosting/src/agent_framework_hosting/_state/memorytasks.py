"""Accepted work in memory: bounded by number and bytes, gone with the process."""

from __future__ import annotations

import math
import time
from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Mapping, Sequence
from heapq import heapify, heappop, heappush
from itertools import count
from typing import Final, TypeAlias

import msgspec

from ..types import Owner
from .refusals import require_keepable, too_many_tasks
from .tasks import NewTask, Outcome, StopCause, TakenTask, TaskState

_Scope: TypeAlias = tuple[Owner, str, str]

_SLACK: Final = 64
"""Cancelled tasks that may lie among those that are ready, beside as many as are open."""


class _Kept(msgspec.Struct):
    number: int
    new: NewTask
    attempt: int = 0
    failures: int = 0
    due_at: float = 0.0
    is_stopped: bool = False
    has_ended: bool = False

    @property
    def scope(self) -> _Scope:
        return (self.new.owner, self.new.kind, self.new.id)

    @property
    def where(self) -> tuple[str, str]:
        return (self.new.tenant, self.new.line)

    def taken(self) -> TakenTask:
        new = self.new
        return TakenTask(
            number=self.number,
            attempt=self.attempt,
            failures=self.failures,
            is_suspect=False,
            kind=new.kind,
            id=new.id,
            line=new.line,
            payload=new.payload,
            circumstances=new.circumstances,
        )


class MemoryTasks:
    """Keeps tasks in dictionaries; see `TaskStore`.

    Args:
        max_known: Ended tasks whose ids are known; beyond it the oldest is forgotten.
        ttl: Seconds for which the id of an ended task is known, within the bound.
        max_bytes: Bytes of the payloads of all tasks that are not done; the next one is refused.
        clock: Tells the time, in seconds.
    """

    def __init__(
        self,
        *,
        max_known: int,
        ttl: float = math.inf,
        max_bytes: float = math.inf,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._max_known = max_known
        self._max_bytes = max_bytes
        self._size = 0
        self._ttl = ttl
        self._clock = clock
        self._numbers = count(1)
        self._open: dict[_Scope, _Kept] = {}
        self._lines: dict[tuple[str, str], deque[_Kept]] = {}
        self._ready: list[tuple[float, int, _Kept]] = []
        self._taken: dict[int, _Kept] = {}
        self._ended: OrderedDict[_Scope, tuple[float, TaskState]] = OrderedDict()
        self._on_wake: Callable[[], None] = lambda: None

    @property
    def is_durable(self) -> bool:
        """See `TaskStore`."""
        return False

    def __len__(self) -> int:
        return len(self._open)

    def watch(self, on_wake: Callable[[], None]) -> None:
        """See `TaskStore`."""
        self._on_wake = on_wake

    async def accept(self, new: NewTask) -> bool:
        """See `TaskStore`."""
        require_keepable(new)
        scope = (new.owner, new.kind, new.id)
        self._trim()
        if scope in self._open or scope in self._ended:
            return False
        line = self._lines.get((new.tenant, new.line), ())
        if len(line) > new.max_waiting:
            raise too_many_tasks(new.max_waiting, in_line=True)
        is_full = self._open and self._size + len(new.payload) > self._max_bytes
        if is_full or len(self._open) >= new.max_open:
            raise too_many_tasks(len(self._open), in_line=False)
        kept = _Kept(next(self._numbers), new)
        self._open[scope] = kept
        self._size += len(new.payload)
        queue = self._lines.setdefault(kept.where, deque())
        queue.append(kept)
        if queue[0] is kept:
            self._line_up(kept)
        self._on_wake()
        return True

    async def take(self, kinds: Sequence[str], *, most: int, suspects: bool = False) -> Sequence[TakenTask]:
        """See `TaskStore`; what dies with this process is nobody's suspect."""
        if suspects:
            return []
        now, others, taken = self._clock(), list[_Kept](), list[TakenTask]()
        while self._ready and self._ready[0][0] <= now and len(taken) < most:
            kept = heappop(self._ready)[2]
            if kept.new.kind not in kinds:
                others.append(kept)
            elif not kept.has_ended:
                kept.attempt += 1
                self._taken[kept.number] = kept
                taken.append(kept.taken())
        for kept in others:
            self._line_up(kept)
        return taken

    async def open_kinds(self) -> Mapping[str, int]:
        """See `TaskStore`."""
        return Counter(kept.new.kind for kept in self._open.values())

    async def look(self, held: Sequence[TakenTask]) -> Mapping[int, StopCause]:
        """See `TaskStore`."""
        stopped = [taken.number for taken in held if (kept := self._held(taken)) is not None and kept.is_stopped]
        return dict.fromkeys(stopped, "cancelled")

    async def settle(self, taken: TakenTask, outcome: Outcome) -> bool:
        """See `TaskStore`."""
        kept = self._held(taken)
        if kept is not None:
            self._end(kept, outcome)
        return kept is not None

    async def put_back(self, taken: TakenTask, *, after: float, has_failed: bool) -> bool:
        """See `TaskStore`."""
        kept = self._held(taken)
        if kept is None:
            return False
        if kept.is_stopped:
            self._end(kept, "cancelled")
            return True
        del self._taken[kept.number]
        kept.due_at = self._clock() + after
        kept.failures += has_failed
        self._line_up(kept)
        self._on_wake()
        return True

    async def find(self, owner: Owner, kind: str, task_id: str) -> TaskState | None:
        """See `TaskStore`."""
        return self.state((owner, kind, task_id))

    def state(self, scope: tuple[Owner, str, str]) -> TaskState | None:
        """Return where a task is, without an event loop."""
        kept = self._open.get(scope)
        if kept is not None:
            return TaskState("running" if kept.number in self._taken else "waiting", kept.attempt)
        ended = self._ended.get(scope)
        return ended[1] if ended is not None else None

    async def cancel(self, owner: Owner, kind: str, task_id: str) -> bool:
        """See `TaskStore`."""
        kept = self._open.get((owner, kind, task_id))
        if kept is not None:
            self._cancel(kept)
        return kept is not None

    async def cancel_line(self, tenant: str, line: str) -> int:
        """See `TaskStore`."""
        all_of_it = list(self._lines.get((tenant, line), ()))
        for kept in all_of_it:
            self._cancel(kept)
        return len(all_of_it)

    def _held(self, taken: TakenTask) -> _Kept | None:
        kept = self._taken.get(taken.number)
        return kept if kept is not None and kept.attempt == taken.attempt else None

    def _line_up(self, kept: _Kept) -> None:
        # While there is no room nothing is taken, and those that were cancelled would only ever grow in number.
        if len(self._ready) > 2 * len(self._open) + _SLACK:
            self._ready = [each for each in self._ready if not each[2].has_ended]
            heapify(self._ready)
        heappush(self._ready, (kept.due_at, kept.number, kept))

    def _cancel(self, kept: _Kept) -> None:
        if kept.number in self._taken:
            kept.is_stopped = True
            self._on_wake()
        else:
            self._end(kept, "cancelled")

    def _end(self, kept: _Kept, outcome: Outcome) -> None:
        kept.has_ended = True
        del self._open[kept.scope]
        self._size -= len(kept.new.payload)
        self._taken.pop(kept.number, None)
        line = self._lines[kept.where]
        was_first = line[0] is kept
        line.remove(kept)
        if not line:
            del self._lines[kept.where]
        elif was_first:
            self._line_up(line[0])
        self._ended[kept.scope] = (self._clock(), TaskState(outcome, kept.attempt))
        self._trim()
        self._on_wake()

    def _trim(self) -> None:
        oldest_allowed = self._clock() - self._ttl
        while self._ended:
            if len(self._ended) <= self._max_known and next(iter(self._ended.values()))[0] >= oldest_allowed:
                break
            self._ended.popitem(last=False)
