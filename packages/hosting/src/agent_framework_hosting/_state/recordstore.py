"""The port to the records of turns, beside continuing them: what conversations have told, and forgetting it."""

from __future__ import annotations

import msgspec


class Told(msgspec.Struct, frozen=True):
    """The record of a turn, with the id that it is found by."""

    turn_id: str
    record: bytes
    is_finished: bool
