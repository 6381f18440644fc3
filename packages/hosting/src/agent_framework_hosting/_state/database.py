"""From what a user says about the database to the store that keeps the state."""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias
from urllib.parse import unquote

from ..errors import ConfigurationError
from ..limits import Limits

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from .port import StateStore

Migrate: TypeAlias = Literal["auto", "check"]
"""Whether the schema is brought up to date at start, or only looked at."""

Kind: TypeAlias = Literal["sqlite", "postgres"]

_PASSWORD: Final = re.compile(r"([?&](?:ssl)?password=)[^&]*")
_EXTRAS: Final = {"sqlite": ("sqlalchemy",), "postgres": ("sqlalchemy", "psycopg", "psycopg_pool")}
_METHODS: Final = ("start", "stop", "accept", "named", "find", "find_all", "head", "load", "rest", "rotate", "forget")
_PARTS: Final = ("tasks", "events", "claims", "documents", "records")


def open_store(database: str | StateStore, *, limits: Limits, migrate: Migrate = "auto") -> StateStore:
    """Return the store of a database; nothing is opened before its `start`.

    Args:
        database: `sqlite:///./state/host.db` (a path from the working directory; four slashes for an absolute one),
            `postgresql://user:password@server/name`, or a store.
        limits: How long what is kept.
        migrate: See `Migrate`.

    Raises:
        ConfigurationError: The URL is none of these, or what it needs is not installed.
    """
    if migrate not in ("auto", "check"):
        raise ConfigurationError(f"migrate={migrate!r} is unknown. Use 'auto' or 'check'.")
    if not isinstance(database, str):
        if all(hasattr(database, name) for name in (*_METHODS, *_PARTS)):
            return database
        raise ConfigurationError(
            f"database= is an object of type {type(database).__name__}, which is no store. Give a URL, such as "
            "'sqlite:///./state/host.db'."
        )
    is_file = _kind(database) == "sqlite"
    driver = _sqlite(database, migrate) if is_file else _postgres(database, migrate, lease=limits.lease)
    from .sql.retention import Ages
    from .sql.sqlstore import SqlStore

    ages = Ages(sessions=limits.stored_session_ttl, records=limits.record_ttl, claims=limits.idempotency_ttl)
    return SqlStore(driver, ages=ages, lease=limits.lease)


def described(database: str) -> str:
    """Return a database URL as logs may show it: without a password."""
    shown = _PASSWORD.sub(r"\1***", database)
    head, at, tail = shown.rpartition("@")
    if not at:
        return shown
    scheme, _, login = head.partition("://")
    return f"{scheme}://{login.partition(':')[0]}@{tail}"


def open_engine(database: str, *, create: bool = False) -> Engine:
    """Return an SQLAlchemy engine for a database, for what is not on the way of a turn.

    Args:
        database: A URL as for `open_store`.
        create: Make the file of a SQLite database that is not there yet, for its owner alone.

    Raises:
        ConfigurationError: The URL names no database, what it needs is not installed, or its file cannot be used.
    """
    kind = _kind(database)
    _require(kind)
    from .sql.migrations import postgres_engine, sqlite_engine

    if kind == "postgres":
        return postgres_engine(database)
    path = _path(database)
    if create:
        from .sql.sqlite import make_file

        make_file(path)
    elif not path.is_file():
        raise ConfigurationError(f"There is no database at {path}. A host makes it when it starts with database=.")
    return sqlite_engine(path)


def _kind(database: str) -> Kind:
    scheme, separator, _ = database.partition("://")
    if separator and scheme == "sqlite":
        return "sqlite"
    if separator and scheme in ("postgresql", "postgres"):
        return "postgres"
    raise ConfigurationError(
        "This is not the URL of a database that is known here"
        f"{f' (scheme {scheme!r})' if separator else ''}. Use 'sqlite:///./state/host.db' or "
        "'postgresql://user:password@server/name'."
    )


def _sqlite(url: str, migrate: Migrate) -> Any:
    _require("sqlite")
    path = _path(url)
    from .sql.sqlite import SqliteDriver

    return SqliteDriver(path, migrate=migrate == "auto")


def _path(url: str) -> Path:
    path = unquote(url.removeprefix("sqlite://").removeprefix("/"))
    if not path or path == ":memory:" or "?" in path:
        raise ConfigurationError(
            f"database={url!r} names no file. Use 'sqlite:///./state/host.db'; leave database= out for state in memory."
        )
    return Path(path)


def _postgres(url: str, migrate: Migrate, *, lease: float) -> Any:
    _require("postgres")
    from .sql.postgres import PostgresDriver

    return PostgresDriver(url, migrate=migrate == "auto", longest_pause=lease)


def _require(extra: str) -> None:
    lacking = [module for module in _EXTRAS[extra] if find_spec(module) is None]
    if lacking:
        raise ConfigurationError(
            f"database= needs {', '.join(lacking)}. Install the base with its extra: "
            f'pip install "./packages/hosting[{extra}]".'
        )
