"""Who has a folder: one at a time, as long as its process lives, and whatever lies where the lock's file belongs."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from agent_framework_hosting._state.lock import LOCK, FolderLock
from agent_framework_hosting._state.private import ASIDE

HOLDER = """
import os, pathlib, sys
from agent_framework_hosting._state.lock import FolderLock
lock = FolderLock(pathlib.Path(sys.argv[1]))
print("taken" if lock.take() else lock.holder, flush=True)
"""
WAITS = HOLDER + "sys.stdin.read()"
FORKS = (
    HOLDER
    + """
if os.fork() == 0:
    print(os.getpid(), flush=True)
sys.stdin.read()
"""
)
FULL = """
import pathlib, resource, sys
from agent_framework_hosting._state.lock import FolderLock
from agent_framework_hosting.errors import ConfigurationError
_, most = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (0, most))
try:
    FolderLock(pathlib.Path(sys.argv[1])).take()
except ConfigurationError:
    print("refused", flush=True)
resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
print(FolderLock(pathlib.Path(sys.argv[1])).take(), flush=True)
"""


@contextmanager
def process(code: str, folder: Path) -> Generator[subprocess.Popen[str]]:
    """Run code that ends when its input does, in a process of its own."""
    with subprocess.Popen(
        [sys.executable, "-c", code, folder], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield process


def line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def test_a_folder_has_one_holder_and_the_other_learns_who(tmp_path: Path) -> None:
    """Processes, and two hosts of one process alike."""
    with process(WAITS, tmp_path) as first:
        assert line(first) == "taken"
        with process(HOLDER, tmp_path) as second:
            assert line(second) == f"process {first.pid}"
        lock = FolderLock(tmp_path)
        assert not lock.take()
        assert lock.holder == f"process {first.pid}"
    assert lock.take()
    other = FolderLock(tmp_path)
    assert not other.take()
    assert other.holder == f"another host in this process ({os.getpid()})"
    lock.release()
    lock.release()
    assert other.take()
    other.release()


def test_a_lock_ends_with_its_process_even_when_a_child_lives_on(tmp_path: Path) -> None:
    """Killed, the holder cannot give anything up; a child that it forked must not keep it either."""
    with process(FORKS, tmp_path) as holder:
        assert line(holder) == "taken"
        assert line(holder).isdecimal()
        lock = FolderLock(tmp_path)
        assert not lock.take()
        holder.kill()
        holder.wait()
        assert lock.take()
        assert int((tmp_path / LOCK).read_text()) == os.getpid()
        lock.release()


def test_a_lock_that_could_not_be_written_down_is_given_up(tmp_path: Path) -> None:
    """As on a full disk: once there is room, the next one gets it."""
    with process(FULL, tmp_path) as full:
        assert line(full) == "refused"
        assert line(full) == "True"


def test_a_lock_whose_file_was_removed_is_taken_anew(tmp_path: Path) -> None:
    """The newcomer's is one of the file that is there now."""
    lock = FolderLock(tmp_path)
    for _ in range(2):
        assert lock.take()
        lock.release()
        (tmp_path / LOCK).unlink()


def a_link(path: Path) -> None:
    path.with_name("precious").write_text("precious")
    path.symlink_to(path.with_name("precious"))


def a_folder(path: Path) -> None:
    path.mkdir()


def a_pipe(path: Path) -> None:
    os.mkfifo(path)


@pytest.mark.parametrize("plant", [a_link, a_folder, a_pipe])
def test_what_lies_where_the_lock_belongs_is_set_aside(
    tmp_path: Path, plant: Callable[[Path], None], caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing is written through a link."""
    plant(tmp_path / LOCK)
    lock = FolderLock(tmp_path)
    assert lock.take()
    lock.release()
    assert any(path.name.startswith(f"{LOCK}{ASIDE}") for path in tmp_path.iterdir())
    assert str(tmp_path / LOCK) in caplog.text
    if plant is a_link:
        assert (tmp_path / "precious").read_text() == "precious"


def test_a_holder_whose_id_cannot_be_read_is_still_one(tmp_path: Path) -> None:
    lock, other = FolderLock(tmp_path), FolderLock(tmp_path)
    assert lock.take()
    (tmp_path / LOCK).write_bytes(b"\xff\0garbage")
    assert not other.take()
    assert other.holder == "a process that has not written its id down"
    lock.release()
