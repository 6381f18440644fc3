"""How a conversation is forgotten, however long it is: little by little, and never so that half of it is found.

Rules of this file:
1. A step is a transaction that has locked the lanes of the conversation, as turns do: nobody begins a turn meanwhile.
2. First the ids go; then, in one step, the sessions lose their heads, and nobody can reach a turn any more; then the
   turns go, and the sessions at last. Whoever uses the key in between begins with nothing, and what is theirs stays.
3. A process that dies in between leaves no more than the next sweep finds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from . import documents
from .script import Script, all_of, do, one

_OF_FAMILY: Final = "(SELECT session_id FROM af_session WHERE tenant = :tenant AND root = :root)"
_KEYS: Final = "(SELECT key FROM af_session WHERE tenant = :tenant AND root = :root)"
_TURNS: Final = f"SELECT number FROM af_turn WHERE tenant = :tenant AND session_id IN {_OF_FAMILY}"  # noqa: S608 - a constant
_LOCK: Final = f"""
SELECT key FROM af_lane WHERE tenant = :tenant AND key IN {_KEYS} ORDER BY key {{lock}}
"""  # noqa: S608 - likewise
_IN_USE: Final = f"""
SELECT 1 FROM af_session WHERE tenant = :tenant AND root = :root AND used_at >= {{now}} - :ttl
UNION ALL SELECT 1 FROM af_lane l JOIN af_worker w ON w.id = l.worker AND w.alive_until > {{now}}
  WHERE l.tenant = :tenant AND l.key IN {_KEYS}
UNION ALL SELECT 1 FROM af_ticket t JOIN af_worker w ON w.id = t.worker AND w.alive_until > {{now}}
  WHERE t.tenant = :tenant AND t.key IN {_KEYS}
LIMIT 1
"""  # noqa: S608 - likewise
_IS_LONG: Final = f"{_TURNS} LIMIT 1 OFFSET :most"
_FORGET_IDS: Final = f"""
UPDATE af_turn SET turn_id = NULL, record = NULL
WHERE number IN ({_TURNS} AND turn_id IS NOT NULL LIMIT :most) RETURNING number
"""  # noqa: S608 - likewise
_LAST: Final = f"{_TURNS} ORDER BY number DESC LIMIT 1"
_BEHEAD: Final = """
UPDATE af_session SET head = NULL, rest = NULL, version = version + 1 WHERE tenant = :tenant AND root = :root
"""
_DROP_TURNS: Final = f"DELETE FROM af_turn WHERE number IN ({_TURNS} AND number <= :last LIMIT :most) RETURNING number"  # noqa: S608 - likewise
_DROP_CHECKPOINTS: Final = f"""
DELETE FROM af_checkpoint WHERE tenant = :tenant AND session_id IN {_OF_FAMILY} RETURNING number
"""  # noqa: S608 - likewise
_DROP_ANSWERS: Final = "DELETE FROM af_answer WHERE tenant = :tenant AND root = :root RETURNING request_id"
_DROP_SESSIONS: Final = """
DELETE FROM af_session WHERE tenant = :tenant AND root = :root AND head IS NULL AND NOT EXISTS (
  SELECT 1 FROM af_turn t WHERE t.tenant = af_session.tenant AND t.session_id = af_session.session_id
) RETURNING session_id
"""
_DROP_ALL: Final = "DELETE FROM af_session WHERE tenant = :tenant AND root = :root"


@dataclass(frozen=True, slots=True)
class Step:
    """What one step did: the turns whose ids went, and how much else.

    `last` is the newest turn of those that go now; 0 when the conversation is gone altogether, `None` when there are
    more ids to forget first.
    """

    last: int | None
    ids: tuple[int, ...] = ()
    answers: int = 0
    checkpoints: int = 0
    documents: int = 0


def expire(*, tenant: str, root: str, ttl: float, most: int) -> Script[Step]:
    """Begin to forget a conversation, unless somebody has used it meanwhile or uses it now."""
    if (yield from is_in_use(tenant=tenant, root=root, ttl=ttl)):
        return Step(0)
    if (yield from one(_IS_LONG, tenant=tenant, root=root, most=most)) is not None:
        return (yield from begin(tenant=tenant, root=root, most=most))
    yield from forget(tenant=tenant, root=root)
    return Step(0)


def is_in_use(*, tenant: str, root: str, ttl: float) -> Script[bool]:
    """Lock the lanes of a conversation, and say whether it has to stay."""
    yield from all_of(_LOCK, tenant=tenant, root=root)
    return (yield from one(_IN_USE, tenant=tenant, root=root, ttl=ttl)) is not None


def begin(*, tenant: str, root: str, most: int) -> Script[Step]:
    """Forget some ids of a conversation whose lanes are locked; with the last of them its sessions lose their heads."""
    rows = yield from all_of(_FORGET_IDS, tenant=tenant, root=root, most=most)
    ids = tuple(row[0] for row in rows)
    if len(ids) == most:
        return Step(None, ids)
    last = yield from one(_LAST, tenant=tenant, root=root)
    yield from do(_BEHEAD, tenant=tenant, root=root)
    answers = yield from all_of(_DROP_ANSWERS, tenant=tenant, root=root)
    checkpoints = yield from all_of(_DROP_CHECKPOINTS, tenant=tenant, root=root)
    kept = yield from documents.forget(tenant=tenant, root=root)
    return Step(last[0] if last is not None else 0, ids, len(answers), len(checkpoints), kept)


def drop_turns(*, tenant: str, root: str, last: int, most: int) -> Script[int]:
    """Drop some turns that nobody can reach; returns how many."""
    return len((yield from all_of(_DROP_TURNS, tenant=tenant, root=root, last=last, most=most)))


def expire_sessions(*, tenant: str, root: str, ttl: float) -> Script[int]:
    """Drop the sessions that have no turns, unless somebody uses them; returns how many."""
    if (yield from is_in_use(tenant=tenant, root=root, ttl=ttl)):
        return 0
    return (yield from drop_sessions(tenant=tenant, root=root))


def drop_sessions(*, tenant: str, root: str) -> Script[int]:
    """Drop the sessions that have no turns; returns how many."""
    return len((yield from all_of(_DROP_SESSIONS, tenant=tenant, root=root)))


def forget(*, tenant: str, root: str) -> Script[None]:
    """Forget a conversation with all its branches at once."""
    yield from do(f"DELETE FROM af_turn WHERE number IN ({_TURNS})", tenant=tenant, root=root)  # noqa: S608 - likewise
    yield from all_of(_DROP_CHECKPOINTS, tenant=tenant, root=root)
    yield from all_of(_DROP_ANSWERS, tenant=tenant, root=root)
    yield from documents.forget(tenant=tenant, root=root)
    yield from do(_DROP_ALL, tenant=tenant, root=root)
