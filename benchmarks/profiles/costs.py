"""The processor time of requests, ours and the bare callable's, in slices that take turns, and samples of it."""

from __future__ import annotations

import asyncio
import gc
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from statistics import median
from typing import Final, Literal

import msgspec
from starlette.types import ASGIApp

from ..answers import check_stream, check_whole
from ..limits import coalescing_app, starlette_app
from ..ours import make_host
from ..targets import make_target
from .areas import UNNAMED
from .asking import STREAM, WHOLE, Asked, ask
from .floor import RUNGS, Floor
from .sampling import Sampler, counted_calls

AgentName = Literal["raw", "agent"]
AGENTS: Final[tuple[AgentName, ...]] = ("raw", "agent")
OURS: Final = "ours"
BARE: Final = "bare"
STARLETTE: Final = "starlette"
BY_HAND: Final = str(len(RUNGS))
STEPS: Final = (BARE, *map(str, range(len(RUNGS) + 1)), OURS)
"""What the ladder has: the bare callable, the floor with so many rungs, and ours."""
KEPT: Final = 1_000
"""Sessions and turns that are kept, so that what is kept is soon at its bound."""

_WARM: Final = 3
_COUNTED: Final = 4


@dataclass(frozen=True, slots=True)
class Load:
    """Requests of one kind.

    Args:
        chunks: Updates of an answer.
        stream: Whether streams are asked for, or whole answers.
        pause: Seconds before each of them.
        at_once: How many are asked at once.
        times: How often, in one slice.
    """

    chunks: int
    stream: bool = True
    pause: float = 0.0
    at_once: int = 1
    times: int = 1

    @property
    def requests(self) -> int:
        """How many requests a slice has."""
        return self.at_once * self.times

    async def put_on(self, app: ASGIApp) -> list[Asked]:
        """Ask, and return all answers."""
        body = STREAM if self.stream else WHOLE
        answers: list[Asked] = []
        for _ in range(self.times):
            # Each in a task of its own, as servers have it.
            answers += await asyncio.gather(*(ask(app, body) for _ in range(self.at_once)))
        return answers

    def check(self, answers: Sequence[Asked]) -> None:
        """Raise `WrongAnswer` unless each answer is right."""
        check = check_stream if self.stream else check_whole
        for answer in answers:
            check(answer.right_body(), chunks=self.chunks)


WHOLE_ANSWER: Final = "a whole answer"
SHORT: Final = "a short stream"
MIDDLE: Final = "a stream of 200"
LONG: Final = "a long stream"
PACED_SHORT: Final = "a short stream at a model's pace"
PACED_LONG: Final = "a long stream at a model's pace"
CROWD: Final = "a stream among a thousand"
CHUNKS: Final[Mapping[str, int]] = {
    WHOLE_ANSWER: 20,
    SHORT: 20,
    MIDDLE: 200,
    LONG: 420,
    PACED_SHORT: 10,
    PACED_LONG: 60,
    CROWD: 20,
}


def loads(agent: AgentName, *, quick: bool) -> dict[str, Load]:
    """Return what is put on, by its name; every slice takes some hundredths of a second."""
    few = 1 if quick else 10 if agent == "agent" else 30
    at_once, pause = (5, 0.001) if quick else (100, 0.02)
    return {
        WHOLE_ANSWER: Load(CHUNKS[WHOLE_ANSWER], stream=False, times=2 * few),
        SHORT: Load(CHUNKS[SHORT], times=few),
        MIDDLE: Load(CHUNKS[MIDDLE], times=max(1, few // 3)),
        LONG: Load(CHUNKS[LONG], times=max(1, few // 5)),
        PACED_SHORT: Load(CHUNKS[PACED_SHORT], pause=pause, at_once=at_once),
        PACED_LONG: Load(CHUNKS[PACED_LONG], pause=pause, at_once=at_once),
        CROWD: Load(CHUNKS[CROWD], at_once=10 if quick else 1_000),
    }


class Slices(msgspec.Struct):
    """What the slices of one load on one system gave.

    `us` is the CPU of a request in each slice; `first_ms` says when 99 of 100 answers had begun.
    """

    us: list[float]
    first_ms: list[float]
    samples: dict[str, int]
    calls: dict[str, float]

    @property
    def best(self) -> float:
        """CPU µs of a request in the best slice."""
        return min(self.us)

    @property
    def median(self) -> float:
        """CPU µs of a request in the middle one."""
        return median(self.us)

    def by_area(self) -> dict[str, float]:
        """Return the µs of a request that each area has of the median, by its samples."""
        total = sum(self.samples.values())
        return {area: self.median * count / total for area, count in self.samples.items()} if total else {}


class Measured(msgspec.Struct):
    """All slices with one agent: by load, by system. `ladder` has those of every number of rungs, and of ours."""

    slices: dict[str, dict[str, Slices]]
    ladder: dict[str, dict[str, Slices]]

    @property
    def unnamed_share(self) -> float:
        """The part of all of ours' samples that are in no area."""
        counts = Counter[str]()
        for systems in self.slices.values():
            counts.update(systems[OURS].samples)
        return counts[UNNAMED] / max(1, counts.total())


async def measure(agent: AgentName, *, rounds: int, quick: bool) -> Measured:
    """Measure all loads with this agent."""
    wanted = loads(agent, quick=quick)
    slow = {name: wanted.pop(name) for name in (PACED_SHORT, PACED_LONG, CROWD)}
    middle = {MIDDLE: wanted.pop(MIDDLE)}
    slices = await _measured(agent, wanted, (OURS, BY_HAND, BARE), rounds=rounds)
    # A slice of these takes a second.
    slices |= await _measured(agent, slow, (OURS, BY_HAND, BARE), rounds=max(1, rounds // 20))
    slices |= await _measured(agent, middle, (OURS, BY_HAND, STARLETTE, BARE), rounds=max(1, rounds // 4))
    steps = {name: wanted[name] for name in (WHOLE_ANSWER, SHORT)}
    return Measured(slices, await _measured(agent, steps, STEPS, rounds=max(1, rounds // 3)))


async def _measured(
    agent: AgentName, wanted: Mapping[str, Load], systems: Sequence[str], *, rounds: int
) -> dict[str, dict[str, Slices]]:
    counts = {name: {system: Counter[str]() for system in systems} for name in wanted}
    results = {name: {system: Slices([], [], {}, {}) for system in systems} for name in wanted}
    sampler = Sampler()
    async with AsyncExitStack() as stack:
        apps = {
            (name, system): await _app(system, agent, load, stack)
            for name, load in wanted.items()
            for system in systems
        }
        for (name, system), app in apps.items():
            results[name][system].calls = await _calls(app, wanted[name])
        # What the interpreter and the imports have made is nobody's to be looked through.
        gc.collect()
        gc.freeze()
        with sampler.running():
            for number in range(rounds):
                # Every other round the other way round, so that nobody is always the first or the last.
                for (name, system), app in list(apps.items())[:: 1 if number % 2 == 0 else -1]:
                    await _slice(app, wanted[name], results[name][system], sampler, counts[name][system])
        gc.unfreeze()
    for (name, system), into in ((key, results[key[0]][key[1]]) for key in apps):
        into.samples = dict(counts[name][system])
    return results


async def _app(system: str, agent: AgentName, load: Load, stack: AsyncExitStack) -> ASGIApp:
    target = make_target(agent, chunks=load.chunks, pause=load.pause)
    if system == OURS:
        return (await stack.enter_async_context(make_host(target, kept=KEPT))).app
    if system in (BARE, STARLETTE):
        return coalescing_app(target) if system == BARE else starlette_app(target)
    return Floor(target, rungs=int(system), kept=KEPT)


async def _slice(app: ASGIApp, load: Load, into: Slices, sampler: Sampler, samples: Counter[str]) -> None:
    sampler.into = samples
    # The thread's clock: the process's own moves in ticks while the sampler's timer runs. Nothing runs beside it.
    began, used = time.perf_counter(), time.thread_time_ns()
    answers = await load.put_on(app)
    into.us.append((time.thread_time_ns() - used) / load.requests / 1_000)
    sampler.into = None
    firsts = sorted(answer.first_at - began for answer in answers if answer.first_at is not None)
    into.first_ms.append(1_000 * firsts[99 * len(firsts) // 100])
    load.check(answers)


async def _calls(app: ASGIApp, load: Load) -> dict[str, float]:
    """Return the calls of Python functions of a request by area, once what is made once is there."""
    few = replace(load, at_once=min(load.at_once, _COUNTED), times=1)
    for _ in range(_WARM):
        load.check(await few.put_on(app))
    with counted_calls() as calls:
        await few.put_on(app)
    return {area: count / few.requests for area, count in calls.items()}
