"""What is forgotten, and when: each kind after its own time.

Rules of this file:
1. A conversation goes with all its branches, once none of them has been used for long enough: branches share turns.
2. The ids of a session that has expired are unknown from then on, also while a branch of it lives; so is the id of a
   turn that is too old, while its session lives on.
3. A sweep is bounded, so that nobody waits behind it; it is run until nothing is left.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from . import documents
from .script import Script, all_of, do

_EXPIRED: Final = """
SELECT DISTINCT s.tenant, s.root FROM af_session s WHERE s.used_at < {now} - :ttl AND NOT EXISTS (
  SELECT 1 FROM af_session o WHERE o.tenant = s.tenant AND o.root = s.root AND o.used_at >= {now} - :ttl
) LIMIT :most
"""
_OF_FAMILY: Final = "(SELECT session_id FROM af_session WHERE tenant = :tenant AND root = :root)"
_FORGET_FAMILY: Final = (
    f"DELETE FROM af_turn WHERE tenant = :tenant AND session_id IN {_OF_FAMILY}",  # noqa: S608 - a constant
    f"DELETE FROM af_checkpoint WHERE tenant = :tenant AND session_id IN {_OF_FAMILY}",  # noqa: S608 - likewise
    "DELETE FROM af_answer WHERE tenant = :tenant AND root = :root",
    "DELETE FROM af_session WHERE tenant = :tenant AND root = :root",
)
_FORGET_IDS: Final = """
UPDATE af_turn SET turn_id = NULL, record = NULL WHERE number IN (
  SELECT t.number FROM af_turn t JOIN af_session s ON s.tenant = t.tenant AND s.session_id = t.session_id
  WHERE s.used_at < {now} - :ttl AND t.turn_id IS NOT NULL LIMIT :most
) RETURNING number
"""
_FORGET_RECORDS: Final = """
UPDATE af_turn SET turn_id = NULL, record = NULL WHERE number IN (
  SELECT number FROM af_turn WHERE created_at < {now} - :ttl AND turn_id IS NOT NULL LIMIT :most
) RETURNING number
"""
_FORGET_ANSWERS: Final = """
DELETE FROM af_answer WHERE answered_at < {now} - :ttl AND NOT EXISTS (
  SELECT 1 FROM af_session s WHERE s.tenant = af_answer.tenant AND s.root = af_answer.root
)
"""
_CLAIMS: Final = """
DELETE FROM af_claim WHERE ticket IN (SELECT ticket FROM af_claim WHERE created_at < {now} - :ttl LIMIT :most)
RETURNING ticket
"""
_WORKERS: Final = "DELETE FROM af_worker WHERE alive_until < {now} - :ttl"
_TICKETS: Final = """
DELETE FROM af_ticket WHERE kind = 'foreground' AND created_at < {now} - :ttl
  AND (worker IS NULL OR NOT EXISTS (SELECT 1 FROM af_worker w WHERE w.id = af_ticket.worker AND w.alive_until > {now}))
"""
_LANES: Final = """
DELETE FROM af_lane WHERE used_at < {now} - :ttl
  AND NOT EXISTS (SELECT 1 FROM af_worker w WHERE w.id = af_lane.worker AND w.alive_until > {now})
  AND NOT EXISTS (SELECT 1 FROM af_ticket t WHERE t.tenant = af_lane.tenant AND t.key = af_lane.key)
"""
_CALM: Final = 3600.0
"""Seconds after which a lane that is nobody's, a dead worker and what it left in lines are swept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ages:
    """Seconds for which each kind is kept: sessions since they were used, the others since they were made.

    Args:
        sessions: Conversations, with their branches, turns, answers, and documents of channels.
        records: What can be read, and continued, by the id of a turn.
        claims: Idempotency keys.
    """

    sessions: float
    records: float
    claims: float


def sweep(ages: Ages, *, most: int) -> Script[bool]:
    """Forget what has expired, `most` of each kind at a time; says whether there may be more."""
    families = yield from all_of(_EXPIRED, ttl=ages.sessions, most=most)
    for tenant, root in families:
        yield from forget(tenant=tenant, root=root)
    yield from do(_FORGET_ANSWERS, ttl=ages.sessions)
    ids = yield from all_of(_FORGET_IDS, ttl=ages.sessions, most=most)
    records = yield from all_of(_FORGET_RECORDS, ttl=ages.records, most=most)
    claims = yield from all_of(_CLAIMS, ttl=ages.claims, most=most)
    swept = yield from documents.sweep(ttl=ages.sessions, most=most)
    for text in (_TICKETS, _LANES, _WORKERS):
        yield from do(text, ttl=_CALM)
    return most in (len(families), len(ids), len(records), len(claims), swept)


def forget(*, tenant: str, root: str) -> Script[None]:
    """Forget a conversation with all its branches."""
    for text in _FORGET_FAMILY:
        yield from do(text, tenant=tenant, root=root)
    yield from documents.forget(tenant=tenant, root=root)
