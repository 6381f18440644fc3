"""The schema's steps: each one is a transaction with its own number, so that a kill leaves either all of it or nothing.

Several processes may start at once: one takes the steps, the others wait and find them taken. A schema that is newer
than this code is left alone.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TypeAlias

from sqlalchemy import Connection, Engine, Table, create_engine, event, insert, inspect, make_url, select, text, update
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.pool import NullPool

from ...errors import ConfigurationError
from .schema import DOCUMENTS, EVENTS, METADATA, SCHEMA, TASKS

Step: TypeAlias = Callable[[Connection], None]
_LOCK: Final = 0x61665F686F7374
"""What processes that start together lock in PostgreSQL."""
_PATIENCE: Final = 5
"""Seconds to wait for a connection to PostgreSQL."""


_LATER: Final = (TASKS, EVENTS, DOCUMENTS)
"""Tables that came later, each with a step of its own, in this order."""


def _create_tables(connection: Connection) -> None:
    METADATA.create_all(connection, tables=[table for table in METADATA.sorted_tables if table not in _LATER])


def _adding(table: Table) -> Step:
    def add(connection: Connection) -> None:
        METADATA.create_all(connection, tables=[table])

    return add


STEPS: Final[Sequence[Step]] = (_create_tables, *map(_adding, _LATER))
"""What makes a schema of version n into one of version n + 1; a step that was released is never changed."""


def migrate(engine: Engine, *, apply: bool, steps: Sequence[Step] = STEPS) -> None:
    """Bring the schema up to date, or only look whether it is.

    Raises:
        ConfigurationError: The schema is newer than this code, or older and `apply` is off; or it is no database, it is
            damaged, or it cannot be reached.
    """
    # One connection for all steps: a server counts one that was closed for a moment more, and may allow few.
    with _usable(engine), engine.connect() as connection:
        while _take_next(connection, apply=apply, steps=steps):
            pass


def version_of(engine: Engine) -> int:
    """Return the version of a database's schema; 0 when it has none.

    Raises:
        ConfigurationError: It is no database, it is damaged, or it cannot be reached.
    """
    with _usable(engine), engine.connect() as connection:
        return _version(connection)


def migrate_sqlite(path: Path, *, apply: bool, steps: Sequence[Step] = STEPS) -> None:
    """Bring the schema of a SQLite file up to date; raises as `migrate`."""
    engine = sqlite_engine(path)
    try:
        migrate(engine, apply=apply, steps=steps)
    finally:
        engine.dispose()


def migrate_postgres(url: str, *, apply: bool, steps: Sequence[Step] = STEPS) -> None:
    """Bring the schema of a PostgreSQL database up to date; raises as `migrate`."""
    engine = postgres_engine(url)
    try:
        migrate(engine, apply=apply, steps=steps)
    finally:
        engine.dispose()


def postgres_engine(url: str) -> Engine:
    """Return an engine for a PostgreSQL database, over psycopg."""
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError) as error:
        raise ConfigurationError(
            "The database's URL cannot be read; write postgresql://user:password@server/name"
        ) from error
    if "@" in (parsed.host or ""):
        raise ConfigurationError("The database's URL has more than one '@'. Write those of the password as %40.")
    patience = {} if "connect_timeout" in parsed.query else {"connect_timeout": _PATIENCE}
    arguments = {**patience, "client_encoding": "utf8"}
    return create_engine(parsed.set(drivername="postgresql+psycopg"), poolclass=NullPool, connect_args=arguments)


def sqlite_engine(path: Path) -> Engine:
    """Return an engine for a SQLite file whose transactions hold what they read."""
    engine = create_engine(f"sqlite:///{path}", poolclass=NullPool)
    event.listen(engine, "connect", _leave_transactions_to_us)
    event.listen(engine, "begin", _begin_at_once)
    return engine


def _take_next(connection: Connection, *, apply: bool, steps: Sequence[Step]) -> bool:
    """Take the next step in a transaction of its own; return whether there was one to take."""
    with connection.begin():
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        version = _version(connection)
        if version > len(steps):
            raise ConfigurationError(
                f"The database has schema version {version}; this release knows versions up to {len(steps)}. "
                "It was left untouched: install the release that wrote it, or a later one."
            )
        if version == len(steps):
            return False
        if not apply:
            raise ConfigurationError(
                f"The database has schema version {version}; this release needs {len(steps)}. "
                "Run `af-hosting migrate`, or leave migrate='check' out."
            )
        steps[version](connection)
        _say(connection, version + 1)
        return True


@contextmanager
def _usable(engine: Engine) -> Generator[None]:
    try:
        yield
    except UnicodeDecodeError as error:
        # What SQLite says of a damaged schema repeats its bytes.
        raise ConfigurationError(
            f"{engine.url.database} cannot be used as the host's database: it is damaged. Restore it from a backup, or "
            "move it away to begin with an empty one."
        ) from error
    except DBAPIError as error:
        if engine.dialect.name == "sqlite":
            raise ConfigurationError(
                f"{engine.url.database} cannot be used as the host's database: {error.orig}. Restore it from a backup, "
                "or move it away to begin with an empty one."
            ) from error
        # Options may hold a password, too.
        shown = engine.url.set(query={}, drivername="postgresql").render_as_string(hide_password=True)
        said = " ".join(str(error.orig).split())
        raise ConfigurationError(
            f"The database {shown} cannot be used: {said}. Start it, or mend its URL: it has to answer when the host "
            "starts, and to have connections to spare."
        ) from error


def _leave_transactions_to_us(connection: Any, _record: Any) -> None:
    connection.isolation_level = None
    connection.execute("PRAGMA busy_timeout = 30000")
    connection.execute("PRAGMA journal_mode = WAL")


def _begin_at_once(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _version(connection: Connection) -> int:
    if not inspect(connection).has_table(SCHEMA.name):
        return 0
    return connection.execute(select(SCHEMA.c.version)).scalar_one_or_none() or 0


def _say(connection: Connection, version: int) -> None:
    if connection.execute(update(SCHEMA).values(version=version)).rowcount == 0:
        connection.execute(insert(SCHEMA).values(version=version))
