"""Rounds of measurements, and what they say: medians, how far they scatter, and ratios to the limits.

In a round every system is measured in every scenario, one right after the other, so that a drift of the machine meets
them all. Ratios are taken inside a round, which makes them steadier than the figures themselves.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Generator, Iterable, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Final, Self

import msgspec

from .load import Figures
from .scenarios import Scenario
from .serve import SYSTEMS

LIMITS: Final = tuple(system for system in SYSTEMS if system != "ours")
_ROOT: Final = Path(__file__).parents[1]


@dataclass(frozen=True, slots=True)
class Spread:
    """A figure over all rounds."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Iterable[float]) -> Spread:
        """Return the spread of the values."""
        values = list(values)
        return cls(median(values), min(values), max(values))


@dataclass(frozen=True, slots=True)
class Ratio:
    """Ours beside a limit; above 1 means that ours is better."""

    speed: Spread
    cpu: Spread


@dataclass(frozen=True, slots=True)
class Result:
    """One scenario: every system's figures round by round, and our ratios to the limits."""

    scenario: Scenario
    rounds: dict[str, list[Figures]]
    ratios: dict[str, Ratio]


@dataclass(frozen=True, slots=True)
class _Server:
    port: int
    pid: int


class Bench:
    """Measures; a context manager that keeps one server process for each system and agent.

    Args:
        server: `"uvicorn"` or `"hypercorn"`.
    """

    def __init__(self, *, server: str) -> None:
        self._server = server
        self._servers: dict[tuple[str, str, float], _Server] = {}
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def measure(self, scenarios: Sequence[Scenario], *, rounds: int) -> list[Result]:
        """Measure all scenarios in all rounds.

        Raises:
            WrongAnswer: A system gave a wrong answer.
        """
        figures = {(scenario, system): list[Figures]() for scenario in scenarios for system in SYSTEMS}
        for number in range(rounds):
            # Every other round the other way round, so that nobody is always the first or the last.
            for scenario in scenarios:
                for system in SYSTEMS if number % 2 == 0 else reversed(SYSTEMS):
                    figures[scenario, system].append(self._measured(scenario, system))
            print(f"round {number + 1} of {rounds} done", file=sys.stderr)
        return [_result(scenario, {system: figures[scenario, system] for system in SYSTEMS}) for scenario in scenarios]

    def _measured(self, scenario: Scenario, system: str) -> Figures:
        key = (system, scenario.target, scenario.pause)
        if key not in self._servers:
            self._servers[key] = self._stack.enter_context(_served(*key, server=self._server))
            self._loaded(self._servers[key], scenario, seconds=min(scenario.seconds, 1.0))
        return self._loaded(self._servers[key], scenario, seconds=scenario.seconds)

    def _loaded(self, server: _Server, scenario: Scenario, *, seconds: float) -> Figures:
        options = ["--concurrency", str(scenario.concurrency), "--seconds", str(seconds)]
        command = [sys.executable, "-m", "benchmarks.load", str(server.port), str(server.pid), *options]
        if scenario.stream:
            command.append("--stream")
        done = subprocess.run(command, cwd=_ROOT, check=False, capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(f"{scenario.name}: the load failed.\n{done.stderr}")
        return msgspec.json.decode(done.stdout, type=Figures)


@contextmanager
def _served(system: str, target: str, pause: float, *, server: str) -> Generator[_Server]:
    command = [sys.executable, "-m", "benchmarks.serve", system, target, "--pause", str(pause), "--server", server]
    with subprocess.Popen(command, cwd=_ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        line = process.stdout.readline() if process.stdout else ""
        if not line:
            raise SystemExit(f"The server of {system!r} did not start; what it says stands above.")
        # Leaving the block closes the server's standard input, which ends it.
        yield _Server(int(line), process.pid)


def _result(scenario: Scenario, rounds: dict[str, list[Figures]]) -> Result:
    ratios = {limit: _ratio(rounds["ours"], rounds[limit]) for limit in LIMITS}
    return Result(scenario, rounds, ratios)


def _ratio(ours: list[Figures], limit: list[Figures]) -> Ratio:
    pairs = list(zip(ours, limit, strict=True))
    return Ratio(
        speed=Spread.of(mine.items_per_second / theirs.items_per_second for mine, theirs in pairs),
        cpu=Spread.of(theirs.cpu_us_per_item / mine.cpu_us_per_item for mine, theirs in pairs),
    )


def table(results: Sequence[Result]) -> str:
    """Return the results as a Markdown table: median, and lowest to highest in brackets."""
    heads = [
        "",
        "",
        "per second",
        "CPU µs each",
        "first byte p50 / p99 ms",
        "ours : this, by speed",
        "ours : this, by CPU",
    ]
    lines = [_line(heads), _line(["---"] * len(heads))]
    for result in results:
        for system in SYSTEMS:
            name = f"{result.scenario.name} ({result.scenario.unit})" if system == SYSTEMS[0] else ""
            lines.append(_line([name, system, *_figures(result.rounds[system]), *_ratios(result.ratios.get(system))]))
    return "\n".join(lines)


def _figures(rounds: list[Figures]) -> list[str]:
    first = [median(figures.first_ms_p50 for figures in rounds), median(figures.first_ms_p99 for figures in rounds)]
    return [
        _shown(Spread.of(figures.items_per_second for figures in rounds), ",.0f"),
        _shown(Spread.of(figures.cpu_us_per_item for figures in rounds), ",.1f"),
        " / ".join(f"{value:.1f}" for value in first),
    ]


def _ratios(ratio: Ratio | None) -> list[str]:
    return ["", ""] if ratio is None else [_shown(ratio.speed, ".2f"), _shown(ratio.cpu, ".2f")]


def _shown(spread: Spread, form: str) -> str:
    return f"{spread.median:{form}} ({spread.low:{form}} to {spread.high:{form}})"


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
