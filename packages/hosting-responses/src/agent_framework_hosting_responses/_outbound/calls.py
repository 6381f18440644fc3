"""Which tool calls are under way, and which of them a chunk or a result belongs to.

Rules of this file:
1. Core's own id of a call (`occurrence`) decides where it is given; it holds across messages.
2. The model's `call_id` decides otherwise, inside one message only: models reuse ids from turn to turn.
3. A chunk without any id continues the call that began last, which is where core puts it before running the tool.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec

from agent_framework_hosting.rendering.pieces import CallChunk

from .._waiting import Waiting
from .items import CallItem

_EARLIER: Final = -1
"""The number of all messages of earlier turns."""


class Call(msgspec.Struct, eq=False):
    """A call under way; `item` is what the client sees of it, nothing while it is hidden, held back, or without a name.

    `before` is what an earlier turn knew of it, when it is one that was left waiting there.
    """

    key: str
    occurrence: str
    message: int
    name: str = ""
    item: CallItem | None = None
    server: str | None = None
    before: Waiting | None = None
    is_hidden: bool = False
    is_held: bool = False
    is_whole: bool = False
    pending: list[str] = []

    @property
    def is_for_client(self) -> bool:
        """Whether the client, not the agent, answers it."""
        return self.item is not None and self.item.is_for_client


class Calls:
    """The calls that have neither ended nor been answered, in the order in which they began."""

    __slots__ = ("_by_key", "_by_occurrence", "_last", "_open", "_settled")

    def __init__(self, before: Iterable[Waiting] = ()) -> None:
        # Each by its ids, too: a run may make thousands of calls, and each asks for its own with every chunk.
        self._open: dict[Call, None] = {}
        self._by_key: dict[str, dict[Call, None]] = {}
        self._by_occurrence: dict[str, dict[Call, None]] = {}
        self._last: Call | None = None
        self._settled: set[str] = set()
        for call in before:
            self._add(_waiting(call))

    def is_settled(self, occurrence: str) -> bool:
        """Whether this very call has been answered already."""
        return occurrence in self._settled

    def begin(self, chunk: CallChunk, message: int) -> Call:
        """Open a call."""
        call = Call(chunk.key, chunk.occurrence, message, server=chunk.server)
        self._add(call)
        self._last = call
        return call

    def find(self, chunk: CallChunk, message: int) -> Call | None:
        """Return the open call that the chunk continues."""
        call = self._find(chunk, message)
        if call is not None and chunk.occurrence and not call.occurrence:
            call.occurrence = chunk.occurrence
            self._by_occurrence.setdefault(chunk.occurrence, {})[call] = None
        return call

    def answer(self, key: str, occurrence: str) -> Call | None:
        """Return the open call that a result belongs to, and forget it; a client's call is not answered here."""
        return self._taken(key, occurrence, but_clients=True)

    def ask(self, key: str, occurrence: str) -> Call | None:
        """Return the open call that an approval is asked for, and forget it."""
        return self._taken(key, occurrence)

    def abandon(self) -> list[Call]:
        """Forget all open calls, and return them."""
        calls = list(self._open)
        self._open, self._by_key, self._by_occurrence = {}, {}, {}
        return calls

    def _add(self, call: Call) -> None:
        self._open[call] = None
        self._by_key.setdefault(call.key, {})[call] = None
        if call.occurrence:
            self._by_occurrence.setdefault(call.occurrence, {})[call] = None

    def _taken(self, key: str, occurrence: str, *, but_clients: bool = False) -> Call | None:
        call = self._belonging(key, occurrence, but_clients=but_clients)
        if call is None:
            return None
        del self._open[call]
        _drop(self._by_key, call.key, call)
        if call.occurrence:
            _drop(self._by_occurrence, call.occurrence, call)
            self._settled.add(call.occurrence)
        return call

    def _belonging(self, key: str, occurrence: str, *, but_clients: bool) -> Call | None:
        if occurrence:
            for call in self._by_occurrence.get(occurrence, ()):
                if not (but_clients and call.is_for_client):
                    return call
        # Models use their ids again from turn to turn: what this turn has called comes before what was left waiting.
        for call in sorted(self._by_key.get(key, ()), key=lambda call: call.before is not None):
            if _may_be(call, occurrence) and not (but_clients and call.is_for_client):
                return call
        return None

    def _find(self, chunk: CallChunk, message: int) -> Call | None:
        if chunk.occurrence:
            for call in self._by_occurrence.get(chunk.occurrence, ()):
                return call
        if chunk.key:
            same = reversed(self._by_key.get(chunk.key, {}))
            return next((call for call in same if call.message == message and _may_be(call, chunk.occurrence)), None)
        last = self._last
        if last is None or last not in self._open or last.message != message or chunk.occurrence:
            return None
        return last if chunk.name in ("", last.name) or not last.name else None


def _waiting(call: Waiting) -> Call:
    known = Call(call.call_id, call.occurrence, _EARLIER, call.name, server=call.server, before=call, is_held=True)
    known.pending.append(call.arguments)
    return known


def _drop(index: dict[str, dict[Call, None]], name: str, call: Call) -> None:
    same = index[name]
    del same[call]
    if not same:
        del index[name]


def _may_be(call: Call, occurrence: str) -> bool:
    return not occurrence or not call.occurrence or call.occurrence == occurrence
