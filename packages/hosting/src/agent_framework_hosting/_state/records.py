"""The records that channels sealed, read again."""

from __future__ import annotations

import msgspec

from ..errors import StateDamaged
from ..types import JSON
from .store import StoredTurn


def record_of(turn: StoredTurn) -> JSON:
    """Return what was sealed with a turn.

    Raises:
        StateDamaged: It is no record any more.
    """
    try:
        return msgspec.json.decode(turn.record)
    except (msgspec.DecodeError, ValueError) as error:
        raise StateDamaged(f"the column record of the row {turn.point} of af_turn, id {turn.id!r}") from error


def read(record: bytes, *, place: str) -> JSON:
    """Return a record that lies at a `place`, which the log is told when it cannot be read.

    Raises:
        StateDamaged: It is no record any more.
    """
    try:
        return msgspec.json.decode(record)
    except (msgspec.DecodeError, ValueError) as error:
        raise StateDamaged(place) from error
