"""Replicas that start within milliseconds, since they are forked from a process that has imported everything."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from .replicas import Replicas, has_transactions
from .served import free_port

_PATIENCE: Final = 150.0
"""Seconds that another process gets; much, since the machine may be busy, and the test has its own bound."""
_BETWEEN_LOOKS: Final = 0.01


@dataclass
class Forked:
    """A replica: its process, its address, and where it prints."""

    pid: int
    port: int
    log: Path

    @property
    def url(self) -> str:
        """Where it serves."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def printed(self) -> str:
        """Everything that it has said so far."""
        return self.log.read_text()

    def readiness(self) -> tuple[int, str] | None:
        """Return what its readiness probe says; `None` when nobody answers."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", "/readiness")
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        except (OSError, http.client.HTTPException):
            return None
        finally:
            connection.close()

    def wait_for_readiness(self, status: int = 200) -> None:
        """Wait until the probe answers with this status."""
        self._wait_until(lambda: (self.readiness() or (0,))[0] == status, f"the readiness {status}")

    def signal(self, number: signal.Signals) -> None:
        """Send the process a signal."""
        os.kill(self.pid, number)

    @contextmanager
    def standing_still(self, database: str) -> Generator[None]:
        """Stop the process for a while, at a moment at which it holds nothing in the database that others wait for."""
        self.signal(signal.SIGSTOP)
        try:
            while has_transactions(database):
                self.signal(signal.SIGCONT)
                time.sleep(_BETWEEN_LOOKS)
                self.signal(signal.SIGSTOP)
            yield
        finally:
            self.signal(signal.SIGCONT)

    def kill(self) -> None:
        """Kill it, and wait until it is gone."""
        with suppress(ProcessLookupError):
            self.signal(signal.SIGKILL)
        self.end()

    def end(self) -> None:
        """Wait for the end of the process."""
        self._wait_until(lambda: not self._lives(), "the end")

    def _lives(self) -> bool:
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        return True

    def _wait_until(self, met: Callable[[], bool], what: str) -> None:
        give_up = time.monotonic() + _PATIENCE
        while not met():
            gone = what != "the end" and not self._lives()
            assert not gone, f"The replica ended before {what}:\n{self.printed}"
            assert time.monotonic() < give_up, f"The replica never came to {what}:\n{self.printed}"
            time.sleep(_BETWEEN_LOOKS)


class Forks:
    """Starts replicas; those that still run in the end are killed."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self._started: list[Forked] = []

    @contextmanager
    def starting(
        self, folder: Path, database: str, *, lease: float, concurrency: str = "queue", **limits: Any
    ) -> Generator[Forked]:
        """Start a replica, and hand it over at once."""
        with free_port() as port:
            log = folder / f"printed{len(self._started)}"
            told = [
                str(log),
                str(folder),
                str(port),
                database,
                concurrency,
                "core",
                "1",
                json.dumps({"lease": lease, **limits}),
            ]
            assert self._process.stdin is not None
            assert self._process.stdout is not None
            self._process.stdin.write(json.dumps(told) + "\n")
            self._process.stdin.flush()
            forked = Forked(int(self._process.stdout.readline()), port, log)
            self._started.append(forked)
            try:
                yield forked
            finally:
                forked.kill()

    @contextmanager
    def serving(
        self, folder: Path, database: str, *, lease: float, concurrency: str = "queue", **limits: Any
    ) -> Generator[Forked]:
        """Start a replica, and hand it over once it is ready."""
        with self.starting(folder, database, lease=lease, concurrency=concurrency, **limits) as forked:
            forked.wait_for_readiness()
            yield forked


@contextmanager
def forking() -> Generator[Forks]:
    """Start the process that replicas are forked from."""
    command = [sys.executable, Path(__file__).with_name("forking_host.py")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield Forks(process)
        finally:
            process.kill()


@contextmanager
def several(
    forks: Forks, folder: Path, database: str, count: int, *, concurrency: str = "queue", lease: float = 15.0
) -> Generator[Replicas[Forked]]:
    """Serve one database by several replicas."""
    with ExitStack() as stack:
        started = [
            stack.enter_context(forks.starting(folder, database, lease=lease, concurrency=concurrency))
            for _ in range(count)
        ]
        for each in started:
            each.wait_for_readiness()
        yield Replicas(folder, started)


def noted(folder: Path) -> Replicas[Forked]:
    """Return what runs have noted in a folder."""
    return Replicas(folder, list[Forked]())
