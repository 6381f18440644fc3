"""Shows where the time and the memory of a request go, and what of it any host would have to pay.

    python -m benchmarks.profile docs/performance.md --json profile.json

writes what stands between `<!-- profile -->` and `<!-- end of profile -->` anew. All is measured in this process or in
children of it, ours and the bare callable in slices that take turns, so that a machine that does other things as well
disturbs both. `--told profile.json` writes the page from an earlier measurement.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from dataclasses import replace
from pathlib import Path
from typing import Final

import msgspec

from .bursts import Burst
from .goals import GOALS, Goal
from .machine import described
from .measuring import Result, measure
from .memory import Idle
from .profiles import costs
from .profiles.imported import imported
from .profiles.opened import held
from .profiles.proofs import prove_all
from .profiles.told import Profiled, told, written
from .scenarios import SCENARIOS
from .systems import BY_HAND, COALESCING, OURS, System

_SERVED: Final = (
    "stream, raw stub, c=1",
    "stream, raw stub, c=16",
    "stream, raw stub, 20 ms between chunks, c=100",
    "stream of 20 chunks, c=1,000",
    "JSON, raw stub, c=16",
    "JSON, real Agent, c=16",
    "idle process",
)
"""Where the goals are, of which the profile says what a host can reach."""
_HTTP_ROUNDS: Final = 4


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.profile")
    parser.add_argument("page", type=Path, nargs="?", help="the page to write it into; printed when left out")
    parser.add_argument("--rounds", type=int, default=240, help="slices of each load (default: %(default)s)")
    parser.add_argument("--streams", type=int, default=200, help="streams to weigh (default: %(default)s)")
    parser.add_argument("--json", type=Path, help="where to write all figures")
    parser.add_argument("--told", type=Path, help="figures to write down, instead of measuring")
    parser.add_argument("--quick", action="store_true", help="seconds: shows that it works; the figures mean nothing")
    asked = parser.parse_args()
    if asked.told:
        profiled = msgspec.json.decode(asked.told.read_bytes(), type=Profiled)
    else:
        profiled = profile(rounds=asked.rounds, streams=asked.streams, quick=asked.quick)
    if asked.json:
        asked.json.write_bytes(msgspec.json.format(msgspec.json.encode(profiled)) + b"\n")
    if asked.page:
        asked.page.write_text(written(profiled, asked.page.read_text()))
    else:
        print(told(profiled))


def profile(*, rounds: int, streams: int, quick: bool) -> Profiled:
    """Measure everything.

    Raises:
        WrongAnswer: A system gave a wrong answer, or a rung of the floor does not do its duty.
    """
    asyncio.run(prove_all())
    cpu: dict[str, costs.Measured] = {}
    for agent in costs.AGENTS:
        print(f"processor time, {agent}", file=sys.stderr)
        cpu[agent] = asyncio.run(costs.measure(agent, rounds=rounds, quick=quick))
    print("memory", file=sys.stderr)
    opened = {costs.OURS: held(OURS.kind, streams=streams), costs.BARE: held(COALESCING.kind, streams=streams)}
    return Profiled(described(), cpu, opened, imported(quick=quick), [] if quick else _served())


def _served() -> list[Result]:
    """Measure the same over HTTP, the duties by hand beside the others."""
    scenarios = [each for each in SCENARIOS if each.name in _SERVED and isinstance(each, Burst | Idle)]
    return measure([replace(each, systems=_asked_in(each.name)) for each in scenarios], rounds=_HTTP_ROUNDS)


def _asked_in(scenario: str) -> list[System]:
    """Return ours, the duties by hand, and those that the goals of this scenario set beside them."""
    goals = [goal for goal in GOALS if isinstance(goal, Goal) and goal.scenario == scenario]
    return list(dict.fromkeys([OURS, BY_HAND, *(goal.beside for goal in goals if goal.beside is not None)]))


if __name__ == "__main__":
    main()
