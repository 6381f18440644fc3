"""The load: one process that asks several servers in turn, each in slices of a moment, on another core than theirs.

    python -m benchmarks.load PORT:PID,PID PORT:PID --stream --concurrency 16 --seconds 1 --turns 20

A machine's speed may drift by a factor of two within seconds. Servers that are asked slice by slice share every drift,
so that what they have in proportion to each other holds. Connections stay open from the first slice to the last.

Answers are kept as they came and checked when the clock has stopped, every one of them. Prints each server's figures as
JSON, in the order of the servers.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median, quantiles
from typing import Any, Final, Self

import msgspec

from .answers import check_stream, check_whole
from .connection import Connection, Exchange, connected
from .machine import allow_files, cpu_seconds_of, pin
from .systems import KEY

_CALM: Final = 0.002
_STILL: Final = 0.05
"""The part of a core below which a server has come to rest."""
_LOOKS: Final = 100
FILES: Final = 16_384
"""Files that the largest crowd takes: its connections to two servers are open at once."""


@dataclass(frozen=True, slots=True)
class Figures:
    """What one server gave. An item is one delta of a stream, or one whole answer.

    Speed and processor time are sums over all slices, percentiles are of all answers.
    """

    answers: int
    items_per_second: float
    cpu_us_per_item: float
    """Processor time of the server, what it did right behind its last byte included."""
    bytes_per_item: float
    first_ms_p50: float
    """Until the first byte of an answer's body."""
    first_ms_p99: float
    took_ms_p50: float
    idle: float
    """The part of a core that the server took while others were asked."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where a server listens, and the processes whose time it takes."""

    port: int
    pids: Sequence[int]

    @classmethod
    def read(cls, written: str) -> Self:
        """Return what `str` wrote."""
        port, _, pids = written.partition(":")
        return cls(int(port), [int(pid) for pid in pids.split(",")])

    def __str__(self) -> str:
        return f"{self.port}:{','.join(map(str, self.pids))}"


@dataclass(slots=True)
class _Asked:
    """One server under load, and what has come of its slices."""

    pids: Sequence[int]
    connections: Sequence[Connection]
    exchanges: list[Exchange] = field(default_factory=list[Exchange])
    cpu: float = 0.0
    wall: float = 0.0

    async def ask(self, request: bytes, *, seconds: float) -> None:
        """Let every connection ask for so long, at least once."""
        cpu, start = cpu_seconds_of(self.pids), time.perf_counter()
        await asyncio.gather(*(self._ask(each, request, until=start + seconds) for each in self.connections))
        self.wall += time.perf_counter() - start
        # What it still does is its own: it must fall neither to the next one nor to nobody.
        self.cpu += await _at_rest(self.pids) - cpu

    async def _ask(self, connection: Connection, request: bytes, *, until: float) -> None:
        self.exchanges.append(await connection.ask(request))
        while time.perf_counter() < until:
            self.exchanges.append(await connection.ask(request))


@dataclass(frozen=True, slots=True)
class Load:
    """Whom to ask, for what, how long each in all, and in how many turns; a connection asks at least once a turn."""

    servers: Sequence[Address]
    stream: bool
    concurrency: int
    seconds: float
    turns: int = 1
    chunks: int = 200

    def measured(self) -> list[Figures]:
        """Put the load on the servers and return what came of each.

        Raises:
            WrongAnswer: An answer was not what it must be.
        """
        return asyncio.run(self._measured())

    async def _measured(self) -> list[Figures]:
        servers = [await self._opened(each) for each in self.servers]
        asked = request({"model": "stub", "input": "Say something.", "stream": self.stream})
        cpu, start = [await _at_rest(each.pids) for each in servers], time.perf_counter()
        for turn in range(self.turns):
            # Every other time the other way round, so that nobody is always the first or the last.
            for server in servers if turn % 2 == 0 else reversed(servers):
                await server.ask(asked, seconds=self.seconds / self.turns)
        wall = time.perf_counter() - start
        cpu = [cpu_seconds_of(each.pids) - before for each, before in zip(servers, cpu, strict=True)]
        figures = [self._figures(each, cpu=used, wall=wall) for each, used in zip(servers, cpu, strict=True)]
        for connection in (connection for each in servers for connection in each.connections):
            connection.close()
        return figures

    async def _opened(self, server: Address) -> _Asked:
        return _Asked(server.pids, [await connected(server.port) for _ in range(self.concurrency)])

    def _figures(self, server: _Asked, *, cpu: float, wall: float) -> Figures:
        exchanges, check = server.exchanges, check_stream if self.stream else check_whole
        for exchange in exchanges:
            check(exchange.body(), chunks=self.chunks)
        items = len(exchanges) * (self.chunks if self.stream else 1)
        first = [1e3 * (exchange.first - exchange.asked) for exchange in exchanges]
        return Figures(
            answers=len(exchanges),
            items_per_second=items / server.wall,
            cpu_us_per_item=1e6 * server.cpu / items,
            bytes_per_item=sum(len(exchange.raw) for exchange in exchanges) / items,
            first_ms_p50=median(first),
            first_ms_p99=quantiles(first, n=100, method="inclusive")[-1] if len(first) > 1 else first[0],
            took_ms_p50=median(1e3 * (exchange.ended - exchange.asked) for exchange in exchanges),
            idle=(cpu - server.cpu) / (wall - server.wall),
        )


async def _at_rest(pids: Sequence[int]) -> float:
    """Wait until these processes have come to rest, for a moment at most; return the time that they have used."""
    used = cpu_seconds_of(pids)
    for _ in range(_LOOKS):
        await asyncio.sleep(_CALM)
        before, used = used, cpu_seconds_of(pids)
        if used - before < _STILL * _CALM:
            break
    return used


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
    parser.add_argument("servers", type=Address.read, nargs="+", help="PORT:PID,PID")
    parser.add_argument("--stream", action="store_true")
    parser.add_argument("--concurrency", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=0.0, help="of each; 0: every connection asks once a turn")
    parser.add_argument("--turns", type=int, default=1, help="into how many slices that is cut")
    parser.add_argument("--chunks", type=int, default=200, help="chunks of a right answer")
    pin(1)
    allow_files(FILES)
    # A pause of this process would be one of the servers'.
    gc.disable()
    figures = Load(**vars(parser.parse_args())).measured()
    print(msgspec.json.encode(figures).decode())


if __name__ == "__main__":
    main()
