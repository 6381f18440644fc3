"""Measures the host beside hand-written limits, with the same agents, in one run.

python -m benchmarks --rounds 7 --json figures.json
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path

import msgspec

from .goals import judged
from .load import FILES
from .machine import allow_files, described
from .measuring import Run, measure
from .report import goals_table, tables
from .scenarios import BURSTS, SCENARIOS
from .soak import soak

_SECONDS = {"s": 1, "m": 60, "h": 3600}


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description=__doc__.splitlines()[0] if __doc__ else None
    )
    parser.add_argument("--rounds", type=int, default=7, help="how often everything is measured (default: %(default)s)")
    parser.add_argument("--all", action="store_true", help="also crowds, memory, conversations and workers")
    parser.add_argument("--only", action="append", default=[], help="only scenarios whose name contains this; repeat")
    parser.add_argument("--list", action="store_true", help="name the scenarios, and measure nothing")
    parser.add_argument("--quick", action="store_true", help="seconds: shows that it works; the figures mean nothing")
    parser.add_argument("--json", type=Path, help="where to write all figures")
    parser.add_argument("--soak", type=_duration, help="instead: work at 70 %% of a core for so long, such as 30m")
    asked = parser.parse_args()
    if asked.soak is not None:
        _write(asked.json, soaked := soak(asked.soak))
        print(msgspec.json.format(msgspec.json.encode(soaked)).decode())
        return
    everything = SCENARIOS if asked.all or asked.only or asked.list else BURSTS
    chosen = [each for each in everything if not asked.only or any(part in each.name for part in asked.only)]
    if not chosen:
        parser.error(f"no scenario's name contains {' or '.join(map(repr, asked.only))}; --list names them")
    if asked.list:
        print("\n".join(each.name for each in chosen))
        return
    allow_files(FILES)
    results = measure([each.quick() for each in chosen] if asked.quick else chosen, rounds=asked.rounds)
    run = Run(described(), asked.rounds, results)
    _write(asked.json, run)
    print(", ".join(f"{name} {value}" for name, value in run.machine.items()))
    print(f"\n{tables(results)}\n\n{goals_table(judged(results, cores=run.cores))}")


def _duration(written: str) -> float:
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([smh])", written)
    if found is None:
        raise argparse.ArgumentTypeError("write it as 90s, 30m or 8h")
    return float(found[1]) * _SECONDS[found[2]]


def _write(file: Path | None, figures: object) -> None:
    if file is not None:
        file.write_bytes(msgspec.json.format(msgspec.json.encode(figures)) + b"\n")


main()
