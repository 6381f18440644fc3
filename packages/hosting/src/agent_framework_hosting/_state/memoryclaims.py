"""What may happen once only, in memory: an approval is answered, an idempotency key is used; see `sql.claims`."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import TypeAlias

import msgspec

from ..errors import AnsweredAlready, IdempotencyConflict
from ..types import Owner
from .memory import fitted
from .store import Claim, Replay

_Mark: TypeAlias = tuple[str, str, str]
"""A tenant, the root of a conversation, and a request for approval in it."""
_Scope: TypeAlias = tuple[Owner, str, str]
"""Whose key it is, its channel, and the key."""


class MemoryAnswers:
    """Requests for approval that were answered; beyond `max_answers` the oldest is forgotten."""

    def __init__(self, *, max_answers: int) -> None:
        self._max = max_answers
        self._answered: OrderedDict[_Mark, None] = OrderedDict()

    def answer(self, tenant: str, root: str, request_ids: Sequence[str]) -> list[_Mark]:
        """Mark requests as answered: all of them, or none.

        Raises:
            AnsweredAlready: One of them has been answered before.
        """
        wanted = [(tenant, root, request_id) for request_id in dict.fromkeys(request_ids)]
        for mark in wanted:
            if mark in self._answered:
                raise AnsweredAlready
        self.mark(tenant, root, request_ids)
        return wanted

    def mark(self, tenant: str, root: str, request_ids: Sequence[str]) -> None:
        """Mark requests as answered, whoever did it."""
        self._answered.update(dict.fromkeys((tenant, root, request_id) for request_id in request_ids))
        while len(self._answered) > self._max:
            self._answered.popitem(last=False)

    def marked(self, tenant: str, root: str) -> list[str]:
        """Return the requests of a conversation that were answered."""
        return [mark[2] for mark in self._answered if mark[:2] == (tenant, root)]

    def take_back(self, marked: Sequence[_Mark]) -> None:
        """Take the answers of a turn back that never ran."""
        for mark in marked:
            self._answered.pop(mark, None)


class _Claimed(msgspec.Struct):
    body_hash: bytes
    attempt: int
    is_running: bool
    made_at: float
    record: bytes | None = None
    turn_id: str | None = None


class MemoryClaims:
    """Idempotency keys, see `ClaimStore`, and those of turns.

    Args:
        max_claims: Keys that are kept; beyond it the oldest is forgotten, but none of a request that still runs.
        max_bytes: Bytes of their records, likewise; the newest stays, however large.
        ttl: Seconds for which a key is remembered.
        clock: Tells the time, in seconds.
    """

    def __init__(self, *, max_claims: int, max_bytes: float, ttl: float, clock: Callable[[], float]) -> None:
        self._max, self._max_bytes, self._ttl, self._clock = max_claims, max_bytes, ttl, clock
        self._size = 0
        self._claims: OrderedDict[_Scope, _Claimed] = OrderedDict()

    async def find(self, owner: Owner, wanted: Claim) -> bytes | None:
        """See `ClaimStore`."""
        self._trim(made_before=self._clock() - self._ttl)
        known = self._claims.get((owner, wanted.channel, wanted.key))
        if known is None:
            return None
        if known.body_hash != wanted.body_hash:
            raise IdempotencyConflict.other_request()
        if known.is_running:
            raise IdempotencyConflict.in_use()
        return known.record

    async def keep(self, owner: Owner, wanted: Claim, record: bytes) -> bytes:
        """See `ClaimStore`."""
        claimed = self.claim(owner, wanted)
        if isinstance(claimed, Replay):
            return claimed.record
        self.settle(owner, wanted, fitted(record), turn_id=None)
        return record

    async def forget(self, owner: Owner, wanted: Claim) -> None:
        """See `ClaimStore`."""
        scope = (owner, wanted.channel, wanted.key)
        known = self._claims.get(scope)
        if known is not None and known.turn_id is None:
            self._drop(scope)

    def claim(self, owner: Owner, wanted: Claim) -> Replay | int:
        """Claim a key; returns which attempt this is, or what an earlier one was answered.

        Raises:
            IdempotencyConflict: It is in use, or was used for something else.
        """
        scope, now = (owner, wanted.channel, wanted.key), self._clock()
        self._trim(made_before=now - self._ttl)
        known = self._claims.get(scope)
        if known is None:
            self._claims[scope] = _Claimed(wanted.body_hash, 1, is_running=True, made_at=now)
            self._trim(made_before=now - self._ttl)
            return 1
        if known.body_hash != wanted.body_hash:
            raise IdempotencyConflict.other_request()
        if known.record is not None:
            return Replay(known.record)
        if known.is_running:
            raise IdempotencyConflict.in_use()
        known.attempt += 1
        known.is_running = True
        return known.attempt

    def settle(self, owner: Owner, wanted: Claim, record: bytes, *, turn_id: str | None) -> None:
        """Keep what the request was answered, for those who ask again; with the turn's id when one was stored."""
        known = self._claims.get((owner, wanted.channel, wanted.key))
        if known is not None:
            self._size += len(record) - len(known.record or b"")
            known.record, known.is_running, known.turn_id = record, False, turn_id
            self._trim(made_before=-math.inf)

    def forget_turn(self, owner: Owner, turn_id: str) -> None:
        """Forget the keys that a turn was the answer to."""
        answered = [scope for scope, known in self._claims.items() if scope[0] == owner and known.turn_id == turn_id]
        for scope in answered:
            self._drop(scope)

    def let_go(self, owner: Owner, wanted: Claim, *, forget: bool) -> None:
        """Let a key be used again that was not answered: as the next attempt, or as if nothing had been."""
        scope = (owner, wanted.channel, wanted.key)
        known = self._claims.get(scope)
        if known is not None and known.record is None:
            known.is_running = False
            if forget:
                del self._claims[scope]

    def _trim(self, *, made_before: float) -> None:
        # The oldest come first. Those of requests that still run stay, as the youngest: nobody may run beside them.
        running = 0
        while running < len(self._claims):
            scope, oldest = next(iter(self._claims.items()))
            is_full = len(self._claims) > self._max or (self._size > self._max_bytes and len(self._claims) > 1)
            if not is_full and oldest.made_at >= made_before:
                break
            if oldest.is_running:
                running += 1
                oldest.made_at = next(reversed(self._claims.values())).made_at
                self._claims.move_to_end(scope)
            else:
                self._drop(scope)

    def _drop(self, scope: _Scope) -> None:
        self._size -= len(self._claims.pop(scope).record or b"")
