"""The records of turns in memory; see `RecordStore`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import dropwhile, islice

from ..types import Owner
from .memory import MemoryTurns
from .recordstore import Told
from .turns import Turn


class MemoryRecords:
    """Reads and forgets what is kept of turns.

    Args:
        turns: Where they are kept.
        head: Returns the newest turn of the session that a tenant's key stands for now.
        on_forget: Told of a turn that is forgotten: its owner, and its id.
    """

    def __init__(
        self,
        turns: MemoryTurns,
        *,
        head: Callable[[str, str], Turn | None],
        on_forget: Callable[[Owner, str], None],
    ) -> None:
        self._turns = turns
        self._head = head
        self._on_forget = on_forget

    async def newest(self, tenant: str, key: str) -> bytes | None:
        """See `RecordStore`."""
        turn = self._head(tenant, key)
        if turn is None:
            return None
        is_forgotten = turn.id and self._turns.find(turn.owner, turn.id) is not turn
        return b"" if is_forgotten else turn.record

    async def told(
        self, owner: Owner, root: str, *, start: str | None, newest_first: bool, limit: int
    ) -> Sequence[Told]:
        """See `RecordStore`."""
        known = [turn for turn in self._turns.of_root(owner[0], root) if turn.owner == owner]
        if newest_first:
            known.reverse()
        fitting = dropwhile(lambda turn: turn.id != start, known) if start is not None else iter(known)
        return [Told(turn.id, turn.record, turn.is_finished) for turn in islice(fitting, limit)]

    async def forget(self, owner: Owner, turn_id: str) -> bool:
        """See `RecordStore`."""
        self._on_forget(owner, turn_id)
        return self._turns.remove(owner, turn_id)
