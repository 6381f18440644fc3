"""Hours of work at a part of what the host can carry: memory has to stay flat, and every answer right.

Half of the answers are streams, half are whole, and every fourth continues the conversation of one before.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from statistics import quantiles
from typing import Any, Final

import msgspec

from .answers import check_stream, check_whole
from .connection import Connection, connected
from .load import request
from .machine import allow_files, cpu_seconds, resident_bytes
from .memory import slope
from .servers import Running, serving
from .systems import OURS, Target

_CHUNKS: Final = 50
_LOAD: Final = 0.7
_CONNECTIONS: Final = 32
_SAMPLES: Final = 60
_KEPT: Final = 2_000
"""Sessions and turns in memory: reached within the first minute, so that what grows afterwards is a leak."""


class Soaked(msgspec.Struct):
    """What came of it. Memory is told from the moment at which what is kept has reached its bound."""

    seconds: float
    answers: int
    asked_per_second: float
    cpu_of_a_core: float
    p50_ms: float
    p99_ms: float
    mib_first: float
    mib_last: float
    bytes_per_answer: float


@dataclass(slots=True)
class _Work:
    took: list[float] = field(default_factory=list[float])
    answers: int = 0
    last: str | None = None


def soak(seconds: float) -> Soaked:
    """Measure the most that the host carries, then let it carry 70 % of that for so long.

    Raises:
        WrongAnswer: An answer was not what it must be.
    """
    allow_files(1024)
    with serving(OURS, Target(chunks=_CHUNKS), "--kept", str(_KEPT)) as server:
        return asyncio.run(_soak(server, seconds))


async def _soak(server: Running, seconds: float) -> Soaked:
    connections = [await connected(server.port) for _ in range(_CONNECTIONS)]
    most = await _most(connections, min(5.0, seconds / 2))
    work, held = _Work(), list[tuple[float, float]]()
    cpu, start = cpu_seconds(server.pid), time.perf_counter()
    pace = _LOAD * most / _CONNECTIONS
    asking = [
        asyncio.create_task(_ask_at_pace(connection, work, index / most, pace, start + seconds))
        for index, connection in enumerate(connections)
    ]
    while time.perf_counter() < start + seconds:
        await asyncio.sleep(seconds / _SAMPLES)
        if work.answers >= 2 * _KEPT or seconds < _SAMPLES:
            held.append((work.answers, resident_bytes(server.pid)))
    await asyncio.gather(*asking)
    wall, used = time.perf_counter() - start, cpu_seconds(server.pid) - cpu
    for connection in connections:
        connection.close()
    percentiles = quantiles(work.took, n=100, method="inclusive")
    return Soaked(
        seconds=wall,
        answers=work.answers,
        asked_per_second=work.answers / wall,
        cpu_of_a_core=used / wall,
        p50_ms=1e3 * percentiles[49],
        p99_ms=1e3 * percentiles[98],
        mib_first=held[0][1] / 2**20,
        mib_last=held[-1][1] / 2**20,
        bytes_per_answer=slope(held),
    )


async def _most(connections: list[Connection], seconds: float) -> float:
    work, until = _Work(), time.perf_counter() + seconds

    async def ask(connection: Connection) -> None:
        while time.perf_counter() < until:
            await _ask(connection, work)

    await asyncio.gather(*map(ask, connections))
    return work.answers / seconds


async def _ask_at_pace(connection: Connection, work: _Work, delay: float, pace: float, until: float) -> None:
    due = time.perf_counter() + delay
    while due < until:
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        await _ask(connection, work)
        due += 1 / pace


async def _ask(connection: Connection, work: _Work) -> None:
    number = work.answers
    work.answers += 1
    asked: dict[str, Any] = {"model": "stub", "input": f"Question {number}.", "stream": number % 2 == 0}
    if number % 4 == 1 and work.last is not None:
        asked["previous_response_id"], work.last = work.last, None
    exchange = await connection.ask(request(asked))
    (check_stream if asked["stream"] else check_whole)(exchange.body(), chunks=_CHUNKS)
    if not asked["stream"]:
        work.last = msgspec.json.decode(exchange.body())["id"]
    work.took.append(exchange.ended - exchange.asked)
