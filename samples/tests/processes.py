"""Samples in processes of their own, started as their first lines say."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from .conftest import SAMPLES

_PATIENCE: Final = 150.0
_BETWEEN_LOOKS: Final = 0.05
_SETTINGS: Final = ("OPENAI_", "AZURE_OPENAI_", "ANTHROPIC_", "OLLAMA_", "AGENT_", "TELEGRAM_", "DATABASE", "PORT")
"""Keys and choices of whoever runs the tests stay out of them."""


@dataclass
class Started:
    """A sample that serves."""

    process: subprocess.Popen[bytes]
    port: int
    log: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def printed(self) -> str:
        return self.log.read_text()

    def stop(self) -> int:
        """Stop it as an operator does, and return its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(_PATIENCE)

    def kill(self) -> None:
        """End it as a power cut does."""
        self.process.kill()
        self.process.wait(_PATIENCE)

    def wait_until_it_listens(self) -> None:
        until = time.monotonic() + _PATIENCE
        while time.monotonic() < until:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=_PATIENCE).close()
            except ConnectionRefusedError:
                self._wait_a_moment()
            else:
                return
        raise AssertionError(f"The sample never listened:\n{self.printed}")

    def _wait_a_moment(self) -> None:
        try:
            code = self.process.wait(_BETWEEN_LOOKS)
        except subprocess.TimeoutExpired:
            return
        raise AssertionError(f"The sample ended with {code}:\n{self.printed}")


@contextmanager
def started(name: str, *, log: Path, settings: Mapping[str, str] | None = None) -> Generator[Started]:
    """Run a sample, and hand it over once it listens; what still runs in the end is killed."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(_SETTINGS)}
    with socket.socket() as holder, log.open("ab") as out:
        # The port is held while the sample takes it, so that nobody else gets it by chance.
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind(("127.0.0.1", 0))
        port: int = holder.getsockname()[1]
        environment |= {"PORT": str(port), **(settings or {})}
        command = [sys.executable, str(SAMPLES / name)]
        with subprocess.Popen(
            command, env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=out, cwd=log.parent
        ) as process:
            try:
                sample = Started(process, port, log)
                sample.wait_until_it_listens()
                yield sample
            finally:
                if process.poll() is None:
                    process.kill()
