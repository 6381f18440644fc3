"""Puts the figures of a run into the documentation.

    python -m benchmarks.page figures.json docs/performance.md

What stands between `<!-- figures -->` and `<!-- end of figures -->` is written anew, and a picture beside the page for
each plot.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Final

import msgspec

from .goals import judged
from .measuring import Run
from .plots import bars
from .report import goals_table, tables

BEGIN: Final = "<!-- figures -->"
END: Final = "<!-- end of figures -->"
_PLOTS: Final = (
    ("streams", "stream", "per second", "Streamed deltas per second: longer is better"),
    ("answers", "JSON", "per second", "Whole answers per second: longer is better"),
)


def written(run: Run, page: str) -> str:
    """Return the page with the figures of this run.

    Raises:
        ValueError: The page has no place for them.
    """
    before, begin, rest = page.partition(BEGIN)
    _, end, behind = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"The page has no place for figures: put {BEGIN} and {END} on lines of their own.")
    machine = ", ".join(f"{name} {value}" for name, value in run.machine.items() if value is not None)
    parts = [f"Medians of {run.rounds} rounds. {machine}."]
    verdicts = judged(run.results)
    parts += [goals_table(verdicts)] if verdicts else []
    parts += [f"![{title}](performance-{name}.svg)" for name, title, _ in _pictures(run)]
    parts.append(tables(run.results))
    return f"{before}{BEGIN}\n\n" + "\n\n".join(parts) + f"\n\n{END}{behind}"


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
    parser.add_argument("figures", type=Path)
    parser.add_argument("page", type=Path)
    asked = parser.parse_args()
    run = msgspec.json.decode(asked.figures.read_bytes(), type=Run)
    asked.page.write_text(written(run, asked.page.read_text()))
    for name, _, picture in _pictures(run):
        (asked.page.parent / f"performance-{name}.svg").write_text(picture)


if __name__ == "__main__":
    main()
