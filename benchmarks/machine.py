"""What a measurement needs of the operating system: cores to pin to, and the processor time that a process has used."""

from __future__ import annotations

import os
import platform
import resource
import sys
import time
from collections.abc import Iterable
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
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


def cpu_seconds_of(pids: Iterable[int]) -> float:
    """Return the processor time that several processes have used."""
    return sum(map(cpu_seconds, pids))


def resident_bytes(pid: int) -> int:
    """Return the memory that a process holds."""
    resident = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return resident * os.sysconf("SC_PAGE_SIZE")


def children_of(pid: int) -> list[int]:
    """Return the processes below a process."""
    parents: dict[int, list[int]] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            with suppress(OSError):
                # The name in front may hold anything, brackets too.
                parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
                parents.setdefault(parent, []).append(int(folder.name))
    below, found = [pid], list[int]()
    while below:
        children = parents.get(below.pop(), [])
        found += children
        below += children
    return found


def allow_files(wanted: int) -> None:
    """Let this process, and those that it starts, open so many files, as far as the system allows."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(most, resource.getrlimit(resource.RLIMIT_NOFILE)[0]), hard))


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
