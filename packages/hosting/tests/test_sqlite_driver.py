"""The thread that writes to a SQLite file: what it has taken it does, and what it does not take it says."""

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
import sys
import threading
from collections.abc import AsyncGenerator, Callable, Generator, Sequence
from concurrent.futures import Future
from contextlib import asynccontextmanager, closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final

import pytest

from agent_framework_hosting._state.sql import lanes, sqlite
from agent_framework_hosting._state.sql.jobs import Job, Jobs
from agent_framework_hosting._state.sql.script import Script, one
from agent_framework_hosting._state.sql.sqlite import SqliteDriver
from agent_framework_hosting.errors import StateUnavailable

SOON = 60.0
WITHOUT_SYNC, WITH_SYNC = 1, 2
"""What `PRAGMA synchronous` says of a commit."""


def quick() -> Script[int]:
    row = yield from one("SELECT 1")
    assert row is not None
    return row[0]


async def test_what_comes_while_the_driver_stops_is_done_or_refused_and_never_waits_for_ever(tmp_path: Path) -> None:
    driver = SqliteDriver(tmp_path / "host.db")
    await driver.start(lambda: None)
    has_begun, may_end = threading.Event(), threading.Event()

    def slow() -> Script[int]:
        has_begun.set()
        assert may_end.wait(SOON)
        return (yield from quick())

    async with asyncio.timeout(SOON):
        first = asyncio.create_task(driver.run(slow, durable=False))
        await asyncio.to_thread(has_begun.wait, SOON)
        taken = asyncio.create_task(driver.run(quick, durable=False))
        await asyncio.sleep(0)
        stopping = asyncio.create_task(driver.stop())
        late: list[asyncio.Task[int]] = []
        while not any(each.done() for each in late):
            late.append(asyncio.create_task(driver.run(quick, durable=True)))
            await asyncio.sleep(0)
        may_end.set()
        assert await first == await taken == 1
        outcomes = await asyncio.gather(*late, return_exceptions=True)
        await stopping
    assert any(isinstance(each, StateUnavailable) for each in outcomes)
    assert {each for each in outcomes if not isinstance(each, StateUnavailable)} <= {1}
    with pytest.raises(StateUnavailable, match="has stopped"):
        driver.run_now(quick)
    await driver.stop()


async def test_a_driver_that_was_stopped_works_when_it_is_started_again(tmp_path: Path) -> None:
    driver = SqliteDriver(tmp_path / "host.db")
    async with asyncio.timeout(SOON):
        for _ in range(3):
            await driver.start(lambda: None)
            assert await driver.run(quick, durable=True) == 1
            await driver.stop()


HOLD: Final = """
import signal, sqlite3, sys
sqlite3.connect(sys.argv[1], isolation_level=None).execute("BEGIN IMMEDIATE")
print("held", flush=True)
signal.pause()
"""


class Vain:
    """How often a driver has found its file taken."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self._times = threading.Semaphore(0)
        self._is_busy: Callable[[sqlite3.OperationalError], bool] = vars(sqlite)["_is_busy"]
        patch.setattr(sqlite, "_is_busy", self._asked)

    def _asked(self, error: sqlite3.OperationalError) -> bool:
        self._times.release()
        return self._is_busy(error)

    async def twice_more(self) -> None:
        """Wait until it has asked once more, with all that has been submitted until now."""
        while self._times.acquire(blocking=False):
            pass
        for _ in range(2):
            assert await asyncio.to_thread(self._times.acquire, timeout=SOON)


@pytest.fixture
def vain(monkeypatch: pytest.MonkeyPatch) -> Vain:
    monkeypatch.setattr(sqlite, "_PATIENCE", SOON)
    return Vain(monkeypatch)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "host.db"


@asynccontextmanager
async def driving(file: Path) -> AsyncGenerator[SqliteDriver]:
    driver = SqliteDriver(file)
    await driver.start(lambda: None)
    try:
        async with asyncio.timeout(SOON):
            yield driver
    finally:
        await driver.stop()


@contextmanager
def taken(file: Path) -> Generator[Callable[[], None]]:
    """Hold the file as another process that writes does; gives what lets go of it."""
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield lambda: other.execute("ROLLBACK") and None


@contextmanager
def taken_by_a_process(file: Path) -> Generator[Callable[[], None]]:
    """Hold the file from a process of its own; gives what kills it."""
    with subprocess.Popen([sys.executable, "-c", HOLD, file], stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"held\n"
            yield process.kill
        finally:
            process.kill()


def written(name: str) -> Script[int]:
    """Write a row, and return how its commit waits for the disk."""
    yield from lanes.register(worker=name, address="", lease=SOON)
    row = yield from one("PRAGMA synchronous")
    assert row is not None
    return row[0]


def commits_of(file: Path) -> int:
    """Count the transactions in a write-ahead log that was never begun anew."""
    log = file.with_name(f"{file.name}-wal").read_bytes()
    frame = 24 + int.from_bytes(log[8:12])
    return sum(log[start + 4 : start + 8] != bytes(4) for start in range(32, len(log), frame))


@pytest.mark.parametrize("is_durable", [False, True])
async def test_what_comes_while_another_process_writes_is_in_one_commit_with_what_waits(
    file: Path, vain: Vain, is_durable: bool
) -> None:
    """It waits for the disk as soon as one of them demands it, also one that came last."""
    async with driving(file) as driver, asyncio.TaskGroup() as tasks:
        with taken(file) as let_go:
            jobs = [tasks.create_task(driver.run(partial(written, "first"), durable=False))]
            await vain.twice_more()
            for number in range(4):
                work = partial(written, str(number))
                jobs.append(tasks.create_task(driver.run(work, durable=is_durable and number == 3)))
            await vain.twice_more()
            before = commits_of(file)
            let_go()
            said = await asyncio.gather(*jobs)
        assert commits_of(file) == before + 1
        assert said == [WITH_SYNC if is_durable else WITHOUT_SYNC] * 5


async def test_whoever_joins_those_who_wait_has_a_patience_of_its_own(
    file: Path, vain: Vain, monkeypatch: pytest.MonkeyPatch
) -> None:
    give_back = Jobs.give_back

    def be_patient_again(jobs: Jobs, returned: Sequence[Job]) -> None:
        monkeypatch.setattr(sqlite, "_PATIENCE", SOON)
        give_back(jobs, returned)

    monkeypatch.setattr(Jobs, "give_back", be_patient_again)
    async with driving(file) as driver:
        with taken(file) as let_go:
            first = asyncio.create_task(driver.run(partial(written, "first"), durable=True))
            await vain.twice_more()
            later = [asyncio.create_task(driver.run(partial(written, name), durable=True)) for name in "ab"]
            await vain.twice_more()
            monkeypatch.setattr(sqlite, "_PATIENCE", 0.0)
            with pytest.raises(StateUnavailable):
                await first
            await vain.twice_more()
            assert not any(each.done() for each in later)
            let_go()
            assert await asyncio.gather(*later) == [WITH_SYNC] * 2


async def test_a_driver_stops_while_another_process_holds_the_file_once_patience_is_over(
    file: Path, vain: Vain, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with driving(file) as driver:
        with taken(file):
            jobs = [asyncio.create_task(driver.run(partial(written, "first"), durable=True))]
            await vain.twice_more()
            jobs.append(asyncio.create_task(driver.run(partial(written, "second"), durable=True)))
            await vain.twice_more()
            stopping = asyncio.create_task(driver.stop())
            await vain.twice_more()
            assert not stopping.done()
            monkeypatch.setattr(sqlite, "_PATIENCE", 0.0)
            await stopping
        outcomes = await asyncio.gather(*jobs, return_exceptions=True)
        assert [type(each) for each in outcomes] == [StateUnavailable] * 2


def test_what_is_given_up_before_it_is_taken_is_in_no_group() -> None:
    """Neither in one that begins, nor in one that it would join."""
    jobs, waits, given_up = Jobs(), a_job(), a_job()
    given_up.future.cancel()
    for job in (given_up, waits):
        jobs.add(job)
    group = jobs.group()
    jobs.add(given_up)
    jobs.join(group)
    assert group == [waits]


def a_job() -> Job:
    return Job(quick, durable=False, future=Future())


async def test_who_reads_waits_by_sqlite_itself(file: Path) -> None:
    """A reader finds the file taken at its first look, not at its beginning: after a crash, while another mends it."""
    async with driving(file) as driver:
        assert await driver.read(patience) == 5_000


async def test_a_process_that_is_killed_while_it_writes_holds_nobody_up(file: Path, vain: Vain) -> None:
    async with driving(file) as driver:
        with taken_by_a_process(file) as kill:
            job = asyncio.create_task(driver.run(partial(written, "first"), durable=True))
            await vain.twice_more()
            assert not job.done()
            kill()
            assert await job == WITH_SYNC


def patience() -> Script[int]:
    """Return the milliseconds for which SQLite itself waits for others."""
    row = yield from one("PRAGMA busy_timeout")
    assert row is not None
    return row[0]


def as_it_is(file: Path, *, apply: bool) -> None:
    """Leave the schema of a file alone."""
    del file, apply


@pytest.mark.parametrize(("options", "wanted"), [("", 0), ("&vfs=unix-dotfile", 5_000)])
async def test_where_there_can_be_no_write_ahead_log_sqlite_itself_waits_at_each_step(
    file: Path, monkeypatch: pytest.MonkeyPatch, options: str, wanted: int
) -> None:
    """A file system without shared memory has none, as here SQLite's locks by files."""
    connect: Callable[..., Any] = sqlite3.connect

    def connect_with(where: str, **how: Any) -> Any:
        return connect(f"{where}{options}" if how.get("uri") else where, **how)

    if options:
        # What the migration has left would be a log that nobody else can read.
        async with driving(file):
            pass
        with closing(sqlite3.connect(file)) as plain:
            assert plain.execute("PRAGMA journal_mode = DELETE").fetchone() == ("delete",)
        monkeypatch.setattr(sqlite, "migrate_sqlite", as_it_is)
    monkeypatch.setattr(sqlite3, "connect", connect_with)
    async with driving(file) as driver:
        assert await driver.run(patience, durable=False) == wanted
        assert await driver.run(partial(written, "first"), durable=True) == WITH_SYNC
