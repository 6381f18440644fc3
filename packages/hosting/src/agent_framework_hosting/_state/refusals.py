"""Refusals that every store words alike."""

from __future__ import annotations

from typing import Final

from ..errors import UnknownParent

_SHOWN: Final = 64
"""Characters of a caller's id that a message repeats."""


def unknown_parent(turn_id: str) -> UnknownParent:
    """Say that there is nothing to continue from; nobody learns whether it is somebody else's."""
    return UnknownParent(f"There is no turn {turn_id[:_SHOWN]!r} to continue from: it is unknown or has expired.")
