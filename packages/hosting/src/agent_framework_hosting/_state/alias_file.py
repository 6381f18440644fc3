"""Resets in an SQLite file. Each is sealed, so that damage is noticed, and what it left whole can be saved.

SQLite's own check sees a damaged tree, not a letter that became another one. So every row carries a digest of itself,
and the ledger how many rows there are and all their digests in one. The seals are against accidents: whoever may write
here may run code as this user anyway.

The journal is a rollback journal, not a write-ahead log: once a commit has returned, all there is lies in the one file
and has been synced. A damaged log would lose its last commits without anybody noticing.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Generator, Iterable, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final, Self

from ..errors import ConfigurationError
from .private import BadFile, open_private, set_aside, unfinished

ALIASES: Final = "aliases.db"
"""The name of the file."""

_SCHEMA_VERSION: Final = 1
_APPLICATION_ID: Final = int.from_bytes(b"AFHA")
_TABLES: Final = {
    b"aliases": (
        b"CREATE TABLE aliases ("
        b"number INTEGER PRIMARY KEY, "
        b"tenant BLOB NOT NULL, key BLOB NOT NULL, suffix BLOB NOT NULL, seal BLOB NOT NULL)"
    ),
    b"ledger": b"CREATE TABLE ledger (id INTEGER PRIMARY KEY, entries INTEGER NOT NULL, seal BLOB NOT NULL)",
}
_SETTINGS: Final = (
    "PRAGMA trusted_schema = OFF",
    "PRAGMA cell_size_check = ON",
    "PRAGMA journal_mode = DELETE",
    # EXTRA also syncs the folder when the journal is gone: until then a power cut would take the commit back.
    "PRAGMA synchronous = EXTRA",
    "PRAGMA fullfsync = ON",
)
_HEADER_BYTES: Final = 100
_SEAL_BYTES: Final = 16
_BUSY_TIMEOUT: Final = 2.0
"""Seconds to wait for somebody who looks into the file with a tool of SQLite's."""

_TROUBLE: Final = (
    sqlite3.Error,
    MemoryError,
    UnicodeDecodeError,  # SQLite quotes what it found in its messages, and Python cannot read them
)
_NOT_THE_FILES_FAULT: Final = frozenset(
    {"SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_FULL", "SQLITE_IOERR", "SQLITE_NOMEM", "SQLITE_PERM", "SQLITE_CANTOPEN"}
)


@dataclass(frozen=True, slots=True)
class Reset:
    """One reset: the key stands for the session with this suffix. Later ones have higher numbers."""

    number: int
    tenant: str
    key: str
    suffix: str
    seal: bytes

    @classmethod
    def sealed(cls, number: int, *, tenant: str, key: str, suffix: str) -> Self:
        """Return a reset with its seal."""
        return cls(number, tenant, key, suffix, _seal(number, *map(_encoded, (tenant, key, suffix))))

    @property
    def row(self) -> tuple[int, bytes, bytes, bytes, bytes]:
        """What is stored; keys are bytes because they may hold what is no valid Unicode."""
        return (self.number, _encoded(self.tenant), _encoded(self.key), _encoded(self.suffix), self.seal)


class _Damaged(BadFile):
    """Some of the file can be saved."""

    def __init__(self, reason: str, *, saved: Sequence[Reset]) -> None:
        super().__init__(reason)
        self.saved = saved


class AliasFile:
    """The open file. Only for who is alone in the folder.

    Args:
        connection: A connection to a file that was found whole.
        resets: What it holds.
    """

    def __init__(self, connection: sqlite3.Connection, resets: Sequence[Reset]) -> None:
        self.resets = resets
        self._connection = connection
        self._ledger = _Ledger().after(added=resets)

    @classmethod
    def open(cls, folder: Path) -> Self:
        """Open the folder's file; begins a fresh one when there is none, or none that can be used.

        Raises:
            ConfigurationError: A newer version wrote it, or the system refuses to open it; it was not touched.
        """
        path = folder / ALIASES
        saved: Sequence[Reset] = ()
        try:
            return cls(*_opened(path))
        except FileNotFoundError:
            _set_aside(path, reason="the file that it belongs to is gone")
        except _Damaged as damaged:
            saved = damaged.saved
            _set_aside(path, reason=f"{damaged.reason}; {len(saved)} resets were saved from it")
        except BadFile as bad:
            _set_aside(path, reason=f"{bad.reason}; the resets in it, if any, are lost")
        _begin(path, saved)
        return cls(*_opened(path))

    def record(self, reset: Reset, *, instead_of: Iterable[Reset]) -> None:
        """Store a reset, and drop others; both have reached the disk when this returns.

        Raises:
            sqlite3.Error: It could not be written; nothing has changed.
        """
        gone = list(instead_of)
        ledger = self._ledger.after(added=[reset], removed=gone)
        connection = self._connection
        with _transaction(connection):
            connection.executemany("DELETE FROM aliases WHERE number = ?", [(each.number,) for each in gone])
            connection.execute("INSERT INTO aliases VALUES (?, ?, ?, ?, ?)", reset.row)
            connection.execute("UPDATE ledger SET entries = ?, seal = ?", ledger.row)
        self._ledger = ledger

    def close(self) -> None:
        """Close it."""
        self._connection.close()


@dataclass(frozen=True, slots=True)
class _Ledger:
    entries: int = 0
    seal: int = 0

    @property
    def row(self) -> tuple[int, bytes]:
        return self.entries, self.seal.to_bytes(_SEAL_BYTES)

    def after(self, *, added: Iterable[Reset], removed: Iterable[Reset] = ()) -> _Ledger:
        entries, seal = self.entries, self.seal
        for resets, step in ((added, 1), (removed, -1)):
            for reset in resets:
                entries += step
                seal ^= int.from_bytes(reset.seal)
        return _Ledger(entries, seal)


def _opened(path: Path) -> tuple[sqlite3.Connection, Sequence[Reset]]:
    _check_header(path)
    for sibling in _siblings(path):
        os.close(open_private(sibling))
    with _blamed(path):
        connection = _connect(path)
        try:
            return connection, _read(connection)
        except BaseException:
            connection.close()
            raise


def _check_header(path: Path) -> None:
    # The header is read here, so that SQLite is not let near a file of somebody else's, or of a later version.
    descriptor = open_private(path)
    try:
        header = os.pread(descriptor, _HEADER_BYTES, 0)
    finally:
        os.close(descriptor)
    if len(header) < _HEADER_BYTES:
        raise BadFile("it was truncated")
    if not header.startswith(b"SQLite format 3\0") or int.from_bytes(header[68:72]) != _APPLICATION_ID:
        raise BadFile("it is no file of this host's")
    version = int.from_bytes(header[60:64], signed=True)
    if version < _SCHEMA_VERSION:
        raise BadFile(f"it has the schema version {version}, which never was")
    if version > _SCHEMA_VERSION:
        raise ConfigurationError(
            f"{path} has the schema version {version}, and this version of agent-framework-hosting knows "
            f"{_SCHEMA_VERSION}: a newer one wrote it. Use that, or name another state_dir."
        )


def _connect(path: Path) -> sqlite3.Connection:
    # The guard of whoever uses it keeps threads apart, so any of them may.
    connection = sqlite3.connect(
        f"{path.as_uri()}?mode=rw", uri=True, isolation_level=None, check_same_thread=False, timeout=_BUSY_TIMEOUT
    )
    connection.text_factory = bytes  # what is damaged need not be text
    return connection


@contextmanager
def _blamed(path: Path) -> Generator[None]:
    """Tell what is the file's fault from what is not."""
    try:
        yield
    except _TROUBLE as error:
        if _is_the_files_fault(error):
            raise BadFile(f"SQLite cannot read it ({error})") from error
        raise ConfigurationError(
            f"{path} cannot be opened ({error}). See that the disk has room, that this process may write there, and "
            "that no other program keeps the file locked."
        ) from error


def _is_the_files_fault(error: BaseException) -> bool:
    if isinstance(error, MemoryError):
        return False
    name = str(getattr(error, "sqlite_errorname", ""))
    return not any(name.startswith(other) for other in _NOT_THE_FILES_FAULT)


def _read(connection: sqlite3.Connection) -> list[Reset]:
    for setting in _SETTINGS:
        connection.execute(setting)
    if dict(connection.execute("SELECT name, sql FROM sqlite_master").fetchall()) != _TABLES:
        raise BadFile("its tables are none of this host's")
    resets: list[Reset] = []
    try:
        trouble = _collect(connection, resets) or _trouble(connection, resets)
    except _TROUBLE as error:
        if not _is_the_files_fault(error):
            raise
        trouble = f"SQLite cannot read all of it ({error})"
    if trouble:
        raise _Damaged(trouble, saved=resets)
    return resets


def _collect(connection: sqlite3.Connection, resets: list[Reset]) -> str | None:
    """Add what is whole to `resets`; returns what is wrong with the rest."""
    broken = 0
    for row in connection.execute("SELECT number, tenant, key, suffix, seal FROM aliases ORDER BY number"):
        reset = _verified(row)
        if reset is None:
            broken += 1
        else:
            resets.append(reset)
    return f"{broken} rows do not match their seals" if broken else None


def _trouble(connection: sqlite3.Connection, resets: Sequence[Reset]) -> str | None:
    if connection.execute("SELECT entries, seal FROM ledger").fetchall() != [_Ledger().after(added=resets).row]:
        return "its rows do not match its ledger"
    (verdict,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
    if verdict != b"ok":
        return f"SQLite finds it damaged ({_shown(verdict)})"
    # What can be read and not written would fail at the first reset.
    with _transaction(connection):
        connection.execute("UPDATE ledger SET entries = entries")
    return None


def _verified(row: tuple[Any, ...]) -> Reset | None:
    number, *texts, seal = row
    if not (
        isinstance(number, int) and all(isinstance(text, bytes) for text in texts) and seal == _seal(number, *texts)
    ):
        return None
    tenant, key, suffix = (text.decode("utf-8", "surrogatepass") for text in texts)
    return Reset(number, tenant, key, suffix, seal)


def _begin(path: Path, resets: Iterable[Reset]) -> None:
    """Put a fresh file in place, which appears when it is whole."""
    # A key has one reset; should a damaged file have shown two, the later one counts.
    last = {(reset.tenant, reset.key): reset for reset in resets}.values()
    kept = [
        Reset.sealed(number, tenant=reset.tenant, key=reset.key, suffix=reset.suffix)
        for number, reset in enumerate(last, start=1)
    ]
    with unfinished(path) as beside, closing(_connect(beside)) as connection, _blamed(path):
        connection.execute("PRAGMA journal_mode = MEMORY")  # a journal beside a file that is not there yet helps nobody
        connection.execute("PRAGMA synchronous = FULL")
        with _transaction(connection):
            for sql in _TABLES.values():
                connection.execute(sql.decode())
            connection.executemany("INSERT INTO aliases VALUES (?, ?, ?, ?, ?)", [reset.row for reset in kept])
            connection.execute("INSERT INTO ledger VALUES (1, ?, ?)", _Ledger().after(added=kept).row)
            connection.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {_SCHEMA_VERSION}")


def _set_aside(path: Path, *, reason: str) -> None:
    # The journal goes first: it must never be taken for one of the file that comes next.
    for left in (*_siblings(path), path):
        with suppress(FileNotFoundError):
            set_aside(left, reason=reason)


def _siblings(path: Path) -> list[Path]:
    siblings = (path.with_name(path.name + ending) for ending in ("-journal", "-wal", "-shm"))
    return [sibling for sibling in siblings if os.path.lexists(sibling)]


@contextmanager
def _transaction(connection: sqlite3.Connection) -> Generator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:  # some errors have rolled it back already
            connection.execute("ROLLBACK")
        raise


def _seal(number: int, *texts: bytes) -> bytes:
    digest = blake2b(str(number).encode(), digest_size=_SEAL_BYTES)
    for text in texts:
        digest.update(b"%d:" % len(text) + text)
    return digest.digest()


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _shown(verdict: object) -> str:
    return verdict.decode("utf-8", "replace").strip() if isinstance(verdict, bytes) else str(verdict)
