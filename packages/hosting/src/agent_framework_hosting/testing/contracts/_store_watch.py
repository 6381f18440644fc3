"""A store in memory that tells when a turn was accepted, and whose commits can be made to fail."""

from __future__ import annotations

import asyncio
from typing import Any, cast

from ..._state.memory import MemoryAliases
from ..._state.memorystore import MemoryStore
from ..._state.port import Place, StateStore
from ..._state.store import Finished, Replay, TurnRequest
from ...errors import StateUnavailable
from .._gate import Bell

_MANY = 10_000
_LATE = 0.05


class WatchedStore:
    """Delegates to a `MemoryStore`; `as_store` is what a host is given."""

    def __init__(self, *, max_waiting: int = 64) -> None:
        self.accepted: int = 0
        """How many turns have taken their places."""
        self.is_broken: bool = False
        """Whether commits fail, as they do when a database is away."""
        self._store = MemoryStore(aliases=MemoryAliases(max_aliases=_MANY), max_turns=_MANY, max_waiting=max_waiting)
        self._bell = Bell()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    @property
    def as_store(self) -> StateStore:
        """The store; what is not watched comes from the one in memory."""
        return cast("StateStore", self)

    async def accept(self, request: TurnRequest) -> Place | Replay:
        """Take a place, and tell."""
        place = await self._store.accept(request)
        self.accepted += 1
        self._bell.ring()
        return place if isinstance(place, Replay) else cast("Place", _WatchedPlace(place, self))

    async def wait_accepted(self, count: int, *, timeout: float) -> None:
        """Wait until so many turns have taken their places."""
        await self._bell.until(
            lambda: self.accepted >= count,
            waiting_for=f"{count} turn(s) to reach the host; so far {self.accepted} did",
            timeout=timeout,
        )


class _WatchedPlace:
    def __init__(self, place: Place, store: WatchedStore) -> None:
        self._place = place
        self._store = store

    def __getattr__(self, name: str) -> Any:
        return getattr(self._place, name)

    async def commit(self, finished: Finished) -> Any:
        if self._store.is_broken:
            # A database that is away is noticed late: time enough for a channel to speak too early.
            await asyncio.sleep(_LATE)
            raise StateUnavailable(has_run=True)
        return await self._place.commit(finished)
