"""Measures one line of turns over several processes on one database, beside the same turns without a line.

    python -m benchmarks.lines sqlite:///./lines.db --processes 1 3 --turns 400

All turns are sent at once. With the line they belong to one session; without it every turn has one of its own. The
agent answers at once with the times at which it began and ended, so that what lies between two turns of the line is the
hand-over: commit, wake, open, start.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from statistics import median, quantiles
from typing import Any, Final
from uuid import uuid4

from agent_framework import AgentResponse, AgentSession, Message

from agent_framework_hosting.host import AgentFrameworkHost
from agent_framework_hosting.limits import Limits
from agent_framework_hosting_responses.channel import ResponsesChannel

from .answers import WrongAnswer
from .connection import Connection
from .machine import cpu_seconds

_KEY: Final = "x-agent-chat-isolation-key"


class Clock:
    """An agent that says when it began and ended."""

    id = "clock"
    name = "clock"
    description = None

    def create_session(self, *, session_id: str | None = None) -> AgentSession:
        return AgentSession(session_id=session_id)

    def get_session(self, service_session_id: Any, *, session_id: str | None = None) -> AgentSession:
        return AgentSession(session_id=session_id, service_session_id=service_session_id)

    async def run(self, messages: Any = None, *, stream: bool = False, session: AgentSession | None = None) -> Any:
        del messages, stream, session
        began = time.monotonic()
        await asyncio.sleep(0)
        return AgentResponse[Any](messages=[Message("assistant", [f"{began} {time.monotonic()}"])])


@dataclass(frozen=True, slots=True)
class Figures:
    """What one burst of turns gave; times are milliseconds."""

    turns_per_second: float
    cpu_ms_per_turn: float
    handover_p50: float
    handover_p99: float


async def burst(servers: Sequence[tuple[int, int]], *, turns: int, has_line: bool) -> Figures:
    """Send turns to all servers in turns, each on a connection of its own."""
    loop, name = asyncio.get_running_loop(), uuid4().hex
    connections = [
        (await loop.create_connection(Connection, "127.0.0.1", servers[number % len(servers)][0]))[1]
        for number in range(turns)
    ]
    cpu, start = sum(cpu_seconds(pid) for _, pid in servers), time.perf_counter()
    keys = [name if has_line else f"{name} {number}" for number in range(turns)]
    asked = zip(connections, keys, strict=True)
    exchanges = await asyncio.gather(*(connection.ask(_request(key)) for connection, key in asked))
    wall, cpu = time.perf_counter() - start, sum(cpu_seconds(pid) for _, pid in servers) - cpu
    for connection in connections:
        connection.close()
    times = sorted(_times(exchange.body()) for exchange in exchanges)
    gaps = [1e3 * (later[0] - earlier[1]) for earlier, later in pairwise(times)]
    if has_line and min(gaps) <= 0:
        raise WrongAnswer("Two turns of one session ran side by side.")
    return Figures(turns / wall, 1e3 * cpu / turns, median(gaps), quantiles(gaps, n=100)[-1])


def _request(key: str) -> bytes:
    body = b'{"model": "clock", "input": "What time is it?"}'
    head = f"POST /responses HTTP/1.1\r\nhost: 127.0.0.1\r\n{_KEY}: {key}\r\ncontent-length: {len(body)}\r\n\r\n"
    return head.encode() + body


def _times(body: bytes) -> tuple[float, float]:
    began, ended = json.loads(body)["output"][0]["content"][0]["text"].split()
    return float(began), float(ended)


@contextmanager
def served(database: str, *, processes: int) -> Generator[list[tuple[int, int]]]:
    """Serve in so many processes; gives the port and the id of each."""
    command = [sys.executable, "-m", "benchmarks.lines", database, "--serve"]
    running = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(processes)
    ]
    try:
        ports = [int(each.stdout.readline()) for each in running if each.stdout is not None]
        yield [(port, each.pid) for port, each in zip(ports, running, strict=True)]
    finally:
        for each in running:
            each.communicate()


def serve(database: str) -> None:
    """Serve until the standard input ends."""
    import socket
    import threading

    import uvicorn

    from .serve import end_with_input

    host = AgentFrameworkHost(
        Clock(),
        channels=[ResponsesChannel()],
        database=database,
        limits=Limits(max_waiting=1_000_000),
        trust_isolation_headers=True,
    )
    listener = socket.create_server(("127.0.0.1", 0), backlog=4096)
    threading.Thread(target=end_with_input, daemon=True).start()
    print(listener.getsockname()[1], flush=True)
    uvicorn.Server(uvicorn.Config(host.app, log_level="warning", access_log=False)).run(sockets=[listener])


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.lines")
    parser.add_argument("database", help="the URL of a database that may be written to")
    parser.add_argument("--processes", type=int, nargs="+", default=[1, 3])
    parser.add_argument("--turns", type=int, default=400, help="of one burst (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=5, help="how often each is measured (default: %(default)s)")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.serve:
        serve(asked.database)
        return
    print("| processes | line | turns/s | CPU ms per turn | hand-over p50 ms | p99 ms | turns/s, line : none |")
    print("|---|---|---|---|---|---|---|")
    for processes in asked.processes:
        with served(asked.database, processes=processes) as servers:
            asyncio.run(burst(servers, turns=20, has_line=False))
            rounds = [
                [asyncio.run(burst(servers, turns=asked.turns, has_line=has_line)) for has_line in (True, False)]
                for _ in range(asked.rounds)
            ]
        _show(processes, rounds)


def _show(processes: int, rounds: Sequence[Sequence[Figures]]) -> None:
    ratio = median(line.turns_per_second / none.turns_per_second for line, none in rounds)
    for name, measured in zip(("one", "none"), zip(*rounds, strict=True), strict=True):
        speed, cpu = (
            median(getattr(each, part) for each in measured) for part in ("turns_per_second", "cpu_ms_per_turn")
        )
        gaps = [f"{median(getattr(each, part) for each in measured):.2f}" for part in ("handover_p50", "handover_p99")]
        shown = [f"{speed:,.0f}", f"{cpu:.2f}", *(gaps if name == "one" else ["-", "-"])]
        print("|", " | ".join([str(processes), name, *shown, f"{ratio:.2f}" if name == "one" else ""]), "|")


if __name__ == "__main__":
    main()
