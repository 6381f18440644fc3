"""What may happen once only, in memory: requests under an idempotency key, and answers to requests for approval."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable, Sequence

import msgspec

from ..errors import AnsweredAlready, IdempotencyConflict
from ..types import Owner
from .memory import fitted
from .store import Claim, Replay


class _Claimed(msgspec.Struct):
    body_hash: bytes
    attempt: int
    is_running: bool
    made_at: float
    record: bytes | None = None
    turn_id: str | None = None


class MemoryMarks:
    """What may happen once only, in memory."""

    def __init__(self, *, max_marks: int, max_bytes: float, claim_ttl: float, clock: Callable[[], float]) -> None:
        self._max = max_marks
        self._max_bytes = max_bytes
        self._size = 0
        self._claim_ttl = claim_ttl
        self._clock = clock
        self._answered: OrderedDict[tuple[str, str, str], None] = OrderedDict()
        self._claims: OrderedDict[tuple[Owner, str, str], _Claimed] = OrderedDict()

    def answer(self, tenant: str, root: str, request_ids: Sequence[str]) -> list[tuple[str, str, str]]:
        wanted = [(tenant, root, request_id) for request_id in dict.fromkeys(request_ids)]
        for mark in wanted:
            if mark in self._answered:
                raise AnsweredAlready
        self.mark(tenant, root, request_ids)
        return wanted

    def mark(self, tenant: str, root: str, request_ids: Sequence[str]) -> None:
        self._answered.update(dict.fromkeys((tenant, root, request_id) for request_id in request_ids))
        while len(self._answered) > self._max:
            self._answered.popitem(last=False)

    def answered(self, tenant: str, root: str) -> list[str]:
        return [mark[2] for mark in self._answered if mark[:2] == (tenant, root)]

    def take_back(self, marked: Sequence[tuple[str, str, str]]) -> None:
        for mark in marked:
            self._answered.pop(mark, None)

    def claim(self, owner: Owner, wanted: Claim) -> Replay | int:
        scope, now = (owner, wanted.channel, wanted.key), self._clock()
        self._trim(made_before=now - self._claim_ttl)
        known = self._claims.get(scope)
        if known is None:
            self._claims[scope] = _Claimed(wanted.body_hash, 1, is_running=True, made_at=now)
            self._trim(made_before=now - self._claim_ttl)
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

    def find(self, owner: Owner, wanted: Claim) -> bytes | None:
        self._trim(made_before=self._clock() - self._claim_ttl)
        known = self._claims.get((owner, wanted.channel, wanted.key))
        if known is None:
            return None
        if known.body_hash != wanted.body_hash:
            raise IdempotencyConflict.other_request()
        if known.is_running:
            raise IdempotencyConflict.in_use()
        return known.record

    def release(self, owner: Owner, wanted: Claim) -> None:
        scope = (owner, wanted.channel, wanted.key)
        known = self._claims.get(scope)
        if known is not None and known.turn_id is None:
            self._drop(scope)

    def settle(self, owner: Owner, wanted: Claim, record: bytes, *, turn_id: str | None) -> None:
        known = self._claims.get((owner, wanted.channel, wanted.key))
        if known is not None:
            self._size += len(record) - len(known.record or b"")
            known.record, known.is_running, known.turn_id = record, False, turn_id
            self._trim(made_before=-math.inf)

    def forget(self, owner: Owner, turn_id: str) -> None:
        answered = [scope for scope, known in self._claims.items() if scope[0] == owner and known.turn_id == turn_id]
        for scope in answered:
            self._drop(scope)

    def let_go(self, owner: Owner, wanted: Claim, *, forget: bool) -> None:
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

    def _drop(self, scope: tuple[Owner, str, str]) -> None:
        self._size -= len(self._claims.pop(scope).record or b"")


class MemoryClaims:
    """See `ClaimStore`."""

    def __init__(self, marks: MemoryMarks) -> None:
        self._marks = marks

    async def find(self, owner: Owner, wanted: Claim) -> bytes | None:
        """See `ClaimStore`."""
        return self._marks.find(owner, wanted)

    async def keep(self, owner: Owner, wanted: Claim, record: bytes) -> bytes:
        """See `ClaimStore`."""
        claimed = self._marks.claim(owner, wanted)
        if isinstance(claimed, Replay):
            return claimed.record
        self._marks.settle(owner, wanted, fitted(record), turn_id=None)
        return record

    async def forget(self, owner: Owner, wanted: Claim) -> None:
        """See `ClaimStore`."""
        self._marks.release(owner, wanted)
