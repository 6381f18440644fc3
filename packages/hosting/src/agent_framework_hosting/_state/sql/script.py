"""A transaction as a generator: it yields statements, gets their rows, and returns its result. It does no I/O.

Statements are written in the words that SQLite and PostgreSQL share. Values are named (`:name`). What differs stands in
braces: `{now}` is the database's clock in seconds, `{lock}` keeps a row that was read from others until the end,
`{unlocked}` does so with those that nobody else has, `{alone}` lets one through at a time for each number `:name`.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, TypeAlias, TypeVar

ResultT = TypeVar("ResultT")
Row: TypeAlias = tuple[Any, ...]


class Statement(NamedTuple):
    """One statement and its values."""

    text: str
    values: Mapping[str, Any]


Script: TypeAlias = Generator[Statement, list[Row], ResultT]

_NAMED: Final = re.compile(r"(?<![:\w]):(\w+)")


@dataclass(frozen=True)
class Dialect:
    """How a database says what differs."""

    now: str
    lock: str
    unlocked: str
    alone: str
    named: str
    _known: dict[str, str] = field(default_factory=dict[str, str], compare=False)

    def said(self, text: str) -> str:
        """Return a statement in this dialect."""
        known = self._known.get(text)
        if known is None:
            said = text
            for word in ("now", "lock", "unlocked", "alone"):
                said = said.replace(f"{{{word}}}", getattr(self, word))
            known = _NAMED.sub(self.named, said)
            self._known[text] = known
        return known


# Since the epoch, to the millisecond; `unixepoch('subsec')` is younger than the SQLite that many Pythons carry.
SQLITE: Final = Dialect(
    now="((julianday('now') - 2440587.5) * 86400.0)", lock="", unlocked="", alone=":name", named=r":\1"
)
POSTGRES: Final = Dialect(
    now="extract(epoch from clock_timestamp())::double precision",
    lock="FOR UPDATE",
    unlocked="FOR UPDATE SKIP LOCKED",
    alone="pg_advisory_xact_lock(:name)",
    named=r"%(\1)s",
)


def one(text: str, /, **values: Any) -> Script[Row | None]:
    """Run a statement that gives one row at the most."""
    rows = yield Statement(text, values)
    return rows[0] if rows else None


def all_of(text: str, /, **values: Any) -> Script[list[Row]]:
    """Run a statement and return its rows."""
    return (yield Statement(text, values))


def do(text: str, /, **values: Any) -> Script[None]:
    """Run a statement for what it does."""
    yield Statement(text, values)
