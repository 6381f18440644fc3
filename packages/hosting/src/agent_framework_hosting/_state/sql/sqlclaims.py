"""Idempotency keys of requests that are answered without a turn, in the database; see `ClaimStore`."""

from __future__ import annotations

from functools import partial

from ...ids import mint
from ...types import Owner
from ..store import Claim
from . import claims
from .driver import Driver
from .names import is_known_possibly


class SqlClaims:
    """Keeps them in the table in which turns claim theirs."""

    def __init__(self, driver: Driver, *, worker: str) -> None:
        self._driver = driver
        self._worker = worker

    async def find(self, owner: Owner, wanted: Claim) -> bytes | None:
        """See `ClaimStore`."""
        if not is_known_possibly(owner, wanted.key):
            return None
        return await self._driver.read(partial(claims.answered_with, owner, wanted, worker=self._worker))

    async def keep(self, owner: Owner, wanted: Claim, record: bytes) -> bytes:
        """See `ClaimStore`."""
        keeping = partial(claims.answer_at_once, owner, wanted, record, ticket=mint(), worker=self._worker)
        return await self._driver.run(keeping, durable=True)

    async def forget(self, owner: Owner, wanted: Claim) -> None:
        """See `ClaimStore`."""
        if is_known_possibly(owner, wanted.key):
            await self._driver.run(partial(claims.forget, owner, wanted), durable=True, ahead=True)
