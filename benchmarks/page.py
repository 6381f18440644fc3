"""Puts the figures of a run into the documentation.

    python -m benchmarks.page docs/performance.md figures.json --soak soak.json

What stands between `<!-- figures -->` and `<!-- end of figures -->` is written anew, and a picture beside the page for
each plot. Of several files of figures, a later one replaces the scenarios that it has measured again.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from .carrying import carried
from .goals import judged
from .measuring import Run
from .plots import bars
from .report import goals_table, number, placed, tables
from .soak import Soaked

BEGIN: Final = "<!-- figures -->"
END: Final = "<!-- end of figures -->"
_PLOTS: Final = (
    ("streams", "stream", "per second", "Streamed deltas per second: longer is better"),
    ("answers", "JSON", "per second", "Whole answers per second: longer is better"),
)


def written(run: Run, page: str, *, soaked: Soaked | None = None) -> str:
    """Return the page with the figures of this run, and of a soak.

    Raises:
        ValueError: The page has no place for them.
    """
    machine = ", ".join(f"{name} {value}" for name, value in run.machine.items() if value is not None)
    parts = [f"{_rounds(run)} {machine}."]
    verdicts = judged(run.results, cores=run.cores)
    parts += [carried(run.results)] if carried(run.results) else []
    parts += [goals_table(verdicts)] if verdicts else []
    parts += [_told(soaked)] if soaked is not None else []
    parts += [f"![{title}](performance-{name}.svg)" for name, title, _ in _pictures(run)]
    parts.append(tables(run.results))
    return placed("\n\n".join(parts), page, begin=BEGIN, end=END)


def merged(runs: Sequence[Run]) -> Run:
    """Return one run with the last results of each scenario, in the order of the first."""
    results = {result.scenario: result for run in runs for result in run.results}
    return Run(runs[0].machine, max(run.rounds for run in runs), list(results.values()))


def _rounds(run: Run) -> str:
    # What is the same each time is measured once, and stands there as it is.
    counts = {len(rounds) for result in run.results for rounds in result.rounds.values()} - {1} or {run.rounds}
    told = f"{min(counts)} to {max(counts)}" if len(counts) > 1 else str(max(counts))
    return f"Where a spread is shown, medians of {told} rounds; elsewhere one."


def _told(soaked: Soaked) -> str:
    return (
        f"**A soak.** {number(soaked.seconds / 60)} minutes at 70 % of the most that it carried: "
        f"{soaked.answers:,} answers, each checked, half of them streams, {number(soaked.asked_per_second)} a second "
        f"for {number(100 * soaked.cpu_of_a_core)} % of a core; half within {number(soaked.p50_ms)} ms, 99 % within "
        f"{number(soaked.p99_ms)} ms. Memory once what is kept was at its bound: {soaked.mib_first:.1f} MiB, at the "
        f"end {soaked.mib_last:.1f} MiB, {number(soaked.bytes_per_answer)} bytes more with each answer."
    )


def _pictures(run: Run) -> list[tuple[str, str, str]]:
    """Return the name, the title and the picture of each plot that there is something to show in."""
    pictures: list[tuple[str, str, str]] = []
    for name, prefix, measure, title in _PLOTS:
        shown = [result for result in run.results if result.scenario.startswith(f"{prefix},")]
        if shown:
            pictures.append((name, title, bars(shown, measure=measure, title=title)))
    return pictures


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.page")
    parser.add_argument("page", type=Path)
    parser.add_argument("figures", type=Path, nargs="+")
    parser.add_argument("--soak", type=Path, help="what `python -m benchmarks --soak 30m --json FILE` has written")
    asked = parser.parse_args()
    run = merged([msgspec.json.decode(file.read_bytes(), type=Run) for file in asked.figures])
    soaked = msgspec.json.decode(asked.soak.read_bytes(), type=Soaked) if asked.soak else None
    asked.page.write_text(written(run, asked.page.read_text(), soaked=soaked))
    for name, _, picture in _pictures(run):
        (asked.page.parent / f"performance-{name}.svg").write_text(picture)


if __name__ == "__main__":
    main()
