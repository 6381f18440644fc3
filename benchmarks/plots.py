"""Bars as SVG: one for each system, scenario by scenario. Written by hand, since a plotting library weighs more."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Final

from .measuring import Result

_WIDTH: Final = 760
_LABELS: Final = 250
_BAR: Final = 16
_GAP: Final = 14
_COLOURS: Final = {"ours": "#2563eb", "Starlette route": "#9ca3af", "coalescing ASGI": "#4b5563"}
_OTHER: Final = "#93c5fd"


def bars(results: Sequence[Result], *, measure: str, title: str) -> str:
    """Return a picture of one measure; each scenario has a scale of its own, since it is systems that are compared."""
    parts: list[str] = []
    top = 48
    for result in results:
        shown = [(system, value) for system in result.rounds if (value := result.value(system, measure)) is not None]
        if not shown:
            continue
        most = max(value for _, value in shown) or 1.0
        parts.append(_text(0, top + 12, result.scenario, weight="600"))
        for system, value in shown:
            length = (_WIDTH - _LABELS - 90) * value / most
            parts.append(
                f'<rect x="{_LABELS}" y="{top}" width="{length:.1f}" height="{_BAR - 3}" '
                f'fill="{_COLOURS.get(system, _OTHER)}"/>'
            )
            parts.append(_text(_LABELS + length + 6, top + 11, f"{value:,.3g}" if value < 100 else f"{value:,.0f}"))
            parts.append(_text(_LABELS - 6, top + 11, system, anchor="end"))
            top += _BAR
        top += _GAP
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {top}" width="{_WIDTH}" height="{top}" '
        'font-family="system-ui, sans-serif" font-size="12">'
    )
    background = f'<rect width="{_WIDTH}" height="{top}" fill="#ffffff"/>'
    return "\n".join([head, background, _text(0, 20, title, weight="700"), *parts, "</svg>"]) + "\n"


def _text(x: float, y: float, said: str, *, weight: str = "400", anchor: str = "start") -> str:
    return (
        f'<text x="{x:.1f}" y="{y}" font-weight="{weight}" text-anchor="{anchor}" fill="#111827">{escape(said)}</text>'
    )
