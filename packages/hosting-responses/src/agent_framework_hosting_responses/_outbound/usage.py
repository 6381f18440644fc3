"""Token counts: from the usage contents of updates to the protocol's usage object."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, cast

_COUNTS: Final = (
    "input_token_count",
    "output_token_count",
    "total_token_count",
    "cache_read_input_token_count",
    "cache_creation_input_token_count",
    "reasoning_output_token_count",
)


class UsageTally:
    """Sums what an agent reports; stays `None` on the wire while it has reported nothing."""

    __slots__ = ("_counts",)

    def __init__(self) -> None:
        self._counts: dict[str, int] | None = None

    def add(self, details: Any, *, replaces: bool = False) -> None:
        """Add one report, or let it stand for all that came before."""
        if replaces:
            self._counts = None
        if not isinstance(details, Mapping) or not details:
            return  # core hands out an empty report when its client gave none
        report = cast("Mapping[str, Any]", details)
        known = self._counts or {}
        self._counts = {name: known.get(name, 0) + _count(report.get(name)) for name in _COUNTS}

    def snapshot(self) -> dict[str, Any] | None:
        """Return the usage object, or `None` when nothing was reported."""
        if self._counts is None:
            return None
        read, written, total, cached, cache_written, reasoning = (self._counts[name] for name in _COUNTS)
        return {
            "input_tokens": read,
            "input_tokens_details": {"cached_tokens": cached, "cache_write_tokens": cache_written},
            "output_tokens": written,
            "output_tokens_details": {"reasoning_tokens": reasoning},
            "total_tokens": max(total, read + written),
        }


def _count(value: Any) -> int:
    """A count that is no sensible number counts as nothing."""
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0
