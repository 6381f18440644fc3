"""A conversation that grows: what a turn costs the server, and what is kept of it."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import msgspec

from .answers import check_whole
from .connection import connected
from .load import request
from .machine import cpu_seconds
from .measuring import Measures
from .servers import Running, Servers, serving
from .systems import System, Target

_CHUNKS: Final = 20
_MARKS: Final = (10, 100, 1_000)


@dataclass(frozen=True, slots=True)
class Chain:
    """Turns of which each names the one before.

    The process's CPU around a mark is that of HTTP and of the agent, too: the raw stub costs next to nothing and
    remembers nothing, so that its chain tells of the host, and the real agent's of what a conversation costs at all.
    """

    name: str
    systems: Sequence[System]
    target: Target
    turns: int
    repeats: bool = False

    def measured(self, servers: Servers) -> Mapping[str, Measures]:
        """Return the CPU of a turn around the marks, and what is kept of each."""
        del servers
        return {system.name: self._measured(system) for system in self.systems}

    def _measured(self, system: System) -> Measures:
        with serving(system, replace(self.target, chunks=_CHUNKS)) as server:
            measures, said = asyncio.run(self._taken(server))
            if server.database is not None:
                measures |= _kept(server.database, said=said)
        return measures

    def quick(self) -> Chain:
        """Return it with few turns."""
        return replace(self, turns=20)

    async def _taken(self, server: Running) -> tuple[dict[str, float], float]:
        measures: dict[str, float] = {}
        connection, previous, said = await connected(server.port), None, 0
        around = {mark: (mark - min(9, mark // 10), mark + mark // 10) for mark in _MARKS}
        since = dict[int, float]()
        last_turn = max(self.turns + self.turns // 10, 11)
        for number in range(1, last_turn + 1):
            for mark, (first, _) in around.items():
                if number == first:
                    since[mark] = cpu_seconds(server.pid)
            asked = {"model": "stub", "input": f"Turn {number}: say something.", "previous_response_id": previous}
            body = (await connection.ask(request(asked))).body()
            check_whole(body, chunks=_CHUNKS)
            said += len(body) + len(asked["input"] or "")
            previous = msgspec.json.decode(body)["id"]
            for mark, (first, last) in around.items():
                if number == last:
                    used = cpu_seconds(server.pid) - since[mark]
                    measures[f"CPU ms at turn {mark:,}"] = 1e3 * used / (last - first + 1)
        connection.close()
        return measures, said / last_turn


def _kept(database: Path, *, said: float) -> dict[str, float]:
    """Return the bytes that the first and the last turns keep, and how many times what was said that is."""
    query = "SELECT length(added) + coalesce(length(rest), 0) + length(record) FROM af_turn ORDER BY number"
    connection = sqlite3.connect(database)
    try:
        rows = [row[0] for row in connection.execute(query)]
    finally:
        connection.close()
    few = max(1, len(rows) // 20)
    first, last = sum(rows[1 : 1 + few]) / few, sum(rows[-few:]) / few
    return {"bytes kept, first": first, "bytes kept, last": last, "kept : said": last / said}
