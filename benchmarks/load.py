"""The load: connections that ask again and again, in a process of its own on another core than the server's.

    python -m benchmarks.load PORT PID... --stream --concurrency 16 --seconds 2

Answers are kept as they came and checked when the clock has stopped, every one of them. Prints the figures as JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median, quantiles
from typing import Any

import msgspec

from .answers import check_stream, check_whole
from .connection import Connection, Exchange, connected
from .machine import allow_files, cpu_seconds_of, pin
from .systems import KEY


@dataclass(frozen=True, slots=True)
class Figures:
    """What one measurement gave. An item is one delta of a stream, or one whole answer."""

    answers: int
    items_per_second: float
    cpu_us_per_item: float
    """Processor time of the server."""
    bytes_per_item: float
    first_ms_p50: float
    """Until the first byte of an answer's body."""
    first_ms_p99: float
    took_ms_p50: float


@dataclass(frozen=True, slots=True)
class Load:
    """Whom to ask, for what, and for how long; every connection asks at least once."""

    port: int
    pids: Sequence[int]
    stream: bool
    concurrency: int
    seconds: float
    chunks: int = 200

    def measured(self) -> Figures:
        """Put the load on the server and return what came of it.

        Raises:
            WrongAnswer: An answer was not what it must be.
        """
        return asyncio.run(self._measured())

    async def _measured(self) -> Figures:
        connections = [await connected(self.port) for _ in range(self.concurrency)]
        cpu, start = cpu_seconds_of(self.pids), time.perf_counter()
        until = start + self.seconds
        asking = [self._ask(connection, until=until) for connection in connections]
        exchanges = [exchange for each in await asyncio.gather(*asking) for exchange in each]
        cpu, wall = cpu_seconds_of(self.pids) - cpu, time.perf_counter() - start
        for connection in connections:
            connection.close()
        bodies = [exchange.body() for exchange in exchanges]
        for body in bodies:
            (check_stream if self.stream else check_whole)(body, chunks=self.chunks)
        return self._figures(exchanges, cpu=cpu, wall=wall)

    async def _ask(self, connection: Connection, *, until: float) -> Sequence[Exchange]:
        asked = request({"model": "stub", "input": "Say something.", "stream": self.stream})
        exchanges = [await connection.ask(asked)]
        while time.perf_counter() < until:
            exchanges.append(await connection.ask(asked))
        return exchanges

    def _figures(self, exchanges: Sequence[Exchange], *, cpu: float, wall: float) -> Figures:
        items = len(exchanges) * (self.chunks if self.stream else 1)
        first = [1e3 * (exchange.first - exchange.asked) for exchange in exchanges]
        return Figures(
            answers=len(exchanges),
            items_per_second=items / wall,
            cpu_us_per_item=1e6 * cpu / items,
            bytes_per_item=sum(len(exchange.raw) for exchange in exchanges) / items,
            first_ms_p50=median(first),
            first_ms_p99=quantiles(first, n=100, method="inclusive")[-1] if len(first) > 1 else first[0],
            took_ms_p50=median(1e3 * (exchange.ended - exchange.asked) for exchange in exchanges),
        )


def request(asked: dict[str, Any]) -> bytes:
    """Return a request that creates a response."""
    body = msgspec.json.encode(asked)
    head = (
        "POST /responses HTTP/1.1",
        "host: 127.0.0.1",
        "content-type: application/json",
        f"authorization: Bearer {KEY}",
        f"content-length: {len(body)}",
    )
    return "\r\n".join(head).encode() + b"\r\n\r\n" + body


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("port", type=int)
    parser.add_argument("pids", type=int, nargs="+")
    parser.add_argument("--stream", action="store_true")
    parser.add_argument("--concurrency", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=0.0, help="0: every connection asks once")
    parser.add_argument("--chunks", type=int, default=200, help="chunks of a right answer")
    pin(1)
    allow_files(8192)
    figures = Load(**vars(parser.parse_args())).measured()
    print(msgspec.json.encode(figures).decode())


if __name__ == "__main__":
    main()
