"""Token counts that an agent reports, summed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, cast


class TokenCounts(NamedTuple):
    """Tokens that were read and written, and how many of them from and into caches, and for thoughts."""

    read: int
    written: int
    total: int
    cached: int
    cache_written: int
    reasoning: int


class UsageTally:
    """Sums what an agent reports.

    `counts` stays `None` while it has reported nothing.
    """

    __slots__ = ("counts",)

    def __init__(self) -> None:
        self.counts: TokenCounts | None = None

    def add(self, details: Any, *, replaces: bool = False) -> None:
        """Add one report, or let it stand for all that came before."""
        if replaces:
            self.counts = None
        if not details or not isinstance(details, Mapping):
            return  # core hands out an empty report when its client gave none
        report = cast("Mapping[str, Any]", details)
        known = self.counts or (0,) * len(_NAMES)
        sums = [before + _count(report.get(name)) for name, before in zip(_NAMES, known, strict=True)]
        counts = TokenCounts(*sums)
        self.counts = counts._replace(total=max(counts.total, counts.read + counts.written))


def _count(value: Any) -> int:
    """A count that is no sensible number counts as nothing."""
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0


_NAMES = (
    "input_token_count",
    "output_token_count",
    "total_token_count",
    "cache_read_input_token_count",
    "cache_creation_input_token_count",
    "reasoning_output_token_count",
)
