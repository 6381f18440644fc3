"""The load: connections that ask again and again, in a process of its own on another core than the server's.

    python -m benchmarks.load PORT PID --stream --concurrency 16 --seconds 2

Answers are kept as they came and checked when the clock has stopped, every one of them. Prints the figures as JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median, quantiles

import msgspec

from .answers import CHUNKS, check_stream, check_whole
from .connection import Connection, Exchange
from .machine import cpu_seconds, pin


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
    pid: int
    stream: bool
    concurrency: int
    seconds: float

    def measured(self) -> Figures:
        """Put the load on the server and return what came of it.

        Raises:
            WrongAnswer: An answer was not what it must be.
        """
        return asyncio.run(self._measured())

    async def _measured(self) -> Figures:
        connections = [await self._connected() for _ in range(self.concurrency)]
        cpu, start = cpu_seconds(self.pid), time.perf_counter()
        until = start + self.seconds
        asking = [self._ask(connection, until=until) for connection in connections]
        exchanges = [exchange for each in await asyncio.gather(*asking) for exchange in each]
        cpu, wall = cpu_seconds(self.pid) - cpu, time.perf_counter() - start
        for connection in connections:
            connection.close()
        bodies = [exchange.body() for exchange in exchanges]
        for body in bodies:
            (check_stream if self.stream else check_whole)(body)
        return self._figures(exchanges, cpu=cpu, wall=wall)

    async def _connected(self) -> Connection:
        _, connection = await asyncio.get_running_loop().create_connection(Connection, "127.0.0.1", self.port)
        return connection

    async def _ask(self, connection: Connection, *, until: float) -> Sequence[Exchange]:
        exchanges = [await connection.ask(self._request())]
        while time.perf_counter() < until:
            exchanges.append(await connection.ask(self._request()))
        return exchanges

    def _request(self) -> bytes:
        body = msgspec.json.encode({"model": "stub", "input": "Say something.", "stream": self.stream})
        head = f"POST /responses HTTP/1.1\r\nhost: 127.0.0.1:{self.port}\r\ncontent-type: application/json\r\n"
        return f"{head}content-length: {len(body)}\r\n\r\n".encode() + body

    def _figures(self, exchanges: Sequence[Exchange], *, cpu: float, wall: float) -> Figures:
        items = len(exchanges) * (CHUNKS if self.stream else 1)
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


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("port", type=int)
    parser.add_argument("pid", type=int)
    parser.add_argument("--stream", action="store_true")
    parser.add_argument("--concurrency", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=0.0, help="0: every connection asks once")
    pin(1)
    figures = Load(**vars(parser.parse_args())).measured()
    print(msgspec.json.encode(figures).decode())


if __name__ == "__main__":
    main()
