"""What operators' commands stand on: transactions that go on beside running hosts, and a schema that is known."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar

from sqlalchemy import ColumnElement, Connection, Engine, Table, delete, func, select
from sqlalchemy.exc import DatabaseError, OperationalError

from ...errors import ConfigurationError, StateUnavailable
from .driver import step_through
from .migrations import STEPS, version_of
from .script import Dialect, Row, Script, Statement
from .selection import dialect_of

ResultT = TypeVar("ResultT")

ROWS: Final = 500
"""Turns, or other rows, of one transaction."""
_ATTEMPTS: Final = 5


def require_current(engine: Engine) -> None:
    """See to it that the schema is the one that is known here.

    Raises:
        ConfigurationError: It is an older or a newer one.
    """
    version = version_of(engine)
    if version < len(STEPS):
        raise ConfigurationError(
            f"The database has schema version {version}; this release needs {len(STEPS)}. Run `af-hosting migrate`."
        )
    if version > len(STEPS):
        raise ConfigurationError(
            f"The database has schema version {version}; this release knows versions up to {len(STEPS)}. "
            "Use the release that wrote it, or a later one."
        )


def in_transaction(engine: Engine, work: Callable[[Connection], ResultT]) -> ResultT:
    for left in reversed(range(_ATTEMPTS)):
        try:
            with engine.begin() as connection:
                return work(connection)
        except OperationalError as error:
            # Two that wait for each other in PostgreSQL: one of them is told to try again.
            if not left or getattr(error.orig, "sqlstate", None) not in ("40P01", "40001"):
                raise StateUnavailable(f"The database refused: {error.orig}") from error
        except DatabaseError as error:
            raise StateUnavailable(f"The database refused: {error.orig}") from error
    raise AssertionError("The loop returns or raises.")


def remove(connection: Connection, table: Table, where: ColumnElement[bool], *, dry_run: bool) -> int:
    return count_of(connection, table, where) if dry_run else connection.execute(delete(table).where(where)).rowcount


def run(connection: Connection, script: Script[ResultT]) -> ResultT:
    """Run one of the hosts' own scripts."""

    def execute(dialect: Dialect, statement: Statement) -> list[Row]:
        found = connection.exec_driver_sql(dialect.said(statement.text), dict(statement.values))
        return [tuple(row) for row in found] if found.returns_rows else []

    return step_through(script, execute, dialect_of(connection))


def count_of(connection: Connection, table: Table, where: ColumnElement[bool]) -> int:
    return connection.execute(select(func.count()).select_from(table).where(where)).scalar_one()
