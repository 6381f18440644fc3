"""All that is measured, in the order of the report."""

from __future__ import annotations

from typing import Final

from .bursts import Burst
from .chains import Chain
from .measuring import Scenario
from .memory import Idle, OpenStreams, UniqueRequests
from .systems import (
    COALESCING,
    COALESCING_ON_HYPERCORN,
    ONE_WORKER,
    OURS,
    OURS_ON_HYPERCORN,
    OURS_ON_POSTGRESQL,
    OURS_ON_SQLITE,
    STARLETTE,
    TWO_WORKERS,
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
    Burst("stream, real Agent, c=16", _ALL, AGENT, stream=True, concurrency=16),
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
    ),
    Burst("stream of 20 chunks, c=1,000", _ALL, Target(chunks=20), stream=True, concurrency=1_000, seconds=0.0),
    Burst(
        "slow streams, c=5,000",
        _PAIR,
        Target(pause=1.0, chunks=10),
        stream=True,
        concurrency=5_000,
        seconds=0.0,
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

WORKERS: Final[tuple[Scenario, ...]] = (
    Burst("workers: stream, real Agent, c=32", (ONE_WORKER, TWO_WORKERS), AGENT, stream=True, concurrency=32),
    Burst("workers: JSON, real Agent, c=32", (ONE_WORKER, TWO_WORKERS), AGENT, concurrency=32),
)

SCENARIOS: Final = (*BURSTS, *HYPERCORN, *CROWDS, *MEMORY, *CHAINS, *WORKERS)
