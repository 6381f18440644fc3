"""What a process holds: idle, for an open stream, and after many requests that have nothing in common."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from .answers import WrongAnswer, check_whole
from .connection import Connection, connected
from .load import request
from .machine import allow_files, resident_bytes
from .measuring import Measures
from .servers import Running, Servers, serving
from .systems import System, Target

_CALM: Final = 1.0
_SAMPLES: Final = 20
_PATIENCE: Final = 600.0
_STREAM: Final = {"model": "stub", "input": "Say something.", "stream": True}
_WHOLE: Final = {"model": "stub", "input": "Say something."}
_DELTA: Final = b"event: response.output_text.delta"


@dataclass(frozen=True, slots=True)
class Idle:
    """A process that has answered once."""

    name: str
    systems: Sequence[System]
    repeats: bool = False

    def measured(self, servers: Servers) -> Mapping[str, Measures]:
        """Return what it holds."""
        del servers
        return {system.name: {"MiB": self._measured(system) / 2**20} for system in self.systems}

    def quick(self) -> Idle:
        """Return it as it is."""
        return self

    def _measured(self, system: System) -> int:
        with _started(system, Target(chunks=20)) as server:
            _answer_once(server, chunks=20)
            return resident_bytes(server.pid)


@dataclass(frozen=True, slots=True)
class OpenStreams:
    """Streams that have sent their chunks, and stay open."""

    name: str
    systems: Sequence[System]
    chunks: int
    streams: int
    repeats: bool = False

    def measured(self, servers: Servers) -> Mapping[str, Measures]:
        """Return what each of them holds."""
        del servers
        allow_files(2 * self.streams)
        return {system.name: {"KiB each": self._measured(system) / 2**10} for system in self.systems}

    def quick(self) -> OpenStreams:
        """Return it with few streams of few chunks."""
        return replace(self, chunks=min(self.chunks, 20), streams=4)

    def _measured(self, system: System) -> float:
        with _started(system, Target(chunks=self.chunks, holds=True)) as server:
            return asyncio.run(self._held(server))

    async def _held(self, server: Running) -> float:
        # The first streams fill what all of them share.
        warm = [await self._opened(server) for _ in range(2)]
        before = resident_bytes(server.pid)
        opened = [await self._opened(server) for _ in range(self.streams)]
        await asyncio.sleep(_CALM)
        held = resident_bytes(server.pid) - before
        for connection in (*warm, *opened):
            connection.close()
        return held / self.streams

    async def _opened(self, server: Running) -> Connection:
        connection = await connected(server.port)
        async with asyncio.timeout(_PATIENCE):
            await connection.read(request(_STREAM), until=_DELTA, times=self.chunks)
        return connection


@dataclass(frozen=True, slots=True)
class UniqueRequests:
    """Requests of which each begins a conversation of its own, when what is kept has reached its bound."""

    name: str
    systems: Sequence[System]
    kept: int
    requests: int
    repeats: bool = False

    def measured(self, servers: Servers) -> Mapping[str, Measures]:
        """Return how much more the process holds with each of them."""
        del servers
        return {system.name: {"bytes each": self._measured(system)} for system in self.systems}

    def quick(self) -> UniqueRequests:
        """Return it with few requests."""
        return replace(self, kept=20, requests=100)

    def _measured(self, system: System) -> float:
        with _started(system, Target(chunks=20), "--kept", str(self.kept)) as server:
            return asyncio.run(self._growth(server))

    async def _growth(self, server: Running) -> float:
        await _answered(server, requests=5 * self.kept, concurrency=16, chunks=20)
        held: list[tuple[int, int]] = []
        each = self.requests // _SAMPLES
        for number in range(_SAMPLES):
            await _answered(server, requests=each, concurrency=16, chunks=20)
            held.append(((number + 1) * each, resident_bytes(server.pid)))
        return slope(held)


def slope(points: Sequence[tuple[float, float]]) -> float:
    """Return the slope of the straight line that fits the points best."""
    middle = sum(x for x, _ in points) / len(points)
    height = sum(y for _, y in points) / len(points)
    spread = sum((x - middle) ** 2 for x, _ in points)
    return sum((x - middle) * (y - height) for x, y in points) / spread


@contextmanager
def _started(system: System, target: Target, *options: str) -> Generator[Running]:
    """Serve a system from compiled modules, as all but the first start of an installation do.

    A compiler leaves megabytes behind, which count as the process's own, and which all that comes fills first. An
    environment that forbids writing compiled modules would have every start compile.
    """
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        compiled = Path(folder)
        with serving(system, target, *options, compiled=compiled) as server:
            _answer_once(server, chunks=target.chunks)
        with serving(system, target, *options, compiled=compiled) as server:
            yield server


def _answer_once(server: Running, *, chunks: int) -> None:
    asyncio.run(_answered(server, requests=1, concurrency=1, chunks=chunks))


async def _answered(server: Running, *, requests: int, concurrency: int, chunks: int) -> None:
    left, asked = iter(range(requests)), request(_WHOLE)

    async def ask() -> None:
        connection = await connected(server.port)
        for _ in left:
            check_whole((await connection.ask(asked)).body(), chunks=chunks)
        connection.close()

    await asyncio.gather(*(ask() for _ in range(concurrency)))
    if next(left, None) is not None:
        raise WrongAnswer("Not all of the requests were sent.")
