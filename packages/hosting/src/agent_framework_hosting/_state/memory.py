"""Turns and aliases in memory: turns bounded by number and bytes, aliases by number; gone with the process."""

from __future__ import annotations

import math
from collections import OrderedDict
from operator import itemgetter
from typing import TypeAlias

from msgspec.structs import force_setattr

from ..ids import mint
from ..types import Owner
from .aliases import first_session, session_id_of
from .turns import SessionName, Turn

_Key: TypeAlias = tuple[Owner, str]


def fitted(data: bytes) -> bytes:
    """Return a copy in no more memory than it needs: the buffer that an encoder returns may be half as large again.

    Example:
        >>> fitted(b"said")
        b'said'
    """
    return bytes(memoryview(data))


class MemoryTurns:
    """Committed turns in memory; beyond `max_turns`, or `max_bytes` of records, the oldest is forgotten.

    The newest stays, however large. What a snapshot points to is the session's own history, which goes with it.
    """

    def __init__(self, *, max_turns: int, max_bytes: float = math.inf) -> None:
        self._max_turns = max_turns
        self._max_bytes = max_bytes
        self._size = 0
        self._number = 0
        self._turns: OrderedDict[_Key, Turn] = OrderedDict()
        # By tenant and session id, each with how many turns were stored before it.
        self._by_session: dict[tuple[str, str], dict[_Key, int]] = {}
        # By tenant and root: those of sessions whose id is another one, as branches and reset ones have it.
        self._elsewhere: dict[tuple[str, str], dict[_Key, int]] = {}

    def find(self, owner: Owner, turn_id: str) -> Turn | None:
        """Return the owner's turn of that id; unknown, forgotten and another owner's are the same `None`."""
        return self._turns.get((owner, turn_id))

    def of_root(self, tenant: str, root: str) -> list[Turn]:
        """Return the turns of a conversation with its branches, the oldest first."""
        own, elsewhere = self._by_session.get((tenant, root), {}), self._elsewhere.get((tenant, root), {})
        # A session may have an id that is another conversation's root: its own turns say what they belong to.
        turns = [(number, self._turns[key]) for key, number in own.items()]
        found = [entry for entry in turns if entry[1].session.root == root]
        found += [(number, self._turns[key]) for key, number in elsewhere.items()]
        return [turn for _, turn in sorted(found, key=itemgetter(0))]

    def remove(self, owner: Owner, turn_id: str) -> bool:
        """Drop a turn; says whether there was one."""
        if (owner, turn_id) not in self._turns:
            return False
        self._drop((owner, turn_id))
        return True

    def commit(self, turn: Turn) -> None:
        """Store a turn; it takes the place of the owner's earlier turn of that id."""
        key = (turn.owner, turn.id)
        # An id means one turn: the session that had it must not take this one along when it is forgotten.
        if key in self._turns:
            self._drop(key)
        self._turns[key] = turn
        self._size += len(turn.record)
        self._number = number = self._number + 1
        session = turn.session
        tenant, session_id, root = session.tenant, session.session_id, session.root
        _enter(self._by_session, (tenant, session_id), key, number)
        if session_id != root:
            _enter(self._elsewhere, (tenant, root), key, number)
        while len(self._turns) > self._max_turns or (self._size > self._max_bytes and len(self._turns) > 1):
            self._drop(next(iter(self._turns)))

    def forget(self, session: SessionName) -> None:
        """Drop all turns of a session."""
        for key in self._by_session.pop((session.tenant, session.session_id), ()):
            self._let_go(key)

    def _drop(self, key: _Key) -> None:
        session = self._let_go(key)
        _leave(self._by_session, (session.tenant, session.session_id), key)

    def _let_go(self, key: _Key) -> SessionName:
        forgotten = self._turns.pop(key)
        session = forgotten.session
        self._size -= len(forgotten.record)
        # Its session may hold on to it as its newest one, and goes on from there; nobody reads the record any more.
        force_setattr(forgotten, "record", b"")
        if session.session_id != session.root:
            _leave(self._elsewhere, (session.tenant, session.root), key)
        return session


def _enter(index: dict[tuple[str, str], dict[_Key, int]], place: tuple[str, str], key: _Key, number: int) -> None:
    turns = index.get(place)
    if turns is None:
        index[place] = {key: number}
    else:
        turns[key] = number


def _leave(index: dict[tuple[str, str], dict[_Key, int]], place: tuple[str, str], key: _Key) -> None:
    turns = index[place]
    del turns[key]
    if not turns:
        del index[place]


class MemoryAliases:
    """See `Aliases`; gone with the process."""

    def __init__(self, *, max_aliases: int) -> None:
        self._max_aliases = max_aliases
        self._suffixes: OrderedDict[tuple[str, str], str] = OrderedDict()

    def session_id(self, tenant: str, key: str) -> str:
        """See `Aliases`."""
        # Most hosts have reset nothing.
        suffix = self._suffixes.get((tenant, key)) if self._suffixes else None
        return session_id_of(tenant, key, suffix=suffix)

    def rotate(self, tenant: str, key: str) -> list[SessionName]:
        """See `Aliases`."""
        self._suffixes[tenant, key] = mint()
        self._suffixes.move_to_end((tenant, key))
        forgotten: list[SessionName] = []
        while len(self._suffixes) > self._max_aliases:
            (tenant, key), _ = self._suffixes.popitem(last=False)
            forgotten.append(first_session(tenant, key))
        return forgotten
