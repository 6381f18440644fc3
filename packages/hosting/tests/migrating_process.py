"""Takes schema steps in processes of their own, one for each line on its input: a JSON list `[log, database, *steps]`.

Each is answered by its process id, and writes into its log what became of it. "real" stands for all of the real steps,
"first", "second" and "third" for one of them. "adds" adds a table with rows; "stops" does half of that, says so, and
stands still; "renames" needs what "adds" made. "begins and stops" is the real step whose turn it is, and stands still
before it is committed.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path

from sqlalchemy import Connection, text

from agent_framework_hosting._state.sql.migrations import STEPS, Step, migrate_postgres, migrate_sqlite


def adds(connection: Connection) -> None:
    """Add a table, and rows."""
    connection.execute(text("CREATE TABLE af_added (n INTEGER)"))
    connection.execute(text("INSERT INTO af_added SELECT 1 UNION ALL SELECT 2"))


def stops(connection: Connection) -> None:
    """Do half of it."""
    connection.execute(text("CREATE TABLE af_added (n INTEGER)"))
    connection.execute(text("INSERT INTO af_added SELECT 1"))
    print("in the middle", flush=True)  # noqa: T201 - it is for the test to read
    time.sleep(60)


def stopping(step: Step) -> Step:
    """Return a step that does what another one does, and stands still before it is committed."""

    def begins_and_stops(connection: Connection) -> None:
        step(connection)
        stops(connection)

    return begins_and_stops


def renames(connection: Connection) -> None:
    """Change what the step before made."""
    connection.execute(text("ALTER TABLE af_added RENAME COLUMN n TO m"))


NAMED: dict[str, Step] = {
    "first": STEPS[0],
    "second": STEPS[1],
    "third": STEPS[2],
    "adds": adds,
    "stops": stops,
    "renames": renames,
}


def named(names: tuple[str, ...]) -> list[Step]:
    """Return the steps of these names."""
    steps: list[Step] = []
    for name in names:
        if name == "real":
            steps += STEPS[len(steps) :]
        else:
            steps.append(stopping(STEPS[len(steps)]) if name == "begins and stops" else NAMED[name])
    return steps


def take(log: str, database: str, *names: str) -> None:
    """Take the steps, and say so."""
    os.dup2(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), 1)
    steps = named(names)
    try:
        if database.startswith("sqlite:///"):
            migrate_sqlite(Path(database.removeprefix("sqlite:///")), apply=True, steps=steps)
        else:
            migrate_postgres(database, apply=True, steps=steps)
        print("done", flush=True)  # noqa: T201 - likewise
    except Exception as error:  # noqa: BLE001 - the test is told, whatever it is
        print(repr(error), flush=True)  # noqa: T201 - likewise
    finally:
        os._exit(0)


if __name__ == "__main__":
    # Whoever ends is gone at once: nobody here waits for it.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            take(*json.loads(line))
        print(child, flush=True)  # noqa: T201 - that is the answer
