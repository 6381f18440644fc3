"""Sessions and their finished turns.

Rules of this file:
1. A turn keeps what it added to its parent; nothing is copied from the history.
2. Whose a turn is, is part of every look-up by id.
3. A turn is written only under its lease, and only on the version of the session that it began with.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from ...errors import LeaseLost, StateUnavailable
from ...types import Owner
from ..aliases import first_session, session_id_of
from ..encoded import Encoded
from ..store import Finished, Opened, StoredTurn, Unfinished
from ..turns import SessionName
from .names import is_known_possibly, require_key
from .script import Row, Script, Statement, all_of, do, one, together

_FOUND: Final = """
SELECT t.turn_id, t.number, t.record, t.is_finished, t.session_id, s.key, s.root, s.version, s.head FROM af_turn t
JOIN af_session s ON s.tenant = t.tenant AND s.session_id = t.session_id
WHERE t.tenant = :tenant AND t.is_named = :is_named AND t.owner = :owner
"""
_FIND: Final = f"{_FOUND} AND t.turn_id = :turn_id"
_AT_ONCE: Final = 50
"""Ids of one statement; it is always the same, so that the database knows it."""
_FIND_SOME: Final = f"{_FOUND} AND t.turn_id IN ({', '.join(f':id{number}' for number in range(_AT_ONCE))})"
# The session of a key that was never reset comes along, since that is what most keys stand for.
_OPEN: Final = """
SELECT a.suffix, s.version, s.head FROM (SELECT 1) AS one
LEFT JOIN af_alias a ON a.tenant = :tenant AND a.key = :key
LEFT JOIN af_session s ON s.tenant = :tenant AND s.session_id = :session_id
"""
_SESSION: Final = "SELECT version, head FROM af_session WHERE tenant = :tenant AND session_id = :session_id"
# A parent is always older, so that not even a damaged row can make a circle.
_CHAIN: Final = """
WITH RECURSIVE chain (number, parent, is_base, added, rest) AS (
  SELECT number, parent, is_base, added, rest FROM af_turn WHERE number = :number
  UNION ALL
  SELECT t.number, t.parent, t.is_base, t.added, t.rest FROM chain c JOIN af_turn t ON t.number = c.parent
  WHERE c.is_base = 0 AND t.number < c.number
) SELECT added, rest, is_base, parent, number FROM chain ORDER BY number
"""
_REST: Final = "SELECT rest FROM af_session WHERE tenant = :tenant AND session_id = :session_id"
_RENAME: Final = """
UPDATE af_turn SET turn_id = NULL, record = NULL
WHERE tenant = :tenant AND is_named = :is_named AND owner = :owner AND turn_id = :turn_id
"""
_ADD: Final = """
INSERT INTO af_turn
  (tenant, session_id, parent, is_base, is_finished, is_named, owner, turn_id, added, rest, record, created_at)
VALUES
  (:tenant, :session_id, :parent, :is_base, 1, :is_named, :owner, :turn_id, :added, :rest, :record, {now})
ON CONFLICT (tenant, is_named, owner, turn_id) DO NOTHING RETURNING number
"""
_ADD_UNFINISHED: Final = """
INSERT INTO af_turn (tenant, session_id, is_base, is_finished, is_named, owner, turn_id, record, created_at)
VALUES (:tenant, :session_id, 0, 0, :is_named, :owner, :turn_id, :record, {now})
ON CONFLICT (tenant, is_named, owner, turn_id) DO NOTHING RETURNING number
"""
_TRIES: Final = 50
_KNOW: Final = """
INSERT INTO af_session (tenant, session_id, key, root, version, used_at)
VALUES (:tenant, :session_id, :key, :root, 0, {now}) ON CONFLICT (tenant, session_id) DO NOTHING
"""
# Of the turn that was inserted just before.
_ADVANCE: Final = """
INSERT INTO af_session (tenant, session_id, key, root, version, head, rest, used_at)
VALUES (:tenant, :session_id, :key, :root, 1, {last}, :rest, {now})
ON CONFLICT (tenant, session_id) DO UPDATE SET
  version = af_session.version + 1, head = excluded.head, rest = coalesce(excluded.rest, af_session.rest),
  used_at = excluded.used_at
WHERE af_session.version = :version
RETURNING version
"""
_HEAD: Final = "UPDATE af_session SET head = :number WHERE tenant = :tenant AND session_id = :session_id"
_LEAVE: Final = """
UPDATE af_session SET version = version + 1, rest = :rest, used_at = {now}
WHERE tenant = :tenant AND session_id = :session_id AND version = :version
"""
_IS_THERE: Final = "SELECT number FROM af_turn WHERE number = :number {lock}"
_ROTATE: Final = """
INSERT INTO af_alias (tenant, key, suffix, rotated_at) VALUES (:tenant, :key, :suffix, {now})
ON CONFLICT (tenant, key) DO UPDATE SET suffix = excluded.suffix, rotated_at = excluded.rotated_at
"""


def finding(owner: Owner, turn_id: str) -> Statement:
    """Return what finds the owner's turn of that id; `found` says what came of it."""
    return Statement(_FIND, _named(owner, turn_id))


def found(owner: Owner, row: Row | None) -> tuple[StoredTurn, Opened] | tuple[None, None]:
    """Return a turn that was found, and its session as it is."""
    if row is None:
        return None, None
    stored = _stored(owner, row)
    version, head = row[7:]
    return stored, Opened(stored.session, version, head)


def find(owner: Owner, turn_id: str) -> Script[StoredTurn | None]:
    """Return the owner's turn of that id."""
    if not is_known_possibly(owner, turn_id):
        return None
    (row,) = yield from together(finding(owner, turn_id))
    return found(owner, row)[0]


def find_all(owner: Owner, turn_ids: Sequence[str]) -> Script[dict[str, StoredTurn]]:
    """Return those of the owner's turns that are known, by their ids."""
    wanted = [turn_id for turn_id in dict.fromkeys(turn_ids) if is_known_possibly(owner, turn_id)]
    found: dict[str, StoredTurn] = {}
    for first in range(0, len(wanted), _AT_ONCE):
        some = wanted[first : first + _AT_ONCE]
        padded = {f"id{number}": some[min(number, len(some) - 1)] for number in range(_AT_ONCE)}
        rows = yield from all_of(_FIND_SOME, **_whose(owner), **padded)
        found |= {row[0]: _stored(owner, row) for row in rows}
    return found


def opening(tenant: str, key: str) -> Statement:
    """Return what opens the session that a key stands for; `opened` says what came of it."""
    session_id = first_session(tenant, key).session_id
    return Statement(_OPEN, {"tenant": tenant, "key": key, "session_id": session_id})


def opened(tenant: str, key: str, row: Row | None) -> Script[Opened]:
    """Return the session that a key stands for."""
    suffix, version, head = row or (None, None, None)
    if suffix is None:
        return Opened(first_session(tenant, key), version or 0, head)
    return (yield from reopen(SessionName(tenant, key, session_id_of(tenant, key, suffix=suffix), root=key)))


def open_session(tenant: str, key: str) -> Script[Opened]:
    """Return the session that a key stands for now.

    Raises:
        InvalidRequest: No database can keep the key.
    """
    require_key(tenant, key)
    (row,) = yield from together(opening(tenant, key))
    return (yield from opened(tenant, key, row))


def reopen(name: SessionName) -> Script[Opened]:
    """Return a session that is known by name."""
    row = yield from one(_SESSION, tenant=name.tenant, session_id=name.session_id)
    version, head = row if row is not None else (0, None)
    return Opened(name, version, head)


def chain(number: int) -> Script[list[Encoded]]:
    """Return the snapshots that a turn is made of, from the last base on; nothing when one of them is missing."""
    rows = yield from all_of(_CHAIN, number=number)
    if rows and not rows[0][2] and rows[0][3] is not None:
        return []
    return [
        Encoded(bytes_of(added), None if rest is None else bytes_of(rest), bool(is_base), number)
        for added, rest, is_base, _, number in rows
    ]


def last_rest(name: SessionName) -> Script[bytes | None]:
    """Return the state beside the messages as the session's last run left it."""
    row = yield from one(_REST, tenant=name.tenant, session_id=name.session_id)
    return bytes_of(row[0]) if row is not None and row[0] is not None else None


def adding(finished: Finished) -> tuple[Statement, Statement]:
    """Return what stores a turn as the newest of its session; `added` says what came of it."""
    name, rest = finished.session, finished.snapshot.rest
    return (
        Statement(_ADD, _named(finished.owner, finished.turn_id) | _kept(finished)),
        Statement(_ADVANCE, _of(name) | {"version": finished.version, "rest": rest}),
    )


def added(finished: Finished, turn: Row | None, session: Row | None) -> Script[int]:
    """Return the number of a turn that was stored as `adding` says.

    Raises:
        LeaseLost: The session has moved on meanwhile.
    """
    if session is None or session[0] != finished.version + 1:
        raise LeaseLost
    if turn is not None:
        return turn[0]
    number = yield from _insert(_ADD, finished.owner, finished.turn_id, **_kept(finished))
    name = finished.session
    yield from do(_HEAD, tenant=name.tenant, session_id=name.session_id, number=number)
    return number


def needing(finished: Finished) -> tuple[Statement, ...]:
    """Return what keeps the turn that a branch continues from being forgotten; there is no row if it has been already.

    Only for whoever has locked the lane: who forgets has the lanes before the turns, too.
    """
    is_branching = finished.version == 0 and finished.parent is not None
    return (Statement(_IS_THERE, {"number": finished.parent}),) if is_branching else ()


def keep_remains(unfinished: Unfinished) -> Script[None]:
    """Keep what a turn that is no part of the history left behind.

    Nothing is kept of a session that is gone, and the state not when the session has moved on.
    """
    name, version = unfinished.session, unfinished.version
    is_told = unfinished.turn_id is not None and unfinished.record is not None
    if unfinished.rest is None and not is_told:
        return
    where = {"tenant": name.tenant, "session_id": name.session_id}
    if version == 0:
        yield from do(_KNOW, **_of(name))
    elif (yield from one(_SESSION, **where)) is None:
        return
    if unfinished.rest is not None:
        yield from do(_LEAVE, **where, version=version, rest=unfinished.rest)
    if is_told:
        yield from _insert(
            _ADD_UNFINISHED,
            unfinished.owner,
            unfinished.turn_id,
            session_id=name.session_id,
            record=unfinished.record,
        )


def _insert(text: str, owner: Owner, turn_id: str | None, **values: Any) -> Script[int]:
    """Insert a turn, which takes its id from the one that had it, and return its number."""
    named = _named(owner, turn_id)
    for _ in range(_TRIES):
        row = yield from one(text, **named, **values)
        if row is not None:
            return row[0]
        # Seldom: an id that was used before, or by a turn in another line a moment ago. This one is the later.
        yield from do(_RENAME, **named)
    raise StateUnavailable


def rotate(tenant: str, key: str, suffix: str) -> Script[None]:
    """Let a key stand for a session that has never been used.

    Raises:
        InvalidRequest: No database can keep the key.
    """
    require_key(tenant, key)
    yield from do(_ROTATE, tenant=tenant, key=key, suffix=suffix)


def _stored(owner: Owner, row: Row) -> StoredTurn:
    turn_id, number, record, is_finished, session_id, key, root, *_ = row
    name = SessionName(owner[0], key, session_id, root=root)
    return StoredTurn(owner, turn_id, name, number, bytes_of(record or b""), bool(is_finished))


def bytes_of(value: Any) -> bytes:
    """Return what a column of bytes holds."""
    # Whoever reads them says what is wrong, and where; SQLite keeps values of any type in any column.
    return str(value).encode() if isinstance(value, (str, int, float)) else bytes(value)


def _named(owner: Owner, turn_id: str | None) -> dict[str, Any]:
    return {**_whose(owner), "turn_id": turn_id}


def _kept(finished: Finished) -> dict[str, Any]:
    snapshot = finished.snapshot
    return {
        "session_id": finished.session.session_id,
        "parent": finished.parent,
        "is_base": int(snapshot.is_base),
        "added": snapshot.added,
        "rest": snapshot.rest,
        "record": finished.record,
    }


def _whose(owner: Owner) -> dict[str, Any]:
    tenant, is_named, owner_id = owner
    return {"tenant": tenant, "is_named": int(is_named), "owner": owner_id}


def _of(name: SessionName) -> dict[str, Any]:
    return {"tenant": name.tenant, "session_id": name.session_id, "key": name.key, "root": name.root}
