"""A profile as the documentation tells it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from statistics import median
from typing import Final

import msgspec

from ..goals import GOALS, Goal, Verdict, bound_of
from ..measuring import Result
from ..report import line, number, placed
from ..systems import BY_HAND as HAND
from ..systems import OURS as SERVED
from .areas import BARE as BARE_AREA
from .areas import OF_OURS, UNNAMED
from .costs import (
    BARE,
    BY_HAND,
    CHUNKS,
    CROWD,
    MIDDLE,
    OURS,
    PACED_LONG,
    PACED_SHORT,
    SHORT,
    STARLETTE,
    STEPS,
    WHOLE_ANSWER,
    Measured,
)
from .floor import RUNGS
from .imported import Imported, by_package
from .opened import Held
from .parts import BEST, DELTA, ENDS, MEDIAN, PACED_DELTA, Part, parts

BEGIN: Final = "<!-- profile -->"
END: Final = "<!-- end of profile -->"

_NAMES: Final = {"raw": "raw stub", "agent": "real Agent"}
_NOT_ON_IT: Final = (
    "Not on the ladder, and done by the host: answers with tools, files and thoughts, several contents of a message, "
    "conversations, runs in the background, other channels beside this one, stores beside memory, what is cut, "
    "limited, traced or hooked when somebody asks for it, and a run that goes on while its reader is slow."
)
_OPEN: Final = "memory of open streams, 1 chunk"
_PACED: Final = 100
_SHOWN: Final = 14


class Profiled(msgspec.Struct):
    """All that a profile has.

    `cpu` is by agent, `opened` by system; `served` is what the same machine said over HTTP.
    """

    machine: dict[str, str | int | None]
    cpu: dict[str, Measured]
    opened: dict[str, Held]
    imported: Imported
    served: list[Result]


def written(profiled: Profiled, page: str) -> str:
    """Return the page with this profile.

    Raises:
        ValueError: The page has no place for it.
    """
    return placed(told(profiled), page, begin=BEGIN, end=END)


def told(profiled: Profiled) -> str:
    """Return the profile in Markdown."""
    known = {agent: parts(measured) for agent, measured in profiled.cpu.items()}
    sections = [
        "### What each part of a request costs",
        _costs(known),
        *(text for agent, measured in profiled.cpu.items() for text in _areas(agent, measured, known[agent])),
        "### What the duties alone would cost",
        _ladder(profiled.cpu),
        _NOT_ON_IT,
        *(_least(agent, measured) for agent, measured in profiled.cpu.items()),
        "### What the duties alone would reach",
        _reached(profiled.served),
        "### Streams",
        *_streams(profiled.cpu["raw"], known["raw"]),
        "### A thousand streams at once",
        *_crowd(profiled.cpu["raw"], known["raw"]),
        "### What an open stream holds",
        *_held(profiled.opened[OURS], profiled.opened[BARE]),
        "### What an idle process holds",
        *_idle(profiled.imported),
    ]
    return "\n\n".join(sections)


def _costs(known: Mapping[str, Mapping[str, Part]]) -> str:
    columns = [f"{who}, {which}" for who in ("ours", "by hand", "bare") for which in ("best", "median")]
    rows = [["µs of CPU, in process", *columns, "ours : bare, best", "by hand : bare, best"]]
    for agent, named in known.items():
        for name, part in named.items():
            ratios = [each[BEST] / part.bare[BEST] for each in (part.ours, part.by_hand)]
            figures = (*part.ours.values(), *part.by_hand.values(), *part.bare.values(), *ratios)
            rows.append([f"{name}, {_NAMES[agent]}", *map(number, figures)])
    return _table(rows)


def _areas(agent: str, measured: Measured, named: Mapping[str, Part]) -> tuple[str, str, str]:
    beside = named[PACED_DELTA].bare_us
    known = {area for part in named.values() for area in part.calls | part.us} | beside.keys()
    rows = [[f"ours, {_NAMES[agent]}: µs, share, calls", *named, "the same, bare: µs, share"]]
    rows += [
        [area, *(_cell(part.us, area, part.calls) for part in named.values()), _cell(beside, area, None)]
        for area in (*OF_OURS, BARE_AREA, UNNAMED)
        if area in known
    ]
    sums = ((sum(part.us.values()), sum(part.calls.values())) for part in named.values())
    whole = (f"{number(us)}, {number(calls)} calls" for us, calls in sums)
    rows.append(["**all of it**", *whole, number(sum(beside.values()))])
    samples = sum(sum(systems[OURS].samples.values()) for systems in measured.slices.values())
    return (
        f"### Whose it is: {_NAMES[agent]}",
        _table(rows),
        f"{samples:,} samples; {measured.unnamed_share:.1%} of them in no area.",
    )


def _cell(us: Mapping[str, float], area: str, calls: Mapping[str, float] | None) -> str:
    if area not in us and area not in (calls or {}):
        return ""
    # A difference of samples is below nothing when there is nothing.
    has, total = max(0.0, us.get(area, 0.0)), sum(us.values())
    share = f"{has / total:.0%}" if total else "no samples"
    counted = "" if calls is None else f", {number(calls.get(area, 0.0))}"
    return f"{number(has)}, {share}{counted}"


def _ladder(cpu: Mapping[str, Measured]) -> str:
    columns = [(agent, load) for agent in cpu for load in (WHOLE_ANSWER, SHORT)]
    names = {WHOLE_ANSWER: "a whole answer", SHORT: f"a stream of {CHUNKS[SHORT]}"}
    rows = [["µs of CPU, best", *(f"{names[load]}, {_NAMES[agent]}" for agent, load in columns)]]
    first = ("the bare callable", "the same, read by types and written from templates")
    words = (*first, *(f"+ {rung}" for rung in RUNGS), "ours")
    for step, word in zip(STEPS, words, strict=True):
        slices = [cpu[agent].ladder[load][step] for agent, load in columns]
        rows.append([word, *(f"{number(each.best)}, {number(sum(each.calls.values()))} calls" for each in slices)])
    return _table(rows)


def _least(agent: str, measured: Measured) -> str:
    bare, least, ours = (measured.ladder[WHOLE_ANSWER][step].best for step in (BARE, BY_HAND, OURS))
    return (
        f"**Whole answers, {_NAMES[agent]}.** Of the {number(ours - bare)} µs that the host costs more than the bare "
        f"callable, {number(least - bare)} are these duties as quick as they can be written. The other "
        f"{number(ours - least)} are what it takes to have them for many channels, stores and settings, in layers, and "
        "the duties that are not on the ladder."
    )


def _streams(measured: Measured, named: Mapping[str, Part]) -> tuple[str, str]:
    rows = [["µs of CPU, in process, raw stub", "ours", "duties by hand", "bare", "Starlette route"]]
    middle = measured.slices[MIDDLE]
    figures = [middle[system].best for system in (OURS, BY_HAND, BARE, STARLETTE)]
    rows.append([MIDDLE, *map(number, figures)])
    rows.append(["its speed beside Starlette's", *(number(figures[-1] / each) for each in figures)])
    paced = named[PACED_DELTA]
    # A model's stream has a hundred deltas as the goal has it.
    short, long = (measured.slices[name] for name in (PACED_SHORT, PACED_LONG))
    few, many = CHUNKS[PACED_SHORT], CHUNKS[PACED_LONG]
    whole = {
        system: (short[system].median + (_PACED - few) * (long[system].median - short[system].median) / (many - few))
        / _PACED
        for system in (OURS, BY_HAND, BARE)
    }
    deltas = [paced.ours[MEDIAN], paced.by_hand[MEDIAN], paced.bare[MEDIAN]]
    rows.append([PACED_DELTA, *map(number, deltas), ""])
    rows.append([f"the same, with its part of the ends of a stream of {_PACED}", *map(number, whole.values()), ""])
    rows.append(["its cost beside bare", *(number(each / whole[BARE]) for each in whole.values()), ""])
    return _table(rows), (
        "The duties by hand are quicker here than the bare callable, which has none of them: that one asks for each "
        "chunk by a step of its own and makes each object anew, where this one has templates, and looks at what is "
        "ready only when its agent waits."
        if figures[1] < figures[2]
        else "The duties by hand stand between the bare callable and the host."
    )


def _reached(results: Sequence[Result]) -> str:
    """Return the goals that the profile is about, as the duties by hand and the host keep them in the same run."""
    known = {result.scenario: result for result in results}
    rows = [["goal", "wanted", "duties by hand", "", "ours", ""]]
    for goal in GOALS:
        if isinstance(goal, Goal) and goal.of is SERVED and goal.scenario in known:
            verdicts = [replace(goal, of=system).judged(known, cores=2) for system in (HAND, SERVED)]
            if all(verdict.figure is not None for verdict in verdicts):
                cells = [cell for each in verdicts for cell in (number(each.figure or 0), _met(each))]
                rows.append([goal.what, verdicts[0].wanted, *cells])
    return _table(rows)


def _met(verdict: Verdict) -> str:
    return "yes" if verdict.is_met else "**no**"


def _crowd(measured: Measured, named: Mapping[str, Part]) -> tuple[str, str]:
    ends, delta, few = named[ENDS], named[DELTA], CHUNKS[CROWD]
    each = [measured.slices[CROWD][system] for system in (OURS, BY_HAND, BARE)]
    rows = [[f"a stream of {few}, raw stub", "ours", "duties by hand", "bare", "ours : bare", "by hand : bare"]]
    for name, ours, by_hand, bare in (
        ("its two ends, µs", ends.ours[BEST], ends.by_hand[BEST], ends.bare[BEST]),
        (f"its {few} deltas, µs", *(few * amounts[BEST] for amounts in (delta.ours, delta.by_hand, delta.bare))),
        ("one among a thousand, in process, µs", *(slices.median for slices in each)),
        ("first event p99 of a thousand, in process, ms", *(median(slices.first_ms) for slices in each)),
    ):
        rows.append([name, *map(number, (ours, by_hand, bare, ours / bare, by_hand / bare))])
    began = median(each[0].first_ms) / each[0].median
    return _table(rows), (
        "All thousand come at once, and one core works through them. The bare callable and the duties by hand serve "
        "one after the other, so the last one's first event waits for all that is done for the others: its p99 in "
        "milliseconds is about what a stream costs in microseconds. The host lets everybody's first event go before "
        f"anybody's text: the last one's comes when {began:.0%} of the work is done."
    )


def _held(ours: Held, bare: Held) -> tuple[str, str]:
    rows = [["bytes (blocks) of an open stream", "ours", "bare"]]
    present = [area for area in (*OF_OURS, BARE_AREA, UNNAMED) if area in ours.bytes | bare.bytes]
    rows += [[area, *(_of(held, area) for held in (ours, bare))] for area in present]
    mine, theirs = (sum(held.bytes.values()) for held in (ours, bare))
    rows.append(["**all of it**", number(mine), number(theirs)])
    shared = sum(ours.bytes.get(area, 0) for area in OF_OURS[-3:])
    goal = bound_of(_OPEN, "KiB each")
    return _table(rows), (
        f"{number(mine / theirs)} times the bare callable's, as Python counts it. The event loop, Agent Framework and "
        f"the server hold {number(shared)} bytes of ours; {goal:g} times the bare callable's would leave "
        f"{number(max(0, goal * theirs - shared))} for all else, which is {number(mine - shared)}."
    )


def _of(held: Held, area: str) -> str:
    return f"{number(held.bytes[area])} ({number(held.blocks[area])})" if area in held.bytes else ""


def _idle(imported: Imported) -> tuple[str, str]:
    bare, ours = by_package(imported.bare), by_package(imported.ours)
    rows = [["KiB by package, as imported", "a bare route's process", "", "what the host adds"]]
    for one, other in zip(_heaviest(bare), _heaviest(ours), strict=True):
        rows.append([one[0], one[1], other[0], other[1]])
    added = sum(ours.values())
    return _table(rows), (
        f"{len(imported.ours)} modules come with the host, {number(added / 2**10)} KiB as Python counts it, "
        f"{number(added / 2**10 / len(imported.ours))} KiB each; a bare route's process has {len(imported.bare)} of "
        f"{number(sum(bare.values()) / 2**10)} KiB, and beside them the interpreter and what is not Python. The app "
        f"itself, with one request answered, holds {number(imported.made / 2**10)} KiB."
    )


def _heaviest(sums: Mapping[str, int]) -> list[tuple[str, str]]:
    pairs = [*sums.items()]
    rest = sum(size for _, size in pairs[_SHOWN:])
    shown = [*pairs[:_SHOWN], (f"{max(0, len(pairs) - _SHOWN)} others", rest)]
    return [(f"`{name}`" if " " not in name else name, number(size / 2**10)) for name, size in shown]


def _table(rows: Sequence[Sequence[str]]) -> str:
    head, *others = rows
    return "\n".join([line(head), line(["---"] * len(head)), *map(line, others)])
