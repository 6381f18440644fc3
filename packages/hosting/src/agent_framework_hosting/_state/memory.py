"""Turns and aliases in memory: turns bounded by number and bytes, aliases by number; gone with the process."""

from __future__ import annotations

import math
from collections import OrderedDict

from msgspec.structs import force_setattr

from ..ids import mint
from ..types import Owner
from .aliases import first_session, session_id_of
from .turns import SessionName, Turn


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
        self._turns: OrderedDict[tuple[Owner, str], Turn] = OrderedDict()
        self._by_session: dict[tuple[str, str], dict[tuple[Owner, str], None]] = {}
        self._by_root: dict[tuple[str, str], dict[tuple[Owner, str], None]] = {}

    def find(self, owner: Owner, turn_id: str) -> Turn | None:
        """Return the owner's turn of that id; unknown, forgotten and another owner's are the same `None`."""
        return self._turns.get((owner, turn_id))

    def of_root(self, tenant: str, root: str) -> list[Turn]:
        """Return the turns of a conversation with its branches, the oldest first."""
        return [self._turns[key] for key in self._by_root.get((tenant, root), ())]

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
        session = turn.session
        for index, name in ((self._by_session, session.session_id), (self._by_root, session.root)):
            turns = index.get((session.tenant, name))
            if turns is None:
                index[session.tenant, name] = {key: None}
            else:
                turns[key] = None
        while len(self._turns) > self._max_turns or (self._size > self._max_bytes and len(self._turns) > 1):
            self._drop(next(iter(self._turns)))

    def forget(self, session: SessionName) -> None:
        """Drop all turns of a session."""
        for key in list(self._by_session.get((session.tenant, session.session_id), ())):
            self._drop(key)

    def _drop(self, key: tuple[Owner, str]) -> None:
        forgotten = self._turns.pop(key)
        session = forgotten.session
        self._size -= len(forgotten.record)
        # Its session may hold on to it as its newest one, and goes on from there; nobody reads the record any more.
        force_setattr(forgotten, "record", b"")
        for index, name in ((self._by_session, session.session_id), (self._by_root, session.root)):
            turns = index[session.tenant, name]
            del turns[key]
            if not turns:
                del index[session.tenant, name]


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
