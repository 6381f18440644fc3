"""A profile as the documentation tells it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Final

import msgspec

from ..goals import bound_of
from ..measuring import Result
from ..report import line, number, placed
from ..systems import COALESCING
from ..systems import OURS as SERVED
from .areas import BARE as BARE_AREA
from .areas import OF_OURS, UNNAMED
from .costs import BARE, CHUNKS, CROWD, OURS, SHORT, STEPS, WHOLE_ANSWER, Measured
from .floor import RUNGS
from .imported import Imported, by_package
from .opened import Held
from .parts import BEST, DELTA, ENDS, MEDIAN, PACED_DELTA, Part, parts

BEGIN: Final = "<!-- profile -->"
END: Final = "<!-- end of profile -->"
ANSWERS: Final = {"raw": "JSON, raw stub, c=16", "agent": "JSON, real Agent, c=16"}
CROWDED: Final = "stream of 20 chunks, c=1,000"

_NAMES: Final = {"raw": "raw stub", "agent": "real Agent"}
_NOT_ON_IT: Final = (
    "Not on the ladder, and done by the host: the guard against pages of other sites, all other fields of the "
    "protocol, going on from any response and not from the last alone, turns that leave nothing behind when they fail, "
    "answers with tools, files and thoughts, and a stop that waits for what runs."
)
_OPEN: Final = "memory of open streams, 1 chunk"
_LONG_STREAM: Final = 200
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
    served = {result.scenario: result for result in profiled.served}
    known = {agent: parts(measured) for agent, measured in profiled.cpu.items()}
    sections = [
        "### What each part of a request costs",
        _costs(known),
        *(text for agent, measured in profiled.cpu.items() for text in _areas(agent, measured, known[agent])),
        "### What the duties alone would cost",
        _ladder(profiled.cpu),
        _NOT_ON_IT,
        *(_least(agent, measured, served.get(ANSWERS[agent])) for agent, measured in profiled.cpu.items()),
        "### A thousand streams at once",
        *_crowd(profiled.cpu["raw"], known["raw"], served.get(CROWDED)),
        "### What an open stream holds",
        *_held(profiled.opened[OURS], profiled.opened[BARE]),
        "### What an idle process holds",
        *_idle(profiled.imported),
    ]
    return "\n\n".join(sections)


def _costs(known: Mapping[str, Mapping[str, Part]]) -> str:
    rows = [["µs of CPU, in process", "ours, best", "ours, median", "bare, best", "bare, median", "ours : bare, best"]]
    for agent, named in known.items():
        for name, part in named.items():
            figures = (*part.ours.values(), *part.bare.values(), part.ours[BEST] / part.bare[BEST])
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
    words = ("the bare callable", *(f"+ {rung}" for rung in RUNGS), "ours")
    for step, word in zip(STEPS, words, strict=True):
        slices = [cpu[agent].ladder[load][step] for agent, load in columns]
        rows.append([word, *(f"{number(each.best)}, {number(sum(each.calls.values()))} calls" for each in slices)])
    return _table(rows)


def _least(agent: str, measured: Measured, served: Result | None) -> str:
    bare, floor, ours = (measured.ladder[WHOLE_ANSWER][step].best for step in (BARE, STEPS[-2], OURS))
    said = (
        f"**Whole answers, {_NAMES[agent]}.** Of the {number(ours - bare)} µs that the host costs more than the bare "
        f"callable, {number(floor - bare)} are these duties as short as they can be written. The other "
        f"{number(ours - floor)} are what it takes to have them for many channels, stores and settings, in layers, and "
        "the duties that are not on the ladder."
    )
    over_http = served and served.value(COALESCING.name, "CPU µs")
    if not served or not over_http:
        return said
    goal, has = bound_of(ANSWERS[agent], "per second"), served.ratio(SERVED.name, COALESCING.name, "per second")
    reach = over_http / (over_http + floor - bare)
    return (
        f"{said} Over HTTP the bare callable's answer costs {number(over_http)} µs, its server's part included: "
        f"{goal:g} of its speed leaves a host {number(over_http / goal - over_http)} µs for all that it does. With the "
        f"duties by hand alone it comes to {number(reach)} of its speed; the host has {number(has or 0)}."
    )


def _crowd(measured: Measured, named: Mapping[str, Part], served: Result | None) -> tuple[str, str]:
    ends, delta, few = named[ENDS], named[DELTA], CHUNKS[CROWD]
    ours, bare = measured.slices[CROWD][OURS], measured.slices[CROWD][BARE]
    pairs = [
        ("its two ends, µs", ends.ours[MEDIAN], ends.bare[MEDIAN]),
        (f"its {few} deltas, µs", few * delta.ours[MEDIAN], few * delta.bare[MEDIAN]),
        ("one among a thousand, in process, µs", ours.median, bare.median),
        ("first event p99 of a thousand, in process, ms", median(ours.first_ms), median(bare.first_ms)),
    ]
    if served is not None:
        both = (SERVED.name, COALESCING.name)
        cpu, first = ([served.value(name, what) or 0 for name in both] for what in ("CPU µs", "first byte p99 ms"))
        pairs.append(("one among a thousand, over HTTP, µs", few * cpu[0], few * cpu[1]))
        pairs.append(("first event p99 of a thousand, over HTTP, ms", first[0], first[1]))
    rows = [[f"a stream of {few}, raw stub", "ours", "bare", "ratio"]]
    rows += [[name, number(one), number(other), number(one / other)] for name, one, other in pairs]
    least = measured.ladder[SHORT][STEPS[-2]].best / measured.ladder[SHORT][BARE].best
    has = measured.ladder[SHORT][OURS].best / measured.ladder[SHORT][BARE].best
    long = [part[BEST] + _LONG_STREAM * each[BEST] for part, each in ((ends.ours, delta.ours), (ends.bare, delta.bare))]
    share = ends.ours[MEDIAN] / (ends.ours[MEDIAN] + few * delta.ours[MEDIAN])
    return _table(rows), (
        "All thousand come at once, and one core works through them: the last ones' first event waits for what is done "
        "for the others. So on a core of its own the p99 in milliseconds is about what one stream costs in "
        f"microseconds, and its ratio is that of what a stream of {few} costs; {share:.0%} of it are the two ends. "
        f"With the duties by hand alone such a stream costs {number(least)} times what it costs the bare callable in "
        f"process, in the host {number(has)} times. A stream of {_LONG_STREAM} deltas costs {number(long[0])} µs "
        f"beside {number(long[1])}: {number(long[1] / long[0])} of the bare callable's speed, and "
        f"{number(delta.bare[BEST] / delta.ours[BEST])} without its ends."
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
