"""Snapshots as stores keep them that keep bytes."""

from __future__ import annotations

from dataclasses import dataclass, field

from .._alike import alike


@alike
@dataclass(frozen=True, slots=True)
class Encoded:
    """A snapshot as bytes, as the difference to the one before; `is_base` when nothing before it is needed.

    `rest` is the state without its messages; `None` when it is that of the turn before. `number` is that of the row
    which it was read from.
    """

    added: bytes
    rest: bytes | None
    is_base: bool = False
    number: int | None = field(default=None, compare=False)
