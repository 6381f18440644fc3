"""The port to the event logs of background runs: what a task said while it ran, readable from any point by any process.

A run is the task of that name. Events are numbered within an attempt; a position is an attempt and a number in it.
"""

from __future__ import annotations

from typing import TypeAlias

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
