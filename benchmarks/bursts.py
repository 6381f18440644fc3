"""Connections that ask again and again, or once: how many items per second, at which cost, and how soon the first."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace

import msgspec

from .load import Figures
from .measuring import Measures
from .servers import ROOT, Running, Servers
from .systems import System, Target

WARM = 1.0


@dataclass(frozen=True, slots=True)
class Burst:
    """A load for some seconds; with 0 seconds every connection asks once."""

    name: str
    systems: Sequence[System]
    target: Target
    concurrency: int
    stream: bool = False
    seconds: float = 1.0
    repeats: bool = True

    def measured(self, servers: Servers, system: System) -> Measures:
        """Put the load on the system; an item is a delta of a stream, or a whole answer."""
        server, is_new = servers.kept(system, self.target)
        if is_new:
            self._loaded(server, seconds=min(self.seconds, WARM), concurrency=min(self.concurrency, 16))
        figures = self._loaded(server, seconds=self.seconds, concurrency=self.concurrency)
        return {
            "per second": figures.items_per_second,
            "CPU µs": figures.cpu_us_per_item,
            "bytes": figures.bytes_per_item,
            "first byte p50 ms": figures.first_ms_p50,
            "first byte p99 ms": figures.first_ms_p99,
            "answer p50 ms": figures.took_ms_p50,
        }

    def quick(self) -> Burst:
        """Return it with few connections for a moment."""
        target = replace(self.target, pause=min(self.target.pause, 1e-4))
        return replace(self, target=target, seconds=min(self.seconds, 0.05), concurrency=min(self.concurrency, 4))

    def _loaded(self, server: Running, *, seconds: float, concurrency: int) -> Figures:
        options = ["--concurrency", str(concurrency), "--seconds", str(seconds), "--chunks", str(self.target.chunks)]
        command = [sys.executable, "-m", "benchmarks.load", str(server.port), *map(str, server.pids()), *options]
        if self.stream:
            command.append("--stream")
        done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(f"{self.name}: the load failed.\n{done.stderr}")
        return msgspec.json.decode(done.stdout, type=Figures)
