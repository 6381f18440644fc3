"""The port to the event logs of background runs: what a task said while it ran, readable from any point by any process.

A run is the task of that name. Events are numbered within an attempt; a position is an attempt and a number in it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeAlias

import msgspec

from ..types import Owner

Position: TypeAlias = tuple[int, int]
"""An attempt, and an event of it."""


class RunName(msgspec.Struct, frozen=True):
    """A run: whose, of which kind, and its id."""

    owner: Owner
    kind: str
    id: str


class Event(msgspec.Struct, frozen=True):
    """One event: in which attempt, at which place, and what it says."""

    attempt: int
    sequence: int
    data: bytes


class EventLog(Protocol):
    """Keeps what runs say."""

    async def append(self, run: RunName, events: Sequence[Event]) -> bool:
        """Add events of the newest attempt; `False` when there is a later one, or the run has ended."""
        ...

    async def read(self, run: RunName, *, after: Position | None, most: int) -> Sequence[Event]:
        """Return up to `most` events, in order: those behind a position, or of the newest attempt from its start."""
        ...

    async def last(self, run: RunName) -> Event | None:
        """Return the newest event of the newest attempt that has said anything."""
        ...

    async def forget(self, run: RunName) -> None:
        """Forget what a run said."""
        ...
