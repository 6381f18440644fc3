"""Servers in processes of their own, as users start them."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

COMMANDS: Final = Path(sys.executable).parent
"""Where the console commands of the environment under test lie."""

_PATIENCE: Final = 150.0
"""Seconds that another process gets; much, since the machine may be busy, and the test has its own bound."""
_BETWEEN_LOOKS: Final = 0.05


@dataclass
class Served:
    """A server process: its address, and what it has printed."""

    process: subprocess.Popen[bytes]
    url: str
    log: Path

    @property
    def printed(self) -> str:
        """Everything that it has said so far."""
        return self.log.read_text()

    def readiness(self) -> int | None:
        """Return the status of its readiness probe; `None` when nobody answers."""
        # By hand: httpx reads all certificates of the system for each client, which takes longer than a look may.
        address = urlsplit(self.url)
        connection = http.client.HTTPConnection(str(address.hostname), address.port, timeout=5)
        try:
            connection.request("GET", "/readiness")
            return connection.getresponse().status
        except (OSError, http.client.HTTPException):
            return None
        finally:
            connection.close()

    def signal(self, number: signal.Signals) -> None:
        """Send the process a signal."""
        self.process.send_signal(number)

    def end(self) -> int:
        """Wait for the end of the process, and return its exit code."""
        return self.process.wait(_PATIENCE)

    def stop(self) -> int:
        """Stop it as an operator does, and return its exit code."""
        self.signal(signal.SIGTERM)
        return self.end()

    def wait_for_readiness(self, status: int) -> None:
        """Wait until the probe answers with this status.

        Raises:
            AssertionError: The process ended, or it took too long; with all that the process printed.
        """
        self._wait_until(lambda: self.readiness() == status, what=f"the readiness {status}")

    def wait_for_print(self, text: str) -> None:
        """Wait until it has printed this.

        Raises:
            AssertionError: The process ended, or it took too long; with all that the process printed.
        """
        self._wait_until(lambda: text in self.printed, what=repr(text))

    def _wait_until(self, met: Callable[[], bool], *, what: str) -> None:
        until = time.monotonic() + _PATIENCE
        while time.monotonic() < until:
            if met():
                return
            try:
                code = self.process.wait(_BETWEEN_LOOKS)
            except subprocess.TimeoutExpired:
                continue
            raise AssertionError(f"The server ended with {code}, before {what}:\n{self.printed}")
        raise AssertionError(f"The server never came to {what}:\n{self.printed}")


@contextmanager
def serving(command: Sequence[str | Path], *, port: int, log: Path, cwd: Path | None = None) -> Generator[Served]:
    """Run a server that listens at `port` of the loopback address, and hand it over once it is ready."""
    with starting(command, port=port, log=log, cwd=cwd) as served:
        served.wait_for_readiness(200)
        yield served


@contextmanager
def starting(command: Sequence[str | Path], *, port: int, log: Path, cwd: Path | None = None) -> Generator[Served]:
    """Run a server that is to listen at `port` of the loopback address, and hand it over at once.

    Keys and addresses of real models stay out of its environment. What still runs in the end is killed.
    """
    environment = {name: value for name, value in os.environ.items() if not name.startswith("OPENAI_")}
    with (
        log.open("wb") as out,
        subprocess.Popen(
            command, env=environment, cwd=cwd, stdin=subprocess.DEVNULL, stdout=out, stderr=out
        ) as process,
    ):
        try:
            yield Served(process, f"http://127.0.0.1:{port}", log)
        finally:
            if process.poll() is None:
                process.kill()


@contextmanager
def free_port() -> Generator[int]:
    """Hold a port that the system picked: the server may take it meanwhile, nobody else gets it by chance."""
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind(("127.0.0.1", 0))
        yield holder.getsockname()[1]
