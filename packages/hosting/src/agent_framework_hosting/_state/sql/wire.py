"""The statements of a batch in one round trip, on a connection of psycopg.

Rules of this file:
1. libpq's pipeline: all statements go out together, and their rows come back together. What is sent outside of a
   transaction is one by itself, which is committed when the last answer comes, and undone when one of them fails.
2. Each statement is prepared once on a connection, under a name that no other one has: where a pooler gives the
   connection another server it is unknown, or the same. The server says of which type its values are.
3. Values go as they are, with their length, so that none is taken for something shorter; rows come likewise.
4. What is large has gone out before more is put behind it: whenever libpq has sent a piece it moves all that waits.
5. A connection on which something is still under way is never used again, and neither is one whose server does not know
   any more what was prepared on it: a pooler had it forget, or gave it another server, or a table has changed.
"""

from __future__ import annotations

import hashlib
import re
import struct
from collections.abc import Callable, Generator, Mapping, Sequence
from typing import Any, Final, NamedTuple, TypeAlias

import psycopg
from psycopg import AsyncConnection, errors, pq
from psycopg.pq.abc import PGconn, PGresult
from psycopg.waiting import Ready, Wait

from .script import POSTGRES, Row, Statement

_Reader: TypeAlias = Callable[[bytes], Any]
_Asked: TypeAlias = tuple[bytes, list[bytes | None], list[int], bool]
"""A prepared statement's name, its values, the format of each, and whether one of them is large."""

_NAMED: Final = re.compile(r"%\((\w+)\)s")
_BINARY: Final = 1
_TEXT: Final = 0
_LARGE: Final = 256 * 1024
"""Bytes of a value beyond which it is large: about what a socket takes at once."""
_NAME: Final = 24
"""Hexadecimal digits of what a statement is known by."""
_ROLLBACK: Final = Statement("ROLLBACK", {})
FORGOTTEN: Final = (errors.InvalidSqlStatementName, errors.DuplicatePreparedStatement, errors.FeatureNotSupported)
"""What a server says when what was prepared is not there, is something else, or does not fit the table any more."""
_FAILED: Final = (pq.ExecStatus.FATAL_ERROR, pq.ExecStatus.BAD_RESPONSE)


def _integer(value: bytes) -> int:
    return int.from_bytes(value, signed=True)


def _number(value: bytes) -> float:
    return struct.unpack("!d", value)[0]


def _bytes(value: bytes) -> bytes:
    return value


def _nothing(_: bytes) -> None: ...


_BY_TYPE: Final[Mapping[int, _Reader]] = {
    17: _bytes,  # bytea
    20: _integer,  # int8
    21: _integer,  # int2
    23: _integer,  # int4
    701: _number,  # float8
    2278: _nothing,  # void
}
_TEXTS: Final = frozenset((19, 25, 1043))
"""name, text, varchar"""


class _Prepared(NamedTuple):
    """A statement as the server knows it, and the names of its values in their order."""

    name: bytes
    text: bytes
    names: tuple[str, ...]


class Wire:
    """Asks on one connection, which nobody else may use meanwhile."""

    def __init__(self, connection: AsyncConnection[Row]) -> None:
        self._connection = connection
        self._encoding = connection.info.encoding
        self._readers = {**_BY_TYPE, **dict.fromkeys(_TEXTS, self._text)}
        self._prepared: dict[str, _Prepared] = {}

    async def ask(self, statements: Sequence[Statement]) -> list[list[Row]]:
        """Run statements in their order, and return the rows of each.

        Raises:
            psycopg.Error: One of them failed, and none behind it has run.
        """
        new: dict[str, _Prepared] = {}
        asked = [self._asked(statement, new) for statement in statements]
        results = await self._exchanged(asked, new)
        # Only now is it known which of them the server knows; it keeps them also when what follows is undone.
        known = zip(new.items(), results, strict=False)
        self._prepared |= {text: each for (text, each), result in known if result.status == pq.ExecStatus.COMMAND_OK}
        for result in results:
            if result.status in _FAILED:
                error = _error(result, self._encoding)
                if isinstance(error, FORGOTTEN):
                    self._connection.pgconn.finish()
                raise error
        return [self._rows(result) for result in results[len(new) :]]

    async def undo(self) -> None:
        """End a transaction as if it had never been, if the connection still stands."""
        if not self._connection.broken and not self._connection.closed:
            await self.ask((_ROLLBACK,))

    async def _exchanged(self, asked: Sequence[_Asked], new: Mapping[str, _Prepared]) -> list[PGresult]:
        pgconn = self._connection.pgconn
        pgconn.enter_pipeline_mode()
        try:
            for prepared in new.values():
                pgconn.send_prepare(prepared.name, prepared.text)
            return await self._connection.wait(_results(pgconn, asked))
        finally:
            _end(pgconn)

    def _asked(self, statement: Statement, new: dict[str, _Prepared]) -> _Asked:
        prepared = self._prepared.get(statement.text) or new.get(statement.text)
        if prepared is None:
            prepared = new[statement.text] = self._prepare(statement.text)
        values, formats, is_large = list[bytes | None](), list[int](), False
        for each in prepared.names:
            value = statement.values[each]
            if isinstance(value, str):
                value = value.encode(self._encoding)
            is_raw = value is None or isinstance(value, bytes)
            # Text that is not raw would end at its first NUL.
            values.append(value if is_raw else str(value).encode())
            formats.append(_BINARY if is_raw else _TEXT)
            is_large = is_large or (isinstance(value, bytes) and len(value) > _LARGE)
        return prepared.name, values, formats, is_large

    def _prepare(self, text: str) -> _Prepared:
        places: dict[str, str] = {}
        said = _NAMED.sub(lambda found: places.setdefault(found[1], f"${len(places) + 1}"), POSTGRES.said(text))
        name = b"af_" + hashlib.sha256(said.encode()).hexdigest()[:_NAME].encode()
        return _Prepared(name, said.encode(self._encoding), tuple(places))

    def _text(self, value: bytes) -> str:
        return value.decode(self._encoding)

    def _rows(self, result: PGresult) -> list[Row]:
        if not result.ntuples:
            return []
        columns = [(column, self._readers[result.ftype(column)]) for column in range(result.nfields)]
        get = result.get_value
        return [
            tuple(None if (value := get(row, column)) is None else read(value) for column, read in columns)
            for row in range(result.ntuples)
        ]


def _results(pgconn: PGconn, asked: Sequence[_Asked]) -> Generator[Wait, Ready | int | None, list[PGresult]]:
    """Send what is to be sent, and take what comes, until all has been answered."""
    for name, values, formats, is_large in asked:
        pgconn.send_query_prepared(name, values, formats, _BINARY)
        if is_large:
            yield from _flushed(pgconn)
    pgconn.pipeline_sync()
    yield from _flushed(pgconn)
    results: list[PGresult] = []
    while True:
        while pgconn.is_busy():
            yield Wait.R
            pgconn.consume_input()
        result = pgconn.get_result()
        if result is None:
            # Behind each answer; and when the connection broke, for ever.
            if pgconn.status != pq.ConnStatus.OK:
                raise psycopg.OperationalError("the connection is lost")
        elif result.status == pq.ExecStatus.PIPELINE_SYNC:
            return results
        else:
            results.append(result)


def _flushed(pgconn: PGconn) -> Generator[Wait, Ready | int | None]:
    while pgconn.flush():
        # The server may have to get rid of its answers before it takes more.
        ready = yield Wait.RW
        if ready is None:
            # So it goes on for one that was cancelled. Much may be left, and the server cannot have committed anything.
            raise psycopg.OperationalError("it was given up while it was sent")
        if ready & Ready.R:
            pgconn.consume_input()


def _error(result: PGresult, encoding: str) -> psycopg.Error:
    if result.error_field(pq.DiagnosticField.SQLSTATE) is None:
        # It is libpq that speaks, and not the server.
        return psycopg.OperationalError(result.get_error_message(encoding))
    return errors.error_from_result(result, encoding)


def _end(pgconn: PGconn) -> None:
    try:
        pgconn.exit_pipeline_mode()
    except psycopg.Error:
        pgconn.finish()
