"""Schema steps: all of one or nothing, also when the process dies in the middle or several start at once."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any, Final, TypeAlias

import pytest
from sqlalchemy import NullPool, create_engine, text

from agent_framework_hosting._state.database import open_store
from agent_framework_hosting._state.documents import NewDocument
from agent_framework_hosting._state.sql.migrations import STEPS
from agent_framework_hosting._state.tasks import NewTask
from agent_framework_hosting.errors import ConfigurationError
from agent_framework_hosting.limits import Limits

NEWEST: Final = len(STEPS)
PATIENCE: Final = 30.0


class Migrating:
    """A process that takes schema steps."""

    def __init__(self, pid: int, log: Path) -> None:
        self._pid = pid
        self._log = log

    def wait_for(self, said: str) -> None:
        """Wait until it has said something."""
        give_up = time.monotonic() + PATIENCE
        # A line may come in two pieces.
        while not (printed := self._log.read_text() if self._log.exists() else "").endswith("\n"):
            assert time.monotonic() < give_up, f"It never said {said!r}."
            time.sleep(0.01)
        assert printed == f"{said}\n"

    def kill(self) -> None:
        """Kill it, and wait until it is gone."""
        with suppress(ProcessLookupError):
            os.kill(self._pid, signal.SIGKILL)
            while True:
                os.kill(self._pid, 0)
                time.sleep(0.01)


Migrate: TypeAlias = Callable[..., Migrating]


@pytest.fixture(scope="module")
def nursery() -> Generator[subprocess.Popen[str]]:
    """Start the process that the others are forked from, so that each starts at once."""
    command = [sys.executable, Path(__file__).with_name("migrating_process.py")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield process
        process.kill()


@pytest.fixture
def migrating(nursery: subprocess.Popen[str], tmp_path: Path) -> Migrate:
    """Return a function that takes steps of a database in a process of its own."""
    logs = count()

    def migrating(database: str, *steps: str) -> Migrating:
        if database.startswith("sqlite"):
            Path(database.removeprefix("sqlite:///")).parent.mkdir(exist_ok=True)
        log = tmp_path / f"migrating{next(logs)}"
        assert nursery.stdin is not None
        assert nursery.stdout is not None
        nursery.stdin.write(json.dumps([str(log), database, *steps]) + "\n")
        nursery.stdin.flush()
        return Migrating(int(nursery.stdout.readline()), log)

    return migrating


def rows(database: str, query: str) -> list[Any]:
    engine = create_engine(database.replace("postgresql://", "postgresql+psycopg://"), poolclass=NullPool)
    with engine.begin() as connection:
        found = connection.execute(text(query))
        return [tuple(row) for row in found] if found.returns_rows else []


async def used(database: str, *, migrate: Any = "auto") -> None:
    store = open_store(database, limits=Limits(), migrate=migrate)
    await store.start()
    await store.stop()


@pytest.mark.parametrize("done", [("real",), ("first",), ()], ids=["later", "second", "first"])
async def test_a_step_that_was_killed_in_the_middle_is_taken_from_its_start(
    database: str, migrating: Migrate, done: Sequence[str]
) -> None:
    if done:
        migrating(database, *done).wait_for("done")
    killed = migrating(database, *done, "stops" if done == ("real",) else "begins and stops")
    killed.wait_for("in the middle")
    killed.kill()
    if done == ("real",):
        # What was there before is whole, and can be used by the release that made it.
        await used(database, migrate="check")
    migrating(database, "real", "adds", "renames").wait_for("done")
    assert rows(database, "SELECT m FROM af_added ORDER BY m") == [(1,), (2,)]
    assert rows(database, "SELECT version FROM af_schema") == [(NEWEST + 2,)]


def test_several_processes_that_start_at_once_take_each_step_once(database: str, migrating: Migrate) -> None:
    for process in [migrating(database, "real", "adds", "renames") for _ in range(4)]:
        process.wait_for("done")
    assert rows(database, "SELECT m FROM af_added ORDER BY m") == [(1,), (2,)]
    assert rows(database, "SELECT version FROM af_schema") == [(NEWEST + 2,)]


async def test_a_database_of_an_older_release_goes_on_where_it_was(database: str, migrating: Migrate) -> None:
    migrating(database, "first").wait_for("done")
    rows(database, "INSERT INTO af_alias (tenant, key, suffix, rotated_at) VALUES ('default', 'k', 's', 1)")
    with pytest.raises(ConfigurationError, match=rf"schema version 1; this release needs {NEWEST}"):
        await used(database, migrate="check")
    store = open_store(database, limits=Limits())
    await store.start()
    assert (await store.named("default", "k")).session_id == "k#s"
    new = NewTask(
        owner=("default", 1, "ada"),
        kind="work",
        id="1",
        line="l",
        payload=b"1",
        circumstances=b"{}",
        max_waiting=1,
        max_open=1,
    )
    assert await store.tasks.accept(new)
    await store.documents.add(new.owner, "k", [NewDocument("note", "1", b"1")])
    assert await store.documents.find(new.owner, "note", "1") is not None
    await store.stop()


async def test_check_takes_no_step_and_says_how_to_take_it(database: str) -> None:
    with pytest.raises(ConfigurationError, match=rf"schema version 0; this release needs {NEWEST}. Run `af-hosting mi"):
        await used(database, migrate="check")
    await used(database)
    await used(database, migrate="check")


@pytest.mark.parametrize("migrate", ["auto", "check"])
async def test_a_newer_schema_is_left_untouched(database: str, migrate: str) -> None:
    await used(database)
    newer = NEWEST + 1
    rows(database, f"UPDATE af_schema SET version = {newer}")  # noqa: S608 - a constant
    before = stored(database)
    with pytest.raises(ConfigurationError, match=f"schema version {newer}; this release knows versions up to"):
        await used(database, migrate=migrate)
    assert stored(database) == before
    assert rows(database, "SELECT version FROM af_schema") == [(newer,)]


def stored(database: str) -> bytes:
    """Return the bytes of a file; nothing of a server."""
    return Path(database.removeprefix("sqlite:///")).read_bytes() if database.startswith("sqlite") else b""
