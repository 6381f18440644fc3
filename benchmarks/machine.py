"""What a measurement needs of the operating system: cores to pin to, and the processor time that a process has used."""

from __future__ import annotations

import os
import platform
import sys
import time
from importlib.metadata import PackageNotFoundError, version
from typing import Final

# uvicorn runs on uvloop and httptools when they are there, at a fraction of the cost.
_PACKAGES: Final = ("agent-framework-core", "starlette", "uvicorn", "uvloop", "httptools", "hypercorn")


def pin(core: int) -> None:
    """Stay on one core, when the system lets us and has it."""
    if sys.platform == "linux" and core in os.sched_getaffinity(0):
        os.sched_setaffinity(0, {core})


def cpu_seconds(pid: int) -> float:
    """Return the processor time that a process has used, in user and system mode, all threads."""
    if sys.platform != "linux":
        raise RuntimeError("Processor time of another process is read in Linux's way; run the benchmarks on Linux.")
    # The id that clock_getcpuclockid(3) returns, which Python does not offer: the process, and 2 for "scheduled".
    return time.clock_gettime((~pid << 3) | 2)


def described() -> dict[str, str | int | None]:
    """Return what of this machine matters to the figures."""
    return {
        "python": platform.python_version(),
        "system": platform.system(),
        "cores": os.cpu_count(),
        **{name: _version(name) for name in _PACKAGES},
    }


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
