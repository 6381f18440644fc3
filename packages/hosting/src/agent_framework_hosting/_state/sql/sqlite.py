"""SQLite: one thread writes, in groups; another one reads what may be long.

Rules of this file:
1. A connection belongs to one thread. What came of a group goes back to the event loop in one call.
2. The writer takes all that is waiting into one commit. Each of several has a savepoint of its own, so that one that
   fails takes nobody with it; one that is alone is undone as a whole. While another process writes it asks again and
   again, without holding anything, and whoever comes meanwhile joins the group.
3. A commit waits for the disk when one transaction of its group demands it; leases need none, they die with us.
4. What goes wrong with the file fails its whole group, closes the connection, and is tried anew with the next group. A
   file that was taken away, or that another one lies in the place of, is not written to; a new one is never made here.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, TypeAlias, TypeVar

from ...errors import ConfigurationError, StateUnavailable
from ...logs import logger
from ..private import BadFile, make_private_folder, open_private
from .driver import Transaction, step_through
from .jobs import Job, Jobs
from .lanes import Wake
from .migrations import migrate_sqlite
from .script import SQLITE, Dialect, Row, Statement
from .wakes import LoopbackWakes

ResultT = TypeVar("ResultT")

_PATIENCE: Final = 5.0
"""Seconds to wait for another process that writes."""
_PART: Final = 0.05
"""The part of what has been waited already that is waited before it is asked again."""
_BETWEEN: Final = (0.0005, 0.005)
"""Seconds that this takes at the least, and at the most: a commit of another process takes a millisecond or two."""
_LONGEST: Final = 20.0
"""Seconds for which one transaction may take; a damaged file can send SQLite round in circles."""
_STEPS: Final = 1_000_000
"""Steps of SQLite's machine between two looks at the clock; milliseconds."""


_Identity: TypeAlias = tuple[int, int]
"""What tells a file from another one of the same name."""
_Outcome: TypeAlias = tuple[Job, Any, BaseException | None]


def make_file(path: Path) -> None:
    """Make the file of a database, for its owner alone, unless it is there.

    Raises:
        ConfigurationError: It cannot be made, or others could change it.
    """
    try:
        make_private_folder(path.parent)
        # The files that SQLite makes beside it have its mode.
        os.close(open_private(path, create=True))
    except (BadFile, OSError) as error:
        reason = error.reason if isinstance(error, BadFile) else error.strerror
        raise ConfigurationError(
            f"{path} cannot be used as the host's database: {reason}. Mend it, or name another file."
        ) from error


class SqliteDriver:
    """Runs scripts on one SQLite file, which other processes of this machine may use at the same time."""

    def __init__(self, path: Path, *, migrate: bool = True) -> None:
        self._path = path
        self._migrate = migrate
        self._writer = _Thread("af-hosting-writer", path, writes=True)
        self._reader = _Thread("af-hosting-reader", path, writes=False)
        self._wakes = LoopbackWakes()

    @property
    def address(self) -> str:
        """See `Driver`."""
        return self._wakes.address

    async def start(self, on_wake: Callable[[], None]) -> None:
        """See `Driver`."""
        identity = await asyncio.to_thread(self._prepare)
        await self._wakes.start(on_wake)
        self._writer.start(identity)
        self._reader.start(identity)

    def _prepare(self) -> _Identity:
        make_file(self._path)
        migrate_sqlite(self._path, apply=self._migrate)
        return _identity(self._path)

    async def stop(self) -> None:
        """See `Driver`."""
        await self._wakes.stop()
        await asyncio.to_thread(self._writer.stop)
        await asyncio.to_thread(self._reader.stop)

    async def run(self, transaction: Transaction[ResultT], *, durable: bool, ahead: bool = False) -> ResultT:
        """See `Driver`; nobody is refused here because others are quicker, so that all stand in one line."""
        del ahead
        return await self._writer.submit(transaction, durable=durable)

    async def read(self, transaction: Transaction[ResultT], *, ahead: bool = False) -> ResultT:
        """See `Driver`."""
        del ahead
        return await self._reader.submit(transaction, durable=False)

    def run_now(self, transaction: Transaction[ResultT]) -> ResultT:
        """See `Driver`."""
        future = Future[ResultT]()
        self._writer.take(Job(transaction, durable=True, future=future))
        return future.result()

    def wake(self, wakes: Sequence[Wake]) -> None:
        """See `Driver`."""
        self._wakes.send(wakes)


class _Thread:
    """One thread with one connection, which runs jobs in groups."""

    def __init__(self, name: str, path: Path, *, writes: bool) -> None:
        self._name = name
        self._jobs = Jobs()
        self._file = _File(path, self._jobs, writes=writes)
        self._thread: threading.Thread | None = None
        # Jobs come from any thread; none may come behind the word that no more will.
        self._door = threading.Lock()
        self._is_open = False

    def start(self, identity: _Identity) -> None:
        """Begin to take jobs, for this very file."""
        self._file.identity = identity
        self._jobs.open()
        self._thread = threading.Thread(target=self._work, name=self._name, daemon=True)
        self._thread.start()
        self._is_open = True

    def stop(self) -> None:
        """Do what has been submitted, take nothing more, and end."""
        with self._door:
            if self._is_open:
                self._is_open = False
                self._jobs.close()
        if self._thread is not None:
            self._thread.join()

    def submit(self, transaction: Transaction[ResultT], *, durable: bool) -> asyncio.Future[ResultT]:
        """Take a transaction that a task waits for; raises as `take`."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[ResultT] = loop.create_future()
        self.take(Job(transaction, durable, future, loop))
        return future

    def take(self, job: Job) -> None:
        """Take a job.

        Raises:
            StateUnavailable: None are taken yet, or any more.
        """
        with self._door:
            if not self._is_open:
                raise StateUnavailable("The database is not open: the host has not been started, or has stopped.")
            self._jobs.add(job)

    def _work(self) -> None:
        while group := self._jobs.group():
            _tell(self._file.commit(group))
        self._file.close()


class _File:
    """A connection that is made when it is needed, and made anew after an error."""

    def __init__(self, path: Path, jobs: Jobs, *, writes: bool) -> None:
        self._path = path
        self._jobs = jobs
        self._writes = writes
        # A reader that took the lock would hold up those who write, here and elsewhere, for as long as it reads.
        self._begin = "BEGIN IMMEDIATE" if writes else "BEGIN"
        self._connection: sqlite3.Connection | None = None
        self._level = ""
        self.identity: _Identity | None = None
        self._until = 0.0
        self._complained = False

    def commit(self, group: list[Job]) -> Sequence[_Outcome]:
        """Run all jobs of a group in one transaction, and return what came of each; the group may grow."""
        try:
            outcomes = self._committed(group)
            self._complained = False
        except Exception as error:  # noqa: BLE001 - whatever it is: were this thread to end, all would wait for ever
            self._complain(error)
            self.close()
            outcomes = [(job, None, StateUnavailable()) for job in group]
        return outcomes

    def close(self) -> None:
        """Close the connection; what it had begun is undone."""
        connection, self._connection = self._connection, None
        if connection is not None:
            try:
                connection.close()
            except sqlite3.Error as error:
                logger.error("The database could not be closed: %s", str(error))

    def _committed(self, group: list[Job]) -> list[_Outcome]:
        self._until = time.monotonic() + _LONGEST
        connection = self._connected()
        self._begin_with(connection, group)
        if len(group) == 1:
            outcome = _run(connection, group[0])
            self._end(connection, "COMMIT" if outcome[2] is None else "ROLLBACK")
            return [outcome]
        outcomes: list[_Outcome] = []
        for job in group:
            self._until = time.monotonic() + _LONGEST
            outcomes.append(_run_apart(connection, job))
        self._until = time.monotonic() + _LONGEST
        self._end(connection, "COMMIT")
        return outcomes

    def _begin_with(self, connection: sqlite3.Connection, group: list[Job]) -> None:
        """Begin once no other process writes, and let those join the group that come until then."""
        # SQLite's own pauses grow to a tenth of a second, in which perhaps nobody writes. They end with the lock, too,
        # while this thread still has to wait for the interpreter: a busy event loop would hold up other processes.
        first, since = len(group), time.monotonic()
        while True:
            try:
                if self._writes:
                    self._synchronise(connection, "FULL" if any(job.durable for job in group) else "NORMAL")
                connection.execute(self._begin)
            except sqlite3.OperationalError as error:
                waited = time.monotonic() - since
                if waited >= _PATIENCE or not _is_busy(error):
                    # Those who came later have a patience of their own.
                    self._jobs.give_back(group[first:])
                    del group[first:]
                    raise
            else:
                return
            least, most = _BETWEEN
            time.sleep(min(max(_PART * waited, least), most))
            self._jobs.join(group)

    def _synchronise(self, connection: sqlite3.Connection, level: str) -> None:
        # The connection keeps what it was told last.
        if level != self._level:
            connection.execute(f"PRAGMA synchronous = {level}")
            self._level = level

    def _end(self, connection: sqlite3.Connection, how: str) -> None:
        if self._writes:
            self._require_unmoved()
        connection.execute(how)

    def _connected(self) -> sqlite3.Connection:
        if self._connection is None:
            self._require_unmoved()
            # Not read only, and not made when it is not there.
            where = f"{self._path.absolute().as_uri()}?mode=rw"
            connection = self._connection = sqlite3.connect(
                where, uri=True, isolation_level=None, check_same_thread=False
            )
            connection.execute(f"PRAGMA busy_timeout = {_PATIENCE * 1000:.0f}")
            (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
            if self._writes and mode == "wal":
                # With a write-ahead log only the beginning can find the file taken. A file system that can have none
                # makes others wait at the end, too, and SQLite waits by itself there.
                connection.execute("PRAGMA busy_timeout = 0")
            connection.set_progress_handler(lambda: time.monotonic() > self._until, _STEPS)
            self._level = ""
        self._require_unmoved()
        return self._connection

    def _require_unmoved(self) -> None:
        if _identity(self._path) != self.identity:
            raise sqlite3.OperationalError("it is not the file any more that the host was started with")

    def _complain(self, error: Exception) -> None:
        if not self._complained:
            logger.error(
                "The database %s cannot be used: %s. It is tried again with every request.", self._path, str(error)
            )
        self._complained = True


def _identity(path: Path) -> _Identity:
    found = os.stat(path)  # noqa: PTH116 - twice in each transaction, and half the price
    return found.st_dev, found.st_ino


def _is_busy(error: sqlite3.OperationalError) -> bool:
    # Its more exact codes have it as their last byte.
    return error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY


def _run(connection: sqlite3.Connection, job: Job) -> _Outcome:
    try:
        return job, step_through(job.transaction(), _executor(connection), SQLITE), None
    except sqlite3.IntegrityError as error:
        return job, None, error
    except (sqlite3.DatabaseError, UnicodeDecodeError):
        # Disk full, read-only, locked, damaged: that is no matter of one transaction.
        raise
    except Exception as error:  # noqa: BLE001 - it belongs to the one who asked, who gets it
        return job, None, error


def _run_apart(connection: sqlite3.Connection, job: Job) -> _Outcome:
    connection.execute("SAVEPOINT job")
    outcome = _run(connection, job)
    if outcome[2] is not None:
        connection.execute("ROLLBACK TO job")
    connection.execute("RELEASE job")
    return outcome


def _executor(connection: sqlite3.Connection) -> Callable[[Dialect, Statement], list[Row]]:
    def execute(dialect: Dialect, statement: Statement) -> list[Row]:
        return connection.execute(dialect.said(statement.text), statement.values).fetchall()

    return execute


def _tell(outcomes: Sequence[_Outcome]) -> None:
    """Say what came of each job to whoever waits for it."""
    of_loops: dict[asyncio.AbstractEventLoop | None, list[_Outcome]] = {}
    for outcome in outcomes:
        of_loops.setdefault(outcome[0].loop, []).append(outcome)
    for loop, some in of_loops.items():
        if loop is None:
            _resolve(some)
        else:
            # A loop that has ended has nobody left who waits.
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(_resolve, some)


def _resolve(outcomes: Sequence[_Outcome]) -> None:
    for job, result, error in outcomes:
        if job.future.done():  # nobody waits for it any more
            continue
        if error is None:
            job.future.set_result(result)
        else:
            job.future.set_exception(error)
