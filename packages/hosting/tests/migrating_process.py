"""Takes schema steps in processes of their own, one for each line on its input: a JSON list `[log, database, *steps]`.

Each is answered by its process id, and writes into its log what became of it. "adds" adds a table with rows; "stops"
does half of that, says so, and stands still; "renames" needs what "adds" made.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import Connection, text

from agent_framework_hosting._state.sql.migrations import STEPS, migrate_postgres, migrate_sqlite


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


def begins_and_stops(connection: Connection) -> None:
    """Take the real first step, and stand still before it is committed."""
    STEPS[0](connection)
    stops(connection)


def renames(connection: Connection) -> None:
    """Change what the step before made."""
    connection.execute(text("ALTER TABLE af_added RENAME COLUMN n TO m"))


NAMED: dict[str, Callable[[Connection], None]] = {
    "real": STEPS[0],
    "adds": adds,
    "stops": stops,
    "renames": renames,
    "begins and stops": begins_and_stops,
}


def take(log: str, database: str, *names: str) -> None:
    """Take the steps, and say so."""
    os.dup2(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), 1)
    steps = [NAMED[name] for name in names]
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
