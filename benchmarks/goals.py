"""What the figures are meant to be, and whether they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from .measuring import Result
from .systems import (
    COALESCING,
    COALESCING_ONE_WORKER,
    COALESCING_TWO_WORKERS,
    ONE_WORKER,
    ONE_WORKER_ON_POSTGRESQL,
    OURS,
    OURS_ON_SQLITE,
    STARLETTE,
    TWO_WORKERS,
    TWO_WORKERS_ON_POSTGRESQL,
    System,
)


class Verdict(msgspec.Struct):
    """One goal beside what was measured.

    `figure` is null when a part of it was not measured, `is_met` also when this machine cannot tell; then `because`
    says why.
    """

    goal: str
    wanted: str
    figure: float | None
    is_met: bool | None
    because: str = ""


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
        cores: How many cores it takes to judge it, that of the load included.
    """

    what: str
    scenario: str
    measure: str
    bound: float
    most: bool = False
    of: System = OURS
    beside: System | None = None
    before: tuple[str, str] | None = None
    cores: int = 2

    def judged(self, results: Mapping[str, Result], *, cores: int) -> Verdict:
        """Return what came of it on a machine of so many cores."""
        wanted, figure = f"{'≤' if self.most else '≥'} {self.bound:g}{self._unit()}", self._figure(results)
        if figure is None:
            return Verdict(self.what, wanted, None, None)
        if cores < self.cores:
            return Verdict(self.what, wanted, figure, None, f"takes {self.cores} cores to judge")
        return Verdict(self.what, wanted, figure, _keeps(figure, self.bound, most=self.most))

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


@dataclass(frozen=True, slots=True)
class Growth:
    """A bound for what a system adds to a measure from one scenario to another, beyond what another system adds.

    With the same agent in both systems, the agent's own growth is in both, and so is what every right answer keeps.

    Args:
        what: The goal in words.
        start: Where it begins.
        scenario: Where it ends.
        measure: What grows.
        bound: The most that it may add, as a part of what there was at the start.
        of: Whose growth it is.
        beside: Whose growth is taken off.
    """

    what: str
    start: str
    scenario: str
    measure: str
    bound: float
    of: System = OURS
    beside: System = COALESCING

    def judged(self, results: Mapping[str, Result], *, cores: int) -> Verdict:
        """Return what came of it."""
        del cores
        wanted, figure = f"≤ {self.bound:g} of {self.start}", self._figure(results)
        return Verdict(self.what, wanted, figure, None if figure is None else figure <= self.bound)

    def _figure(self, results: Mapping[str, Result]) -> float | None:
        grown, start = self._added(self.of, results), self._value(self.of, self.start, results)
        beside = self._added(self.beside, results)
        return None if grown is None or beside is None or not start else (grown - beside) / start

    def _added(self, system: System, results: Mapping[str, Result]) -> float | None:
        end, start = (self._value(system, name, results) for name in (self.scenario, self.start))
        return None if end is None or start is None else end - start

    def _value(self, system: System, scenario: str, results: Mapping[str, Result]) -> float | None:
        return results[scenario].value(system.name, self.measure) if scenario in results else None


@dataclass(frozen=True, slots=True)
class Gain:
    """A bound for what a second process gains a system, or costs it, beside what it does a system that shares nothing.

    Two processes on two cores that the load's own shares, or on two threads of one core, cannot carry twice as much;
    how much they can is told by the other system.

    Args:
        what: The goal in words.
        scenario: Where it is measured.
        measure: What is measured.
        bound: What one system's ratio of two processes to one is to keep, divided by the other's.
        of: The system in one process and in two.
        most: Whether the bound is the most, instead of the least.
        beside: The other system in one process and in two.
    """

    what: str
    scenario: str
    measure: str
    bound: float
    of: tuple[System, System]
    most: bool = False
    beside: tuple[System, System] = (COALESCING_ONE_WORKER, COALESCING_TWO_WORKERS)

    def judged(self, results: Mapping[str, Result], *, cores: int) -> Verdict:
        """Return what came of it."""
        del cores
        wanted, figure = f"{'≤' if self.most else '≥'} {self.bound:g} of {COALESCING.name}'s", self._figure(results)
        is_met = None if figure is None else _keeps(figure, self.bound, most=self.most)
        return Verdict(self.what, wanted, figure, is_met)

    def _figure(self, results: Mapping[str, Result]) -> float | None:
        result = results.get(self.scenario)
        if result is None:
            return None
        ours, others = (result.ratio(two.name, one.name, self.measure) for one, two in (self.of, self.beside))
        return ours / others if ours and others else None


def _keeps(figure: float, bound: float, *, most: bool) -> bool:
    return figure <= bound if most else figure >= bound


def bound_of(scenario: str, measure: str) -> float:
    """Return what the host's measure is to be of the bare callable's."""
    beside = [goal for goal in GOALS if isinstance(goal, Goal) and goal.beside is COALESCING]
    [bound] = (goal.bound for goal in beside if (goal.scenario, goal.measure) == (scenario, measure))
    return bound


def _speed(scenario: str, bound: float, *, beside: System = COALESCING) -> Goal:
    return Goal(f"{scenario}: per second", scenario, "per second", bound, beside=beside)


_LIVE: Final = "stream, raw stub, 20 ms between chunks, c=100"
_OPEN: Final = "memory of open streams, 1 chunk"
_LONG: Final = "memory of open streams, 10,000 chunks"
_UNIQUE: Final = "memory of unique requests, caches full"
_CHAIN: Final = "conversation, raw stub"
_CROWD: Final = "stream of 20 chunks, c=1,000"
_STREAMS: Final = "workers: stream, real Agent, c=32"
_ANSWERS: Final = "workers: JSON, real Agent, c=32"
_SQLITE: Final = (ONE_WORKER, TWO_WORKERS)
_POSTGRESQL: Final = (ONE_WORKER_ON_POSTGRESQL, TWO_WORKERS_ON_POSTGRESQL)
_TURN_10, _TURN_1000 = "CPU ms at turn 10", "CPU ms at turn 1,000"

GOALS: Final[Sequence[Goal | Growth | Gain]] = (
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
    Growth("what 10,000 chunks add to a stream, beyond the limit's own", _OPEN, _LONG, "KiB each", 0.05),
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
    Gain("deltas per second, what a second worker gains", _STREAMS, "per second", 0.9, _SQLITE),
    Gain("CPU of a delta, what a second worker adds", _STREAMS, "CPU µs", 1.1, _SQLITE, most=True),
    Gain("answers per second on PostgreSQL, what a second worker gains", _ANSWERS, "per second", 0.9, _POSTGRESQL),
    Gain("CPU of an answer on PostgreSQL, what a second worker adds", _ANSWERS, "CPU µs", 1.1, _POSTGRESQL, most=True),
    Goal("deltas per second, two workers", _STREAMS, "per second", 1.8, of=TWO_WORKERS, beside=ONE_WORKER, cores=3),
)


def judged(results: Sequence[Result], *, cores: int) -> list[Verdict]:
    """Return what came of the goals of which anything was measured, on a machine of so many cores."""
    known = {result.scenario: result for result in results}
    return [verdict for goal in GOALS if (verdict := goal.judged(known, cores=cores)).figure is not None]
