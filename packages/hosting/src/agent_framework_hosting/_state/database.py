"""From what a user says about the database to the store that keeps the state."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias
from urllib.parse import unquote

from ..errors import ConfigurationError
from ..limits import Limits
from .store import StateStore

Migrate: TypeAlias = Literal["auto", "check"]
"""Whether the schema is brought up to date at start, or only looked at."""

_EXTRAS: Final = {"sqlite": ("sqlalchemy",), "postgres": ("sqlalchemy", "psycopg", "psycopg_pool")}
_METHODS: Final = ("start", "stop", "accept", "named", "find", "head", "load", "rest", "rotate", "forget")


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
        if all(hasattr(database, method) for method in _METHODS):
            return database
        raise ConfigurationError(
            f"database= is an object of type {type(database).__name__}, which is no store. Give a URL, such as "
            "'sqlite:///./state/host.db'."
        )
    scheme, separator, _ = database.partition("://")
    if separator and scheme == "sqlite":
        driver = _sqlite(database, migrate)
    elif separator and scheme in ("postgresql", "postgres"):
        driver = _postgres(database, migrate)
    else:
        raise ConfigurationError(
            f"database= names no database that is known here (scheme {scheme!r}). Use 'sqlite:///./state/host.db' or "
            "'postgresql://user:password@server/name'."
        )
    from .sql.sqlstore import SqlStore

    return SqlStore(driver, session_ttl=limits.session_ttl, claim_ttl=limits.idempotency_ttl)


def described(database: str) -> str:
    """Return a database URL as logs may show it: without a password."""
    head, at, tail = database.rpartition("@")
    if not at:
        return database
    scheme, _, login = head.partition("://")
    return f"{scheme}://{login.partition(':')[0]}@{tail}"


def _sqlite(url: str, migrate: Migrate) -> Any:
    _require("sqlite")
    path = unquote(url.removeprefix("sqlite://").removeprefix("/"))
    if not path or path == ":memory:" or "?" in path:
        raise ConfigurationError(
            f"database={url!r} names no file. Use 'sqlite:///./state/host.db'; leave database= out for state in memory."
        )
    from .sql.sqlite import SqliteDriver

    return SqliteDriver(Path(path), migrate=migrate == "auto")


def _postgres(url: str, migrate: Migrate) -> Any:
    _require("postgres")
    from .sql.postgres import PostgresDriver

    return PostgresDriver(url, migrate=migrate == "auto")


def _require(extra: str) -> None:
    lacking = [module for module in _EXTRAS[extra] if find_spec(module) is None]
    if lacking:
        raise ConfigurationError(
            f"database= needs {', '.join(lacking)}. Install the base with its extra: "
            f'pip install "./packages/hosting[{extra}]".'
        )
