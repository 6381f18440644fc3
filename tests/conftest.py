"""The demo, served as `make serve` does, for the tests that talk to it from outside."""

import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

STARTED = "Running on"


@pytest.fixture(scope="session")
def demo_url() -> Iterator[str]:
    """Serve the demo with its embedded model and return its URL; its process ends with the tests."""
    port = _free_port()
    program = Path(sys.executable).with_name("af-hosting")
    command = [program, "demo", "--offline", "--word-delay", "0", "--port", str(port)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        try:
            _wait_until_it_listens(process)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.communicate(timeout=30)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _wait_until_it_listens(process: subprocess.Popen[str]) -> None:
    assert process.stdout is not None
    printed: list[str] = []
    for line in process.stdout:
        printed.append(line)
        if STARTED in line:
            return
    pytest.fail(f"the demo ended before it listened:\n{''.join(printed)}")
