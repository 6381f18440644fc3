"""Live sessions in memory, to a bound: the least recently used one and those idle too long are dropped."""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from .._state.turns import SessionName

if TYPE_CHECKING:
    from .._target.target import SessionState


class LiveSession(msgspec.Struct):
    """A session and its state.

    `named` tells whether a turn of it has an id to continue from; `head` is the point that the state continues, and
    `version` that of the stored session which the state is as new as.
    """

    name: SessionName
    state: SessionState
    named: bool = False
    head: Any = None
    version: int = 0
    used_at: float = 0.0


class LiveSessions:
    """The cache of idle sessions; a session that is running has been taken out and is put back afterwards."""

    def __init__(self, *, max_sessions: int, ttl: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._max_sessions = max_sessions
        self._ttl = ttl
        self._clock = clock
        # Nothing is too old before then.
        self._due_at = math.inf
        self._sessions: OrderedDict[tuple[str, str], LiveSession] = OrderedDict()

    def take(self, name: SessionName) -> LiveSession | None:
        """Take a session out, to run it."""
        return self._sessions.pop((name.tenant, name.session_id), None)

    def put(self, live: LiveSession) -> Sequence[LiveSession]:
        """Put a session back; returns those that were dropped for it or for their age."""
        live.used_at = now = self._clock()
        sessions = self._sessions
        sessions[live.name.tenant, live.name.session_id] = live
        if len(sessions) == 1:
            self._due_at = now + self._ttl
        return () if now <= self._due_at and len(sessions) <= self._max_sessions else self._drop(now)

    def expire(self) -> Sequence[LiveSession]:
        """Drop what is too old and return it."""
        now = self._clock()
        return () if now <= self._due_at else self._drop(now)

    def _drop(self, now: float) -> Sequence[LiveSession]:
        sessions = self._sessions
        dropped: list[LiveSession] = []
        while len(sessions) > self._max_sessions or (sessions and now > self._due_at):
            # The first one is looked at only when it has to go, or may be too old.
            if len(sessions) <= self._max_sessions:
                self._due_at = next(iter(sessions.values())).used_at + self._ttl
                if now <= self._due_at:
                    break
            dropped.append(sessions.popitem(last=False)[1])
        return dropped

    def __len__(self) -> int:
        return len(self._sessions)
