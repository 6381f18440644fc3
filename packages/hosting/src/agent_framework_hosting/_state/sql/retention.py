"""What is forgotten, and when: each kind after its own time.

Rules of this file:
1. A conversation goes with all its branches, once none of them has been used for long enough: branches share turns.
2. The ids of a session that has expired are unknown from then on, also while a branch of it lives; so is the id of a
   turn that is too old, while its session lives on.
3. A sweep is bounded, so that nobody waits behind it; it is run until nothing is left.
4. What a key stands for after a reset is never forgotten. The session that it stood for before may be gone here, but an
   agent that keeps history elsewhere would find under its id what must not come back.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from . import documents
from .script import Script, all_of, do

_EXPIRED: Final = """
SELECT DISTINCT s.tenant, s.root FROM af_session s WHERE s.used_at < {now} - :ttl AND NOT EXISTS (
  SELECT 1 FROM af_session o WHERE o.tenant = s.tenant AND o.root = s.root AND o.used_at >= {now} - :ttl
) AND NOT EXISTS (
  SELECT 1 FROM af_lane l JOIN af_worker w ON w.id = l.worker AND w.alive_until > {now}
  WHERE l.tenant = s.tenant AND l.key = s.key
) LIMIT :most
"""
_FORGET_IDS: Final = """
UPDATE af_turn SET turn_id = NULL, record = NULL WHERE number IN (
  SELECT t.number FROM af_turn t WHERE t.turn_id IS NOT NULL AND EXISTS (
    SELECT 1 FROM af_session s
    WHERE s.tenant = t.tenant AND s.session_id = t.session_id AND s.used_at < {now} - :ttl
  ) LIMIT :most {unlocked}
) RETURNING number
"""
_FORGET_RECORDS: Final = """
UPDATE af_turn SET turn_id = NULL, record = NULL WHERE number IN (
  SELECT number FROM af_turn WHERE created_at < {now} - :ttl AND turn_id IS NOT NULL LIMIT :most {unlocked}
) RETURNING number
"""
_FORGET_ANSWERS: Final = """
DELETE FROM af_answer WHERE answered_at < {now} - :ttl AND NOT EXISTS (
  SELECT 1 FROM af_session s WHERE s.tenant = af_answer.tenant AND s.root = af_answer.root
)
"""
_CLAIMS: Final = """
DELETE FROM af_claim WHERE ticket IN (
  SELECT c.ticket FROM af_claim c WHERE c.created_at < {now} - :ttl
    AND NOT EXISTS (SELECT 1 FROM af_worker w WHERE w.id = c.worker AND w.alive_until > {now})
  LIMIT :most {unlocked}
) RETURNING ticket
"""
_WORKERS: Final = "DELETE FROM af_worker WHERE alive_until < {now} - :ttl"
_TICKETS: Final = """
DELETE FROM af_ticket WHERE kind = 'foreground' AND created_at < {now} - :ttl
  AND (worker IS NULL OR NOT EXISTS (SELECT 1 FROM af_worker w WHERE w.id = af_ticket.worker AND w.alive_until > {now}))
"""
_LANES: Final = """
DELETE FROM af_lane WHERE (tenant, key) IN (
  SELECT l.tenant, l.key FROM af_lane l WHERE l.used_at < {now} - :ttl
    AND NOT EXISTS (SELECT 1 FROM af_worker w WHERE w.id = l.worker AND w.alive_until > {now})
    AND NOT EXISTS (SELECT 1 FROM af_ticket t WHERE t.tenant = l.tenant AND t.key = l.key)
  {unlocked}
)
"""
_ENDED_TASKS: Final = """
SELECT ended_at, number FROM af_task
WHERE ended_at < {now} - :ttl AND (ended_at > :ended_at OR (ended_at = :ended_at AND number > :number))
ORDER BY ended_at, number LIMIT :most
"""
_DONE_TASK: Final = """
DELETE FROM af_task WHERE number = :number AND NOT EXISTS (
  SELECT 1 FROM af_event e
  WHERE e.tenant = af_task.tenant AND e.is_named = af_task.is_named AND e.owner = af_task.owner
    AND e.kind = af_task.kind AND e.run_id = af_task.task_id
)
"""
_EVENTS: Final = """
DELETE FROM af_event WHERE created_at < {now} - :ttl AND created_at <= (
  SELECT max(created_at) FROM (SELECT created_at FROM af_event ORDER BY created_at LIMIT :most) oldest
) RETURNING sequence
"""
_OLD_TASKS: Final = """
DELETE FROM af_task WHERE outcome IS NULL AND created_at < {now} - :ttl
  AND NOT EXISTS (SELECT 1 FROM af_worker w WHERE w.id = af_task.worker AND w.alive_until > {now})
RETURNING kind
"""
_EVENTS_SWEPT: Final = 5_000
"""Events that one sweep's transaction forgets; they are small."""
_CALM: Final = 3600.0
"""Seconds after which a lane that is nobody's, a dead worker and what it left in lines are swept."""


Place: TypeAlias = tuple[float, int]
"""A task that has ended: when, and its number."""
BEGINNING: Final[Place] = (0.0, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ages:
    """Seconds for which each kind is kept: sessions since they were used, the others since they were made.

    Args:
        sessions: Conversations, with their branches, turns, answers, and documents of channels.
        records: What can be read, and continued, by the id of a turn; and tasks that nobody could do.
        claims: Idempotency keys, and the ids of tasks that have ended.
    """

    sessions: float
    records: float
    claims: float


def expired(ages: Ages, *, most: int) -> Script[list[tuple[str, str]]]:
    """Return conversations that nobody has used for too long: their tenants and roots."""
    return [(tenant, root) for tenant, root in (yield from all_of(_EXPIRED, ttl=ages.sessions, most=most))]


@dataclass(frozen=True, slots=True)
class Swept:
    """What one transaction of a sweep did.

    Args:
        is_over: Whether it was the last one.
        undone: Which kinds of tasks nobody had done.
        place: Where the next one goes on among the tasks that have ended.
    """

    is_over: bool
    undone: Mapping[str, int]
    place: Place


def sweep(ages: Ages, *, most: int, after: Place = BEGINNING) -> Script[Swept]:
    """Forget what has expired beside conversations, `most` of each kind at a time."""
    # In the order in which a purge has them. What somebody has at the moment is left for the next sweep: several
    # sweeps have no order among each other.
    claims = yield from all_of(_CLAIMS, ttl=ages.claims, most=most)
    ids = yield from all_of(_FORGET_IDS, ttl=ages.sessions, most=most)
    records = yield from all_of(_FORGET_RECORDS, ttl=ages.records, most=most)
    yield from do(_FORGET_ANSWERS, ttl=ages.sessions)
    events = yield from all_of(_EVENTS, ttl=ages.records, most=_EVENTS_SWEPT)
    tasks, place = yield from _drop_ended(after, ttl=ages.claims, most=most)
    undone = yield from all_of(_OLD_TASKS, ttl=ages.records)
    swept = yield from documents.sweep(ttl=ages.sessions, most=most)
    for text in (_TICKETS, _LANES, _WORKERS):
        yield from do(text, ttl=_CALM)
    has_more = len(events) >= _EVENTS_SWEPT or most in (len(ids), len(records), len(claims), tasks, swept)
    return Swept(not has_more, Counter(kind for (kind,) in undone), place)


def _drop_ended(after: Place, *, ttl: float, most: int) -> Script[tuple[int, Place]]:
    """Look at some of the tasks that have ended; those whose events are kept are kept as long."""
    ended_at, number = after
    rows = yield from all_of(_ENDED_TASKS, ttl=ttl, ended_at=ended_at, number=number, most=most)
    for _, number in rows:
        yield from do(_DONE_TASK, number=number)
    return len(rows), (rows[-1][0], rows[-1][1]) if rows else after
