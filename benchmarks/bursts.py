"""Connections that ask again and again, or once: how many items per second, at which cost, and how soon the first."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import msgspec

from .load import Address, Figures
from .measuring import Measures
from .servers import ROOT, Running, Servers
from .systems import System, Target

_WARM: Final = 1.0
_IDLE: Final = 0.02
"""The part of a core that a server may take while others are asked, before it is said to disturb them."""


@dataclass(frozen=True, slots=True)
class Burst:
    """A load for some seconds on each system; with 0 seconds every connection asks once a turn.

    The systems take turns, an even number of them, every other one in the opposite order.
    """

    name: str
    systems: Sequence[System]
    target: Target
    concurrency: int
    stream: bool = False
    seconds: float = 1.0
    turns: int = 20
    repeats: bool = True

    def measured(self, servers: Servers) -> Mapping[str, Measures]:
        """Put the load on the systems; an item is a delta of a stream, or a whole answer."""
        kept = [servers.kept(system, self.target) for system in self.systems]
        if fresh := [server for server, is_new in kept if is_new]:
            warming = replace(self, seconds=min(self.seconds, _WARM), concurrency=min(self.concurrency, 16), turns=1)
            _loaded(warming, fresh)
        figures = _loaded(self, [server for server, _ in kept])
        names = [system.name for system in self.systems]
        return {name: self._measures(name, each) for name, each in zip(names, figures, strict=True)}

    def quick(self) -> Burst:
        """Return it with few connections for a moment."""
        target = replace(self.target, pause=min(self.target.pause, 1e-4))
        seconds, concurrency = min(self.seconds, 0.05), min(self.concurrency, 4)
        return replace(self, target=target, seconds=seconds, concurrency=concurrency, turns=2)

    def _measures(self, system: str, figures: Figures) -> Measures:
        if figures.idle > _IDLE:
            disturbs = f"took {100 * figures.idle:.1f} % of a core while others were asked"
            print(f"{self.name}: {system} {disturbs}: it disturbs their figures.", file=sys.stderr)
        return {
            "per second": figures.items_per_second,
            "CPU µs": figures.cpu_us_per_item,
            "bytes": figures.bytes_per_item,
            "first byte p50 ms": figures.first_ms_p50,
            "first byte p99 ms": figures.first_ms_p99,
            "answer p50 ms": figures.took_ms_p50,
        }


def _loaded(burst: Burst, servers: Sequence[Running]) -> list[Figures]:
    options = {"concurrency": burst.concurrency, "seconds": burst.seconds, "turns": burst.turns}
    command = [sys.executable, "-m", "benchmarks.load", *(str(Address(each.port, each.pids())) for each in servers)]
    for name, value in {**options, "chunks": burst.target.chunks}.items():
        command += [f"--{name}", str(value)]
    command += ["--stream"] if burst.stream else []
    done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{burst.name}: the load failed.\n{done.stderr}")
    return msgspec.json.decode(done.stdout, type=list[Figures])
