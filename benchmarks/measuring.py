"""What a scenario is, what it gives, and rounds of them.

A scenario measures its systems side by side as far as it can, so that a drift of the machine meets them all. Ratios are
taken inside a round, which makes them steadier than the figures themselves.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from statistics import median
from typing import Protocol

import msgspec

from .servers import Servers
from .systems import System

Measures = Mapping[str, float]
"""What one measurement gave, by what it is: `CPU µs`, `per second`."""


class Scenario(Protocol):
    """One kind of load, and what is measured of whom under it.

    `repeats` says whether another round means anything: memory is the same each time.
    """

    @property
    def name(self) -> str: ...

    @property
    def systems(self) -> Sequence[System]: ...

    @property
    def repeats(self) -> bool: ...

    def measured(self, servers: Servers) -> Mapping[str, Measures]:
        """Measure all systems, once; return what came of each, by its name."""
        ...

    def quick(self) -> Scenario:
        """Return the scenario at figures that prove that it works, and nothing more."""
        ...


class Result(msgspec.Struct):
    """One scenario: every system's measures, round by round."""

    scenario: str
    rounds: dict[str, list[dict[str, float]]]

    def values(self, system: str, measure: str) -> list[float]:
        """Return a measure of a system over all rounds; nothing when it was not measured."""
        return [measures[measure] for measures in self.rounds.get(system, []) if measure in measures]

    def value(self, system: str, measure: str) -> float | None:
        """Return the median over all rounds."""
        values = self.values(system, measure)
        return median(values) if values else None

    def ratio(self, system: str, beside: str, measure: str) -> float | None:
        """Return the median of the ratios that two systems had to each other inside of a round."""
        pairs = zip(self.values(system, measure), self.values(beside, measure), strict=False)
        ratios = [one / other for one, other in pairs if other]
        return median(ratios) if ratios else None


class Run(msgspec.Struct):
    """All results of a run, and the machine that they come from."""

    machine: dict[str, str | int | None]
    rounds: int
    results: list[Result]

    @property
    def cores(self) -> int:
        """How many cores the machine has, one when it did not say."""
        return int(self.machine.get("cores") or 1)


def measure(scenarios: Sequence[Scenario], *, rounds: int) -> list[Result]:
    """Measure all scenarios in all rounds.

    Raises:
        WrongAnswer: A system gave a wrong answer.
    """
    results = {each.name: Result(each.name, {system.name: [] for system in each.systems}) for each in scenarios}
    with Servers() as servers:
        for number in range(rounds):
            for scenario in scenarios:
                if number and not scenario.repeats:
                    continue
                for system, measures in scenario.measured(servers).items():
                    results[scenario.name].rounds[system].append(dict(measures))
                print(f"round {number + 1} of {rounds}: {scenario.name}", file=sys.stderr)
    return list(results.values())
