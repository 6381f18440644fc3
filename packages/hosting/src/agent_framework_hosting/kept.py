"""What channels keep and read beside their turns: documents of their own, and what conversations have told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from ._alike import alike
from .types import JSON, IdempotencyKey, Principal


@alike
@dataclass(frozen=True, slots=True)
class KeptDocument:
    """A document of a channel; `number` grows with every document that is made."""

    id: str
    number: int
    body: JSON


@alike
@dataclass(frozen=True, slots=True)
class KeptRecord:
    """What a turn told: the record that was sealed under its id. One that is not `is_finished` is no history."""

    turn_id: str
    record: JSON
    is_finished: bool


class ChannelDocuments(Protocol):
    """Small documents that channels keep beside turns: where the host keeps turns, and for as long.

    Each is its principal's, the one who makes the request that is being handled when none is named: for everybody
    else there is none. A document belongs to a session key, and goes with that conversation. Ids have to be unguessable
    (`ids.mint`). Put the channel's name into the kind.
    """

    async def add(
        self, kind: str, session_key: str, new: Sequence[tuple[str, JSON]], *, principal: Principal | None = None
    ) -> bool:
        """Make documents, each an id and a body, in this order: all of them, or none.

        Returns:
            Whether they were made; `False` when there is one of that kind and id already.
        """
        ...

    async def find(self, kind: str, id: str, *, principal: Principal | None = None) -> KeptDocument | None:
        """Return a document; unknown, expired and another principal's are the same `None`."""
        ...

    async def replace(self, kind: str, id: str, body: JSON, *, principal: Principal | None = None) -> bool:
        """Give a document another body; says whether there is one."""
        ...

    async def remove(self, kind: str, id: str, *, principal: Principal | None = None) -> bool:
        """Drop a document; says whether there was one."""
        ...

    async def listed(
        self, kind: str, session_key: str, *, after: int = 0, limit: int, principal: Principal | None = None
    ) -> Sequence[KeptDocument]:
        """Return the documents of a session key that were made after the one with that number, the oldest first."""
        ...

    async def discard(
        self, kind: str, session_key: str, *, until: int | None = None, principal: Principal | None = None
    ) -> None:
        """Drop the documents of a session key, up to the one with that number."""
        ...


class ChannelClaims(Protocol):
    """Idempotency keys of requests that are answered without running anything, such as those for accepted work.

    They are the keys of `ChannelContext.run`, each its principal's and its channel's: one that a run was asked under is
    in use here, and the other way round. They are remembered for `Limits.idempotency_ttl`.
    """

    async def find(self, channel: str, named: IdempotencyKey, *, principal: Principal | None = None) -> JSON:
        """Return what the request was answered, `None` when nobody has asked under its key.

        Raises:
            IdempotencyConflict: The key is in use, or was used for another request.
        """
        ...

    async def keep(
        self, channel: str, named: IdempotencyKey, answer: JSON, *, principal: Principal | None = None
    ) -> JSON:
        """Answer the request with `answer`; returns that, or what the request was answered before.

        Raises:
            IdempotencyConflict: The key is in use, or was used for another request.
        """
        ...

    async def forget(self, channel: str, key: str, *, principal: Principal | None = None) -> None:
        """Let a key be used again that was answered so; the key of a run goes with its record."""
        ...


class ChannelRecords(Protocol):
    """The records that were sealed under turns' ids, each its principal's, as documents are."""

    async def newest(self, session_key: str, *, principal: Principal | None = None) -> KeptRecord | None:
        """Return the record of the newest finished turn of the session that a key stands for now.

        The record is `None` when it was forgotten; there is no turn at all when nothing is returned. Whoever asks has
        made sure that the key is the principal's to use.
        """
        ...

    async def told(
        self,
        session_key: str,
        *,
        start: str | None = None,
        newest_first: bool = False,
        limit: int,
        principal: Principal | None = None,
    ) -> Sequence[KeptRecord]:
        """Return what a conversation told, its branches and resets included, in the order of the turns.

        Args:
            session_key: The key that the conversation began with.
            start: The turn that comes first; without it that is the oldest one, or the newest.
            newest_first: The other way round.
            limit: How many at the most.
            principal: Whose they are.
        """
        ...

    async def forget(self, turn_id: str, *, principal: Principal | None = None) -> bool:
        """Forget a turn's id and record: it can no more be read or continued; later turns keep their history.

        Returns:
            Whether there was such a turn.
        """
        ...
