"""What may happen once only: an approval is answered, an idempotency key is used.

Rules of this file:
1. Both are marked in the transaction that accepts the turn, before anything runs.
2. A turn that has not run gives its marks back. One that has run keeps its answers, whatever became of it.
3. A key whose run ended without a record (it failed, was cancelled, or its process died) can be used again for the
   same request; that is the next attempt, and the one before it can store nothing any more.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from ...errors import AnsweredAlready, IdempotencyConflict, LeaseLost
from ...types import Owner
from ..store import Claim, Replay
from .script import Script, Statement, all_of, do, one

_ANSWER: Final = """
INSERT INTO af_answer (tenant, root, request_id, ticket, answered_at)
VALUES (:tenant, :root, :request_id, :ticket, {now})
ON CONFLICT (tenant, root, request_id) DO NOTHING RETURNING ticket
"""
_ANSWERED: Final = "SELECT request_id FROM af_answer WHERE tenant = :tenant AND root = :root"
_UNANSWER: Final = "DELETE FROM af_answer WHERE tenant = :tenant AND root = :root AND ticket = :ticket"
_UNANSWER_ALL: Final = "DELETE FROM af_answer WHERE ticket = :ticket"
_CLAIM: Final = """
INSERT INTO af_claim (tenant, is_named, owner, channel, claim_key, body_hash, ticket, worker, attempt, created_at)
VALUES (:tenant, :is_named, :owner, :channel, :claim_key, :body_hash, :ticket, :worker, 1, {now})
ON CONFLICT (tenant, is_named, owner, channel, claim_key) DO NOTHING RETURNING attempt
"""
_CLAIMED: Final = """
SELECT c.body_hash, c.record, c.attempt, CASE WHEN c.worker = :worker THEN c.worker ELSE w.id END FROM af_claim c
LEFT JOIN af_worker w ON w.id = c.worker AND w.alive_until > {now}
WHERE c.tenant = :tenant AND c.is_named = :is_named AND c.owner = :owner AND c.channel = :channel
  AND c.claim_key = :claim_key
"""
_AGAIN: Final = """
UPDATE af_claim SET ticket = :ticket, worker = :worker, attempt = attempt + 1
WHERE tenant = :tenant AND is_named = :is_named AND owner = :owner AND channel = :channel
  AND claim_key = :claim_key AND attempt = :attempt AND record IS NULL
RETURNING attempt
"""
_RECORD: Final = """
UPDATE af_claim SET record = :record, turn = :turn, worker = NULL WHERE ticket = :ticket RETURNING attempt
"""
# With the turn that was inserted just before.
_RECORD_TURN: Final = _RECORD.replace(":turn", "{last}")
_LET_GO: Final = "UPDATE af_claim SET worker = NULL WHERE ticket = :ticket AND record IS NULL"
_RELEASE: Final = "DELETE FROM af_claim WHERE ticket = :ticket AND record IS NULL AND attempt = 1"
_FORGET: Final = """
DELETE FROM af_claim WHERE tenant = :tenant AND is_named = :is_named AND owner = :owner AND channel = :channel
  AND claim_key = :claim_key AND turn IS NULL
"""


def answer(*, tenant: str, root: str, request_ids: Sequence[str], ticket: str) -> Script[None]:
    """Mark requests for approval as answered.

    Raises:
        AnsweredAlready: One of them has been answered before.
    """
    for request_id in dict.fromkeys(request_ids):
        marked = yield from one(_ANSWER, tenant=tenant, root=root, request_id=request_id, ticket=ticket)
        if marked is None:
            raise AnsweredAlready


def mark_answered(*, tenant: str, root: str, request_ids: Sequence[str]) -> Script[None]:
    """Mark requests as answered, whoever did it."""
    for request_id in request_ids:
        yield from one(_ANSWER, tenant=tenant, root=root, request_id=request_id, ticket="")


def answered(*, tenant: str, root: str) -> Script[list[str]]:
    """Return the requests of a conversation that were answered."""
    return [row[0] for row in (yield from all_of(_ANSWERED, tenant=tenant, root=root))]


def take_back(*, tenant: str, root: str, ticket: str) -> Script[None]:
    """Take the answers of a turn back that never ran."""
    yield from do(_UNANSWER, tenant=tenant, root=root, ticket=ticket)


def take_all_back(*, ticket: str) -> Script[None]:
    """Take the answers of a turn back that never ran, and of which only the ticket is known."""
    yield from do(_UNANSWER_ALL, ticket=ticket)


def claim(owner: Owner, wanted: Claim, *, ticket: str, worker: str) -> Script[Replay | int]:
    """Claim an idempotency key; returns which attempt this is, or what an earlier one was answered.

    Raises:
        IdempotencyConflict: It is in use, or was used for something else.
    """
    scope = _scope(owner, wanted)
    first = yield from one(_CLAIM, **scope, body_hash=wanted.body_hash, ticket=ticket, worker=worker)
    if first is not None:
        return 1
    row = yield from one(_CLAIMED, **scope, worker=worker)
    if row is None:
        raise IdempotencyConflict.in_use()
    body_hash, record, attempt, living = row
    if bytes(body_hash) != wanted.body_hash:
        raise IdempotencyConflict.other_request()
    if record is not None:
        return Replay(bytes(record))
    if living is not None:
        raise IdempotencyConflict.in_use()
    again = yield from one(_AGAIN, **scope, ticket=ticket, worker=worker, attempt=attempt)
    if again is None:
        raise IdempotencyConflict.in_use()
    return again[0]


def settle(*, ticket: str, record: bytes, turn: int | None = None) -> Script[None]:
    """Keep what the request was answered, for those who ask again; with the turn's number when one was stored.

    Raises:
        LeaseLost: The key is a later attempt's by now, which may run in a line of its own, or it was purged.
    """
    if (yield from one(_RECORD, ticket=ticket, record=record, turn=turn)) is None:
        raise LeaseLost


def settling(*, ticket: str, record: bytes) -> Statement:
    """Return what keeps what the request was answered, with the turn that was inserted just before."""
    return Statement(_RECORD_TURN, {"ticket": ticket, "record": record})


def answered_with(owner: Owner, wanted: Claim, *, worker: str) -> Script[bytes | None]:
    """Return what the request of a key was answered; `None` when the key is free.

    Raises:
        IdempotencyConflict: It is in use, or was used for something else.
    """
    row = yield from one(_CLAIMED, **_scope(owner, wanted), worker=worker)
    if row is None:
        return None
    body_hash, record, _, living = row
    if bytes(body_hash) != wanted.body_hash:
        raise IdempotencyConflict.other_request()
    if record is None and living is not None:
        raise IdempotencyConflict.in_use()
    return None if record is None else bytes(record)


def answer_at_once(owner: Owner, wanted: Claim, record: bytes, *, ticket: str, worker: str) -> Script[bytes]:
    """Claim a key and answer its request, both in one; returns what an earlier request under it was answered.

    Raises:
        IdempotencyConflict: It is in use, or was used for something else.
    """
    claimed = yield from claim(owner, wanted, ticket=ticket, worker=worker)
    if isinstance(claimed, Replay):
        return claimed.record
    yield from settle(ticket=ticket, record=record)
    return record


def forget(owner: Owner, wanted: Claim) -> Script[None]:
    """Let a key be used again that was answered at once."""
    yield from do(_FORGET, **_scope(owner, wanted))


def let_go(*, ticket: str, has_run: bool) -> Script[None]:
    """Let the key be used again: as the next attempt, or as if nothing had been when the turn never ran."""
    if not has_run:
        yield from do(_RELEASE, ticket=ticket)
    yield from do(_LET_GO, ticket=ticket)


def _scope(owner: Owner, wanted: Claim) -> dict[str, Any]:
    tenant, is_named, owner_id = owner
    return {
        "tenant": tenant,
        "is_named": int(is_named),
        "owner": owner_id,
        "channel": wanted.channel,
        "claim_key": wanted.key,
    }
