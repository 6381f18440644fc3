"""A transaction as a generator: it yields statements, gets their rows, and returns its result. It does no I/O.

Statements are written in the words that SQLite and PostgreSQL share. Values are named (`:name`). What differs stands in
braces: `{now}` is the database's clock in seconds, `{lock}` keeps a row that was read from others until the end,
`{unlocked}` does so with those that nobody else has, `{alone}` lets one through at a time for each number `:name`,
`{last}` is the number that the newest row with one was given on this connection.

What a script yields is a batch: statements that run one after another, each seeing what those before it did, and whose
rows come together, since a round trip is what costs. A batch that `is_whole` asks for nothing that could undo it: it
may be committed as it is. What the script yields after it may be a transaction of its own.
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


class Batch(NamedTuple):
    """Statements that are sent together."""

    statements: tuple[Statement, ...]
    is_whole: bool = False


Script: TypeAlias = Generator[Batch, list[list[Row]], ResultT]

_NAMED: Final = re.compile(r"(?<![:\w]):(\w+)")


@dataclass(frozen=True)
class Dialect:
    """How a database says what differs."""

    now: str
    lock: str
    unlocked: str
    alone: str
    last: str
    named: str
    _known: dict[str, str] = field(default_factory=dict[str, str], compare=False)

    def said(self, text: str) -> str:
        """Return a statement in this dialect."""
        known = self._known.get(text)
        if known is None:
            said = text
            for word in ("now", "lock", "unlocked", "alone", "last"):
                said = said.replace(f"{{{word}}}", getattr(self, word))
            known = _NAMED.sub(self.named, said)
            self._known[text] = known
        return known


# Since the epoch, to the millisecond; `unixepoch('subsec')` is younger than the SQLite that many Pythons carry.
SQLITE: Final = Dialect(
    now="((julianday('now') - 2440587.5) * 86400.0)",
    lock="",
    unlocked="",
    alone=":name",
    last="last_insert_rowid()",
    named=r":\1",
)
POSTGRES: Final = Dialect(
    now="extract(epoch from clock_timestamp())::double precision",
    lock="FOR UPDATE",
    unlocked="FOR UPDATE SKIP LOCKED",
    alone="pg_advisory_xact_lock(:name)",
    last="lastval()",
    named=r"%(\1)s",
)


def one(text: str, /, **values: Any) -> Script[Row | None]:
    """Run a statement that gives one row at the most."""
    (rows,) = yield Batch((Statement(text, values),))
    return rows[0] if rows else None


def all_of(text: str, /, **values: Any) -> Script[list[Row]]:
    """Run a statement and return its rows."""
    (rows,) = yield Batch((Statement(text, values),))
    return rows


def do(text: str, /, **values: Any) -> Script[None]:
    """Run a statement for what it does."""
    yield Batch((Statement(text, values),))


def together(*statements: Statement, is_whole: bool = False) -> Script[list[Row | None]]:
    """Run statements that give one row at the most each."""
    answers = yield Batch(statements, is_whole)
    return [rows[0] if rows else None for rows in answers]
