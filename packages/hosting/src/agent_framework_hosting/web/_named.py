"""The same types for signatures of this package, which can be asked for them while they run; see `_types`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._late import late

if TYPE_CHECKING:
    from ._types import Machine, Operation, RenderError, Updates

__all__ = ["Machine", "Operation", "RenderError", "Updates"]

if not TYPE_CHECKING:
    __getattr__ = late(globals(), dict.fromkeys(__all__, "_types"))
