"""What one core carries, by what a request, a delta, a turn and an open stream cost."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from .measuring import Result
from .report import line, number
from .systems import OURS, OURS_ON_POSTGRESQL, OURS_ON_SQLITE, TWO_WORKERS, System

_PACE: Final = 50
"""Chunks per second of a stream at a model's pace."""


@dataclass(frozen=True, slots=True)
class _Cost:
    """A measure of a system, and what follows from it.

    Args:
        what: What costs.
        scenario: Where it is measured.
        measure: What is measured.
        unit: What it is counted in.
        carries: What a core, or a GiB, has room for at this cost.
        of: Whose cost it is.
    """

    what: str
    scenario: str
    measure: str
    unit: str
    carries: Callable[[float], str]
    of: System = OURS

    def row(self, results: Sequence[Result]) -> str | None:
        """Return the line of the table, `None` when it was not measured."""
        for result in results:
            if result.scenario == self.scenario and (cost := result.value(self.of.name, self.measure)):
                return line([self.what, f"{number(cost)} {self.unit}", self.carries(cost)])
        return None


def _per_second(what: str, *, unit: float) -> Callable[[float], str]:
    return lambda cost: f"{number(unit / cost)} {what} a second"


def _turn(where: str, of: System) -> _Cost:
    turns = _per_second("turns", unit=1e3)
    what = f"the 100th turn of a conversation, raw stub, {where}"
    return _Cost(what, "conversation, raw stub", "CPU ms at turn 100", "ms", turns, of)


_ANSWERS: Final = _per_second("answers", unit=1e6)
_DELTAS: Final = _per_second("deltas", unit=1e6)
_COSTS: Final = (
    _Cost("a whole answer, raw stub", "JSON, raw stub, c=16", "CPU µs", "µs", _ANSWERS),
    _Cost("a whole answer, real Agent", "JSON, real Agent, c=16", "CPU µs", "µs", _ANSWERS),
    _Cost("a delta, raw stub, as quick as it can", "stream, raw stub, c=16", "CPU µs", "µs", _DELTAS),
    _Cost("a delta, real Agent, as quick as it can", "stream, real Agent, c=16", "CPU µs", "µs", _DELTAS),
    _Cost(
        "a delta at a model's pace, one each 20 ms",
        "stream, raw stub, 20 ms between chunks, c=100",
        "CPU µs",
        "µs",
        lambda cost: f"{number(1e6 / cost / _PACE)} live streams",
    ),
    _turn("in memory", OURS),
    _turn("SQLite", OURS_ON_SQLITE),
    _turn("PostgreSQL", OURS_ON_POSTGRESQL),
    _Cost(
        "a stream that waits for its model",
        "memory of open streams, 1 chunk",
        "KiB each",
        "KiB",
        lambda cost: f"{number(2**20 / cost)} in a GiB",
    ),
    _Cost(
        "two workers on one SQLite file beside one",
        "workers: stream, real Agent, c=32",
        "per second",
        "deltas a second",
        lambda cost: f"{number(cost)} on two cores that the load's own process shares",
        TWO_WORKERS,
    ),
)


def carried(results: Sequence[Result]) -> str:
    """Return what was measured as costs, each with what it leaves room for; nothing when nothing was."""
    rows = [row for cost in _COSTS if (row := cost.row(results)) is not None]
    return "\n".join([line(["what", "costs", "so that one core carries"]), line(["---"] * 3), *rows]) if rows else ""
