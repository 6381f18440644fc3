"""What requests are made of: whole answers, a stream's two ends, and deltas, each with its cost and whose it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from .costs import BARE, BY_HAND, CHUNKS, LONG, OURS, PACED_LONG, PACED_SHORT, SHORT, WHOLE_ANSWER, Measured, Slices

BEST: Final = "best"
MEDIAN: Final = "median"
ENDS: Final = "a stream's two ends"
DELTA: Final = "a delta as quick as it can"
PACED_DELTA: Final = "a delta at a model's pace"

Amounts = dict[str, float]


class Part(msgspec.Struct):
    """One of them: µs of ours, of the duties by hand and of bare, µs of two by area, and calls of ours by area."""

    ours: Amounts
    by_hand: Amounts
    bare: Amounts
    us: Amounts
    bare_us: Amounts
    calls: Amounts


def parts(measured: Measured) -> dict[str, Part]:
    """Return all parts by name: the ends of a stream and its deltas come from streams of two lengths."""
    whole = measured.slices[WHOLE_ANSWER]
    ends, delta = _split(measured.slices, SHORT, LONG)
    _, paced = _split(measured.slices, PACED_SHORT, PACED_LONG)
    return {WHOLE_ANSWER: _part(whole), ENDS: ends, DELTA: delta, PACED_DELTA: paced}


def _part(systems: Mapping[str, Slices]) -> Part:
    ours, by_hand, bare = (systems[name] for name in (OURS, BY_HAND, BARE))
    return Part(_both(ours), _both(by_hand), _both(bare), ours.by_area(), bare.by_area(), ours.calls)


def _both(slices: Slices) -> Amounts:
    return {BEST: slices.best, MEDIAN: slices.median}


def _split(slices: Mapping[str, Mapping[str, Slices]], short: str, long: str) -> tuple[Part, Part]:
    one, other = (_part(slices[name]) for name in (short, long))
    more, few = CHUNKS[long] - CHUNKS[short], CHUNKS[short]

    def delta(field: str) -> Amounts:
        return _sum(getattr(other, field), getattr(one, field), times=-1, divided_by=more)

    each = Part(*map(delta, Part.__struct_fields__))
    return Part(*(_sum(getattr(one, name), getattr(each, name), times=-few) for name in Part.__struct_fields__)), each


def _sum(one: Amounts, other: Amounts, *, times: float, divided_by: float = 1) -> Amounts:
    return {name: (one.get(name, 0) + times * other.get(name, 0)) / divided_by for name in one | other}
