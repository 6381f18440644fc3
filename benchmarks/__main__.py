"""Measures the host beside two hand-written limits, with the same agents, in one run.

python -m benchmarks --rounds 7 --json figures.json
"""

from __future__ import annotations

import argparse
from pathlib import Path

import msgspec

from .machine import described
from .report import Bench, table
from .scenarios import BURSTS, LIVE, quick


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description=__doc__.splitlines()[0] if __doc__ else None
    )
    parser.add_argument("--rounds", type=int, default=7, help="how often everything is measured (default: %(default)s)")
    parser.add_argument("--server", choices=["uvicorn", "hypercorn"], default="uvicorn")
    parser.add_argument("--live", action="store_true", help="also 100 streams with 20 ms between chunks")
    parser.add_argument("--only", default="", help="only scenarios whose name contains this")
    parser.add_argument(
        "--quick", action="store_true", help="a few seconds: shows that it works; the figures mean nothing"
    )
    parser.add_argument("--json", type=Path, help="where to write all figures")
    asked = parser.parse_args()
    chosen = [scenario for scenario in (*BURSTS, *([LIVE] if asked.live else [])) if asked.only in scenario.name]
    if not chosen:
        parser.error(f"no scenario's name contains {asked.only!r}")
    scenarios = [quick(scenario) for scenario in chosen] if asked.quick else chosen
    with Bench(server=asked.server) as bench:
        results = bench.measure(scenarios, rounds=asked.rounds)
    if asked.json:
        figures = {"machine": described(), "server": asked.server, "rounds": asked.rounds, "results": results}
        asked.json.write_bytes(msgspec.json.format(msgspec.json.encode(figures)) + b"\n")
    print(", ".join(f"{name} {value}" for name, value in described().items()))
    print()
    print(table(results))


main()
