"""Turns that one connection alone can continue: kept in memory, to a bound, and gone with it.

Such a turn has no key that others could know, so nothing of it belongs into the host's store. It may continue a stored
turn: a copy of that is what it goes on from, and the stored one stays as it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

import msgspec

from .._state.memory import MemoryAliases
from .._state.memorystore import MemoryStore
from .._state.store import Claim, Finished, StoredTurn, Unfinished
from .._state.turns import Turn
from ..limits import Limits
from ..types import ChannelSession, Principal
from .sessions import Sessions
from .turn import OpenTurn

_MOST_TURNS: Final = 256
"""Turns of one connection that can be continued; beyond it the oldest is forgotten."""
_OVERHEAD: Final = 4 * 1024
"""Bytes that a turn takes beside what was said in it."""


class Budget(msgspec.Struct, kw_only=True):
    """What all connections of a host keep to themselves, in bytes."""

    max_bytes: int
    held: int = 0


class ApartSessions:
    """The sessions of one connection.

    Args:
        whole: All sessions of the host.
        limits: One connection may keep `max_response_bytes`. Beyond it, and when all together are beyond the budget, it
            forgets its turns, and its client has to begin anew.
        budget: What all connections share.
    """

    def __init__(self, whole: Sessions, *, limits: Limits, budget: Budget) -> None:
        self._whole = whole
        self._limits = replace(limits, max_sessions=_MOST_TURNS)
        self._budget = budget
        self._own: tuple[Sessions, _Store] | None = None
        self._brought: set[str] = set()
        self._held = 0

    async def open(
        self,
        principal: Principal,
        wanted: ChannelSession,
        *,
        answers: Sequence[str] = (),
        claim: Claim | None = None,
    ) -> OpenTurn:
        """Admit a turn; one that names a session by its key is that session's, and has no id.

        Raises as `Sessions.open`.
        """
        if wanted.isolation_key is not None or claim is not None:
            wanted = replace(wanted, commit_as=None)
            return await self._whole.open(principal, wanted, answers=answers, claim=claim)
        sessions, store = self._sessions()
        if wanted.parent is None:
            return await sessions.open(principal, wanted, answers=answers)
        known = await sessions.turn(principal, wanted.parent)
        parent = known or await self._bring(store, principal, wanted)
        try:
            if answers and parent.session.root in self._brought:
                # What a stored conversation asks can be answered once, wherever that is done.
                await self._whole.answer(principal, parent.session.root, answers)
            return await sessions.open(principal, wanted, answers=answers)
        finally:
            if known is None:
                # Whether a stored turn can be continued is asked anew each time: it may have been deleted.
                await store.records.forget(principal.owner, wanted.parent)

    async def check(self, principal: Principal, wanted: ChannelSession, *, answers: Sequence[str] = ()) -> None:
        """Raise what is known already to be wrong with a turn; see `Sessions.check`."""
        is_own = wanted.parent is not None and await self.held(principal, wanted.parent) is not None
        sessions = self._own[0] if is_own and self._own is not None else self._whole
        await sessions.check(principal, wanted, answers=answers)

    async def turn(self, principal: Principal, turn_id: str) -> StoredTurn | None:
        """Return the principal's turn of that id, of the connection or a stored one."""
        own = await self.held(principal, turn_id)
        return own or await self._whole.turn(principal, turn_id)

    async def turns(self, principal: Principal, turn_ids: Sequence[str]) -> Mapping[str, StoredTurn]:
        """Return those turns that are known, by their ids."""
        stored = await self._whole.turns(principal, turn_ids)
        return stored if self._own is None else {**stored, **await self._own[0].turns(principal, turn_ids)}

    async def held(self, principal: Principal, turn_id: str) -> StoredTurn | None:
        """Return a turn of the connection's own."""
        return await self._own[0].turn(principal, turn_id) if self._own is not None else None

    async def forget(self, principal: Principal, turn_id: str) -> None:
        """Forget a turn of the connection's own; a stored one stays what it is."""
        if self._own is not None:
            await self._own[1].records.forget(principal.owner, turn_id)

    def close(self) -> None:
        """Forget everything. Idempotent."""
        self._own = None
        self._brought.clear()
        self._budget.held -= self._held
        self._held = 0

    def _sessions(self) -> tuple[Sessions, _Store]:
        if self._own is None:
            store = _Store(self)
            target = self._whole.target.apart(store)
            self._own = (Sessions(target=target, store=store, limits=self._limits), store)
        return self._own

    def added(self, size: int, *, to: MemoryStore) -> None:
        """Take notice of what a store keeps from now on; one that was given up already is nobody's any more."""
        if self._own is None or self._own[1] is not to:
            return
        self._held += size + _OVERHEAD
        self._budget.held += size + _OVERHEAD
        if self._held > self._limits.max_response_bytes or self._budget.held > self._budget.max_bytes:
            self.close()

    async def _bring(self, store: _Store, principal: Principal, wanted: ChannelSession) -> StoredTurn:
        """Return a stored turn, a copy of which is there to be continued."""
        found, snapshot = await self._whole.copied(principal, wanted)
        store.adopt(Turn(principal.owner, found.id, found.session, snapshot, found.record))
        self._brought.add(found.session.root)
        return found


class _Store(MemoryStore):
    """Keeps the turns of one connection, and tells how large they are."""

    def __init__(self, owner: ApartSessions) -> None:
        super().__init__(aliases=MemoryAliases(max_aliases=1), max_turns=_MOST_TURNS, max_waiting=_MOST_TURNS)
        self._owner = owner

    def add(self, finished: Finished) -> Turn:
        """Store a finished turn."""
        turn = super().add(finished)
        self._owner.added(len(finished.record), to=self)
        return turn

    def keep(self, unfinished: Unfinished) -> None:
        """Store the record of a turn that did not finish."""
        super().keep(unfinished)
        self._owner.added(len(unfinished.record or b""), to=self)
