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
from sqlalchemy import Engine, NullPool, Table, create_engine, insert, inspect, select, text

from agent_framework_hosting._state.database import open_engine, open_store
from agent_framework_hosting._state.documents import NewDocument
from agent_framework_hosting._state.sql.migrations import STEPS, migrate
from agent_framework_hosting._state.sql.schema import METADATA, SCHEMA
from agent_framework_hosting._state.store import Replay
from agent_framework_hosting._state.tasks import NewTask
from agent_framework_hosting.errors import ConfigurationError
from agent_framework_hosting.limits import Limits
from agent_framework_hosting.testing.contracts._store_turns import ADA, CLAIM, asked, done, placed, said

NEWEST: Final = len(STEPS)
PATIENCE: Final = 120.0


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


def rows(database: str, query: str, **values: Any) -> list[Any]:
    engine = create_engine(database.replace("postgresql://", "postgresql+psycopg://"), poolclass=NullPool)
    with engine.begin() as connection:
        found = connection.execute(text(query), values)
        return [tuple(row) for row in found] if found.returns_rows else []


async def used(database: str, *, migrate: Any = "auto") -> None:
    store = open_store(database, limits=Limits(), migrate=migrate)
    await store.start()
    await store.stop()


@pytest.mark.parametrize(
    "done",
    [("real",), ("first", "second", "third"), ("first", "second"), ("first",), ()],
    ids=["later", "fourth", "third", "second", "first"],
)
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


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
async def test_a_database_of_the_first_version_keeps_every_row_through_all_steps(
    kind: str, make_database: Callable[[str], str]
) -> None:
    """Its rows were made by turns that ended, one that is under way, one that waits for it, and a reset."""
    newest, oldest = make_database(kind), make_database(kind).replace("host.db", "oldest.db")
    store = open_store(newest, limits=Limits())
    await store.start()
    first = await said(store, turn_id="t1")
    held = await placed(store, claim=CLAIM, answers=["asked"])
    await held.commit(done(store, await held.open(), turn_id="t2"))
    store.rotate("default", "reset")
    for _ in range(2):
        await placed(store, "running")
    rows(newest, "INSERT INTO af_checkpoint VALUES ('default', 'k', 'c', 'w', 1, :data, 1)", data=b"x")
    rows(
        newest,
        "INSERT INTO af_outbox (tenant, turn, destination, payload, outcome, attempt, due_at, created_at) "
        "VALUES ('default', 1, 'd', :data, 'open', 0, NULL, 1)",
        data=b"x",
    )
    before, engine = copied(newest, to=oldest), open_engine(oldest)
    migrate(engine, apply=True)
    for table, found in before.items():
        assert found, f"The table {table} has no row, so that nothing is shown of it."
        assert read(engine, METADATA.tables[table]) == found
    engine.dispose()
    assert rows(oldest, "SELECT version FROM af_schema") == [(NEWEST,)]
    again = open_store(oldest, limits=Limits())
    await again.start()
    found = await again.find(ADA, "t2")
    assert found is not None
    assert found.record == b'{"said":1}'
    assert await again.load(found.point) == await store.load(found.point) != await store.load(first)
    assert isinstance(await again.accept(asked(claim=CLAIM)), Replay)
    assert await again.answered(found.session) == ["asked"]
    assert await again.named("default", "reset") == await store.named("default", "reset")
    await again.stop()
    await store.stop()


def copied(newest: str, *, to: str) -> dict[str, list[Any]]:
    """Make a database of the first version, with the rows of a newer one; return them by their tables."""
    if to.startswith("sqlite"):
        Path(to.removeprefix("sqlite:///")).touch(mode=0o600)
    source, target = open_engine(newest), open_engine(to)
    migrate(target, apply=True, steps=STEPS[:1])
    known = set(inspect(target).get_table_names()) - {SCHEMA.name}
    assert known == {each.name for each in METADATA.tables.values()} - {
        "af_schema",
        "af_task",
        "af_event",
        "af_document",
    }
    found: dict[str, list[Any]] = {name: read(source, METADATA.tables[name]) for name in sorted(known)}
    with target.begin() as connection:
        for name, lines in found.items():
            columns = METADATA.tables[name].c.keys()
            for line in lines:
                connection.execute(insert(METADATA.tables[name]).values(dict(zip(columns, line, strict=True))))
    source.dispose()
    target.dispose()
    return found


def read(engine: Engine, table: Table) -> list[Any]:
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(select(table).order_by(*table.primary_key))]


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
