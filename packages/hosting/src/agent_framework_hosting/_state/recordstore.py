"""The port to the records of turns, beside continuing them: what conversations have told, and forgetting it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec

from ..types import Owner


class Told(msgspec.Struct, frozen=True):
    """The record of a turn, with the id that it is found by."""

    turn_id: str
    record: bytes
    is_finished: bool


class RecordStore(Protocol):
    """Reads and forgets records. Each method is one transaction."""

    async def newest(self, tenant: str, key: str) -> bytes | None:
        """Return the record of the newest turn of the session that a key stands for now.

        It is empty when it was forgotten; `None` when the session has no turn.
        """
        ...

    async def told(
        self, owner: Owner, root: str, *, start: str | None, newest_first: bool, limit: int
    ) -> Sequence[Told]:
        """Return the owner's records of a conversation, its branches and resets included, in the order of their making.

        Args:
            owner: Whose they are.
            root: The session key that the conversation began with.
            start: The turn that comes first; without one it is the oldest, or the newest. Nothing is returned when
                there is no such turn.
            newest_first: The other way round.
            limit: How many at the most.
        """
        ...

    async def forget(self, owner: Owner, turn_id: str) -> bool:
        """Forget a turn's id and record, and the idempotency key that it was asked under.

        It can no more be read or continued. What later turns have of it in their history stays there.

        Returns:
            Whether there was such a turn.
        """
        ...
