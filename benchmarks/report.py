"""Figures as Markdown: medians, and the lowest and highest round in brackets."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from .goals import Verdict
from .measuring import Result


def placed(text: str, page: str, *, begin: str, end: str) -> str:
    """Return the page with this text between two of its lines.

    Raises:
        ValueError: The page does not have them.
    """
    before, has_begun, rest = page.partition(begin)
    _, has_ended, behind = rest.partition(end)
    if not (has_begun and has_ended):
        raise ValueError(f"The page has no place for this: put {begin} and {end} on lines of their own.")
    return f"{before}{begin}\n\n{text}\n\n{end}{behind}"


def tables(results: Sequence[Result]) -> str:
    """Return a table for each family of scenarios, whose measures are the same."""
    families: dict[tuple[str, ...], list[Result]] = {}
    for result in results:
        families.setdefault(_measures(result), []).append(result)
    return "\n\n".join(_table(measures, family) for measures, family in families.items())


def goals_table(verdicts: Sequence[Verdict]) -> str:
    """Return the goals beside the figures."""
    lines = [line(["goal", "wanted", "measured", ""]), line(["---"] * 4)]
    for verdict in verdicts:
        figure = "" if verdict.figure is None else number(verdict.figure)
        is_met = verdict.because if verdict.is_met is None else "yes" if verdict.is_met else "**no**"
        lines.append(line([verdict.goal, verdict.wanted, figure, is_met]))
    return "\n".join(lines)


def _table(measures: Sequence[str], results: Sequence[Result]) -> str:
    lines = [line(["scenario", "system", *measures]), line(["---"] * (2 + len(measures)))]
    for result in results:
        for number, system in enumerate(result.rounds):
            cells = [_shown(result.values(system, measure)) for measure in measures]
            lines.append(line([result.scenario if not number else "", system, *cells]))
    return "\n".join(lines)


def _measures(result: Result) -> tuple[str, ...]:
    names = (name for rounds in result.rounds.values() for measures in rounds for name in measures)
    return tuple(dict.fromkeys(names))


def _shown(values: Sequence[float]) -> str:
    if not values:
        return ""
    middle = number(median(values))
    return middle if len(values) == 1 else f"{middle} ({number(min(values))} to {number(max(values))})"


def number(value: float) -> str:
    """Return a figure as people read it: three digits, or all of them before the point."""
    return f"{value:,.0f}" if abs(value) >= 1_000 else f"{value:.3g}"


def line(cells: Sequence[str]) -> str:
    """Return a line of a table."""
    return f"| {' | '.join(cells)} |"
