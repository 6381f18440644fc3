"""What the figures are meant to be, and whether they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from .measuring import Result
from .systems import COALESCING, OURS, OURS_ON_SQLITE, STARLETTE, System


class Verdict(msgspec.Struct):
    """One goal beside what was measured; `figure` is null when a part of it was not."""

    goal: str
    wanted: str
    figure: float | None
    is_met: bool | None


@dataclass(frozen=True, slots=True)
class Goal:
    """A bound for one measure of a system, or for its ratio to that of another.

    Args:
        what: The goal in words.
        scenario: Where it is measured.
        measure: What is measured.
        bound: What it is to keep.
        most: Whether the bound is the most, instead of the least.
        of: Whose measure it is.
        beside: Whose measure it is divided by; of nobody's when left out.
        before: Another measure, or another scenario's, of the same system that it is divided by.
    """

    what: str
    scenario: str
    measure: str
    bound: float
    most: bool = False
    of: System = OURS
    beside: System | None = None
    before: tuple[str, str] | None = None

    def judged(self, results: Mapping[str, Result]) -> Verdict:
        """Return what came of it."""
        figure = self._figure(results)
        is_met = None if figure is None else figure <= self.bound if self.most else figure >= self.bound
        return Verdict(self.what, f"{'≤' if self.most else '≥'} {self.bound:g}{self._unit()}", figure, is_met)

    def _figure(self, results: Mapping[str, Result]) -> float | None:
        result = results.get(self.scenario)
        if result is None:
            return None
        if self.beside is not None:
            return result.ratio(self.of.name, self.beside.name, self.measure)
        figure = result.value(self.of.name, self.measure)
        if self.before is None or figure is None:
            return figure
        scenario, measure = self.before
        other = results[scenario].value(self.of.name, measure) if scenario in results else None
        return figure / other if other else None

    def _unit(self) -> str:
        if self.beside is not None:
            return f" of {self.beside.name}"
        if self.before is None:
            return ""
        scenario, measure = self.before
        return f" of {measure if scenario == self.scenario else scenario}"


def _speed(scenario: str, bound: float, *, beside: System = COALESCING) -> Goal:
    return Goal(f"{scenario}: per second", scenario, "per second", bound, beside=beside)


_LIVE: Final = "stream, raw stub, 20 ms between chunks, c=100"
_OPEN: Final = "memory of open streams, 1 chunk"
_LONG: Final = "memory of open streams, 10,000 chunks"
_UNIQUE: Final = "memory of unique requests, caches full"
_CHAIN: Final = "conversation, raw stub"
_CROWD: Final = "stream of 20 chunks, c=1,000"
_TURN_10, _TURN_1000 = "CPU ms at turn 10", "CPU ms at turn 1,000"

GOALS: Final[Sequence[Goal]] = (
    _speed("stream, raw stub, c=1", 0.65),
    _speed("stream, raw stub, c=16", 0.65),
    _speed("stream, raw stub, c=1", 1.8, beside=STARLETTE),
    _speed("stream, raw stub, c=16", 1.8, beside=STARLETTE),
    _speed("stream, real Agent, c=16", 0.85),
    Goal("CPU of a delta at a model's pace", _LIVE, "CPU µs", 1.15, most=True, beside=COALESCING),
    Goal("first event p99, ms, 16 at once", "stream, raw stub, c=16", "first byte p99 ms", 50, most=True),
    Goal("first event p99, 1,000 at once", _CROWD, "first byte p99 ms", 1.3, most=True, beside=COALESCING),
    _speed("JSON, raw stub, c=16", 0.7),
    _speed("JSON, raw stub, c=64", 0.7),
    _speed("JSON, raw stub, c=256", 0.7),
    _speed("JSON, real Agent, c=16", 0.9),
    Goal("memory of an idle process", "idle process", "MiB", 1.08, most=True, beside=STARLETTE),
    Goal("memory of an open stream", _OPEN, "KiB each", 1.5, most=True, beside=COALESCING),
    Goal("memory of a stream of 10,000 chunks", _LONG, "KiB each", 1.05, most=True, before=(_OPEN, "KiB each")),
    Goal("bytes kept of a unique request", _UNIQUE, "bytes each", 50, most=True),
    Goal("CPU of a turn in memory, ms, turn 1,000", _CHAIN, _TURN_1000, 1.5, most=True),
    Goal("CPU of a turn in memory, turn 1,000", _CHAIN, _TURN_1000, 1.2, most=True, before=(_CHAIN, _TURN_10)),
    Goal("CPU of a turn on SQLite, ms, turn 1,000", _CHAIN, _TURN_1000, 3, most=True, of=OURS_ON_SQLITE),
    Goal(
        "CPU of a turn on SQLite, turn 1,000",
        _CHAIN,
        _TURN_1000,
        1.2,
        most=True,
        of=OURS_ON_SQLITE,
        before=(_CHAIN, _TURN_10),
    ),
    Goal("bytes kept of a turn : what it said", _CHAIN, "kept : said", 1.3, most=True, of=OURS_ON_SQLITE),
    Goal(
        "bytes kept of a turn, last",
        _CHAIN,
        "bytes kept, last",
        1.1,
        most=True,
        of=OURS_ON_SQLITE,
        before=(_CHAIN, "bytes kept, first"),
    ),
)


def judged(results: Sequence[Result]) -> list[Verdict]:
    """Return what came of the goals of which anything was measured."""
    known = {result.scenario: result for result in results}
    return [verdict for goal in GOALS if (verdict := goal.judged(known)).figure is not None]
