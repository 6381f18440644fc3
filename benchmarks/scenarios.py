"""All that is measured, in the order of the report."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from .bursts import Burst
from .chains import Chain
from .measuring import Scenario
from .memory import Idle, OpenStreams, UniqueRequests
from .systems import (
    COALESCING,
    COALESCING_ON_HYPERCORN,
    COALESCING_ONE_WORKER,
    COALESCING_TWO_WORKERS,
    ONE_WORKER,
    ONE_WORKER_ON_POSTGRESQL,
    OURS,
    OURS_ON_HYPERCORN,
    OURS_ON_POSTGRESQL,
    OURS_ON_SQLITE,
    STARLETTE,
    TWO_WORKERS,
    TWO_WORKERS_ON_POSTGRESQL,
    System,
    Target,
)

_ALL = (OURS, STARLETTE, COALESCING)
_PAIR = (OURS, COALESCING)

RAW: Final = Target()
AGENT: Final = Target(agent="agent")

BURSTS: Final[tuple[Scenario, ...]] = (
    Burst("stream, raw stub, c=1", _ALL, RAW, stream=True, concurrency=1),
    Burst("stream, raw stub, c=16", _ALL, RAW, stream=True, concurrency=16),
    Burst("stream, real Agent, c=1", _ALL, AGENT, stream=True, concurrency=1),
    # Sixteen of them take a fifth of a second, whatever a slice is meant to be.
    Burst("stream, real Agent, c=16", _ALL, AGENT, stream=True, concurrency=16, turns=10),
    Burst("JSON, raw stub, c=1", _ALL, RAW, concurrency=1),
    Burst("JSON, raw stub, c=16", _ALL, RAW, concurrency=16),
    Burst("JSON, raw stub, c=64", _ALL, RAW, concurrency=64),
    Burst("JSON, raw stub, c=256", _ALL, RAW, concurrency=256),
    Burst("JSON, real Agent, c=1", _ALL, AGENT, concurrency=1),
    Burst("JSON, real Agent, c=16", _ALL, AGENT, concurrency=16),
    Burst("JSON, real Agent, c=64", _ALL, AGENT, concurrency=64),
)
"""Agents that answer at once."""

HYPERCORN: Final[tuple[Scenario, ...]] = tuple(
    Burst(
        f"{'stream' if stream else 'JSON'}, raw stub, Hypercorn, c=16",
        (OURS_ON_HYPERCORN, COALESCING_ON_HYPERCORN),
        RAW,
        stream=stream,
        concurrency=16,
    )
    for stream in (True, False)
)
"""What `host.serve` runs on."""

CROWDS: Final[tuple[Scenario, ...]] = (
    Burst(
        "stream, raw stub, 20 ms between chunks, c=100",
        _ALL,
        Target(pause=0.02, chunks=100),
        stream=True,
        concurrency=100,
        seconds=0.0,
        # Between two chunks the core has other things to do, and what it forgets meanwhile differs from turn to turn.
        turns=4,
    ),
    Burst(
        "stream of 20 chunks, c=1,000",
        _ALL,
        Target(chunks=20),
        stream=True,
        concurrency=1_000,
        seconds=0.0,
        turns=4,
    ),
    Burst(
        "slow streams, c=5,000",
        _PAIR,
        Target(pause=1.0, chunks=10),
        stream=True,
        concurrency=5_000,
        seconds=0.0,
        turns=2,
        repeats=False,
    ),
)
"""Many streams at once, each asked for once."""

MEMORY: Final[tuple[Scenario, ...]] = (
    Idle("idle process", (OURS, STARLETTE)),
    OpenStreams("memory of open streams, 1 chunk", _PAIR, chunks=1, streams=1_000),
    OpenStreams("memory of open streams, 10,000 chunks", _PAIR, chunks=10_000, streams=50),
    UniqueRequests("memory of unique requests, caches full", _PAIR, kept=1_000, requests=100_000),
)

CHAINS: Final[tuple[Scenario, ...]] = (
    Chain("conversation, raw stub", (OURS, OURS_ON_SQLITE, OURS_ON_POSTGRESQL), RAW, turns=1_000),
    Chain("conversation, real Agent", (OURS, OURS_ON_SQLITE, OURS_ON_POSTGRESQL), AGENT, turns=1_000),
)

_WORKERS = (ONE_WORKER, TWO_WORKERS)
_WORKERS_ON_POSTGRESQL = (ONE_WORKER_ON_POSTGRESQL, TWO_WORKERS_ON_POSTGRESQL)
_LIMIT_WORKERS = (COALESCING_ONE_WORKER, COALESCING_TWO_WORKERS)


def _workers(name: str, systems: Sequence[System], *, stream: bool) -> Burst:
    # At a turn's end one worker may have more left to do than the other, which rests meanwhile: turns are long.
    return Burst(name, systems, AGENT, stream=stream, concurrency=32, seconds=2.0, turns=4)


WORKERS: Final[tuple[Scenario, ...]] = (
    _workers("workers: stream, real Agent, c=32", (*_WORKERS, *_LIMIT_WORKERS), stream=True),
    _workers("workers: JSON, real Agent, c=32", (*_WORKERS, *_WORKERS_ON_POSTGRESQL, *_LIMIT_WORKERS), stream=False),
)
"""What a second worker gains, beside what it gains where nothing is shared."""

SCENARIOS: Final = (*BURSTS, *HYPERCORN, *CROWDS, *MEMORY, *CHAINS, *WORKERS)
