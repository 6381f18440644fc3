"""Turns and aliases in memory: bounded by count, gone with the process."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection

from ..ids import mint
from ..types import Owner
from .aliases import first_session, session_id_of
from .turns import Conversation, SessionName, Turn


class MemoryTurns:
    """Committed turns in memory; beyond `max_turns` the oldest is forgotten."""

    def __init__(self, *, max_turns: int) -> None:
        self._max_turns = max_turns
        self._turns: OrderedDict[tuple[Owner, str], Turn] = OrderedDict()
        self._by_session: dict[tuple[str, str], dict[tuple[Owner, str], None]] = {}
        self._answers: OrderedDict[tuple[Conversation, str], None] = OrderedDict()

    async def find(self, owner: Owner, turn_id: str) -> Turn | None:
        """See `TurnStore`."""
        return self._turns.get((owner, turn_id))

    async def head(self, session: SessionName) -> Turn | None:
        """See `TurnStore`."""
        turns = self._by_session.get((session.tenant, session.session_id))
        return self._turns[next(reversed(turns))] if turns else None

    async def commit(self, turn: Turn) -> None:
        """See `TurnStore`."""
        key = (turn.owner, turn.id)
        replaced = self._turns.pop(key, None)
        if replaced is not None:
            # An id means one turn: the session that had it must not take this one along when it is forgotten.
            self._unlink(key, replaced.session)
        self._turns[key] = turn
        self._by_session.setdefault((turn.session.tenant, turn.session.session_id), {})[key] = None
        while len(self._turns) > self._max_turns:
            oldest, forgotten = self._turns.popitem(last=False)
            self._unlink(oldest, forgotten.session)

    async def forget(self, session: SessionName) -> None:
        """See `TurnStore`."""
        for key in self._by_session.pop((session.tenant, session.session_id), {}):
            del self._turns[key]

    async def use_answers(self, conversation: Conversation, answers: Collection[str]) -> bool:
        """See `TurnStore`; beyond `max_turns` the oldest mark is forgotten, as its turn is."""
        marks = [(conversation, answer) for answer in answers]
        if any(mark in self._answers for mark in marks):
            return False
        self._answers.update(dict.fromkeys(marks))
        while len(self._answers) > self._max_turns:
            self._answers.popitem(last=False)
        return True

    def give_back_answers(self, conversation: Conversation, answers: Collection[str]) -> None:
        """See `TurnStore`."""
        for answer in answers:
            self._answers.pop((conversation, answer), None)

    def _unlink(self, key: tuple[Owner, str], session: SessionName) -> None:
        name = (session.tenant, session.session_id)
        turns = self._by_session[name]
        del turns[key]
        if not turns:
            del self._by_session[name]


class MemoryAliases:
    """See `Aliases`; gone with the process."""

    def __init__(self, *, max_aliases: int) -> None:
        self._max_aliases = max_aliases
        self._suffixes: OrderedDict[tuple[str, str], str] = OrderedDict()

    def session_id(self, tenant: str, key: str) -> str:
        """See `Aliases`."""
        return session_id_of(tenant, key, suffix=self._suffixes.get((tenant, key)))

    def rotate(self, tenant: str, key: str) -> list[SessionName]:
        """See `Aliases`."""
        self._suffixes[tenant, key] = mint()
        self._suffixes.move_to_end((tenant, key))
        forgotten: list[SessionName] = []
        while len(self._suffixes) > self._max_aliases:
            (tenant, key), _ = self._suffixes.popitem(last=False)
            forgotten.append(first_session(tenant, key))
        return forgotten
