"""The records of turns: what a conversation has told, in its order, and what is to be forgotten."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, Final

from ...types import Owner
from ..recordstore import Told
from .driver import Driver
from .names import is_known_possibly
from .script import Script, Statement, all_of, one, together
from .turns import bytes_of, open_session

_NEWEST: Final = "SELECT record FROM af_turn WHERE number = :number"
_NUMBER: Final = """
SELECT number FROM af_turn WHERE tenant = :tenant AND is_named = :is_named AND owner = :owner AND turn_id = :turn_id
"""
_TOLD: Final = """
SELECT t.turn_id, t.record, t.is_finished FROM af_session s
JOIN af_turn t ON t.tenant = s.tenant AND t.session_id = s.session_id
WHERE s.tenant = :tenant AND s.root = :root AND t.is_named = :is_named AND t.owner = :owner
  AND t.turn_id IS NOT NULL AND t.number {beyond} :start
ORDER BY t.number {order} LIMIT :limit
"""
_OLDEST_FIRST: Final = _TOLD.replace("{beyond}", ">=").replace("{order}", "ASC")
_NEWEST_FIRST: Final = _TOLD.replace("{beyond}", "<=").replace("{order}", "DESC")
_FORGET_CLAIM: Final = "DELETE FROM af_claim WHERE turn = :number"
_FORGET: Final = """
UPDATE af_turn SET turn_id = NULL, record = NULL WHERE number = :number AND turn_id IS NOT NULL RETURNING number
"""
_LAST: Final = 2**62


class SqlRecords:
    """See `RecordStore`."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver

    async def newest(self, tenant: str, key: str) -> bytes | None:
        """See `RecordStore`."""
        return await self._driver.read(partial(_newest, tenant, key))

    async def told(
        self, owner: Owner, root: str, *, start: str | None, newest_first: bool, limit: int
    ) -> Sequence[Told]:
        """See `RecordStore`."""
        if not is_known_possibly(owner, root) or (start is not None and not is_known_possibly(owner, start)):
            return []
        telling = partial(_told, owner, root, start=start, newest_first=newest_first, limit=limit)
        return await self._driver.read(telling)

    async def forget(self, owner: Owner, turn_id: str) -> bool:
        """See `RecordStore`."""
        forgetting = partial(_forget, owner, turn_id)
        return is_known_possibly(owner, turn_id) and await self._driver.run(forgetting, durable=True)


def _newest(tenant: str, key: str) -> Script[bytes | None]:
    opened = yield from open_session(tenant, key)
    if opened.head is None:
        return None
    row = yield from one(_NEWEST, number=opened.head)
    return bytes_of(row[0] or b"") if row is not None else b""


def _told(owner: Owner, root: str, *, start: str | None, newest_first: bool, limit: int) -> Script[list[Told]]:
    number = _LAST if newest_first else 0
    if start is not None:
        row = yield from one(_NUMBER, **_whose(owner), turn_id=start)
        if row is None:
            return []
        number = row[0]
    text = _NEWEST_FIRST if newest_first else _OLDEST_FIRST
    rows = yield from all_of(text, **_whose(owner), root=root, start=number, limit=limit)
    return [Told(turn_id, bytes_of(record or b""), bool(is_finished)) for turn_id, record, is_finished in rows]


def _forget(owner: Owner, turn_id: str) -> Script[bool]:
    found = yield from one(_NUMBER, **_whose(owner), turn_id=turn_id)
    if found is None:
        return False
    # In the order in which a purge has them.
    number = {"number": found[0]}
    _, forgotten = yield from together(Statement(_FORGET_CLAIM, number), Statement(_FORGET, number))
    return forgotten is not None


def _whose(owner: Owner) -> dict[str, Any]:
    tenant, is_named, owner_id = owner
    return {"tenant": tenant, "is_named": int(is_named), "owner": owner_id}
