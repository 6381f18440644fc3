"""What is forgotten, and when: each kind after its own time.

Rules of this file:
1. A conversation goes with all its branches, once none of them has been used for long enough: branches share turns.
2. The ids of a session that has expired are unknown from then on, also while a branch of it lives.
3. A sweep is bounded, so that nobody waits behind it; it is run until nothing is left.
"""

from __future__ import annotations

from typing import Final

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
UPDATE af_turn SET turn_id = NULL, record = NULL WHERE turn_id IS NOT NULL AND number IN (
  SELECT t.number FROM af_turn t JOIN af_session s ON s.tenant = t.tenant AND s.session_id = t.session_id
  WHERE s.used_at < {now} - :ttl AND t.turn_id IS NOT NULL LIMIT :most
)
"""
_CLAIMS: Final = "DELETE FROM af_claim WHERE created_at < {now} - :ttl"
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


def sweep(*, session_ttl: float, claim_ttl: float, most: int) -> Script[bool]:
    """Forget what has expired, `most` conversations at a time; says whether there may be more."""
    families = yield from all_of(_EXPIRED, ttl=session_ttl, most=most)
    for tenant, root in families:
        for text in _FORGET_FAMILY:
            yield from do(text, tenant=tenant, root=root)
    yield from do(_FORGET_IDS, ttl=session_ttl, most=most)
    yield from do(_CLAIMS, ttl=claim_ttl)
    for text in (_TICKETS, _LANES, _WORKERS):
        yield from do(text, ttl=_CALM)
    return len(families) == most


def forget(*, tenant: str, root: str) -> Script[None]:
    """Forget a conversation with all its branches."""
    for text in _FORGET_FAMILY:
        yield from do(text, tenant=tenant, root=root)
