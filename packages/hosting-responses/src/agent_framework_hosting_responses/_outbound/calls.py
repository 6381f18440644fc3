"""Which tool calls are under way, and which of them a chunk or a result belongs to.

Rules of this file:
1. Core's own id of a call (`occurrence`) decides where it is given; it holds across messages.
2. The model's `call_id` decides otherwise, inside one message only: models reuse ids from turn to turn.
3. A chunk without any id continues the call that began last, which is where core puts it before running the tool.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from agent_framework_hosting.rendering.pieces import CallChunk

from .._waiting import Waiting
from .items import CallItem

_EARLIER: Final = -1
"""The number of all messages of earlier turns."""


@dataclass(slots=True, eq=False)
class Call:
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
    pending: list[str] = field(default_factory=list[str])

    @property
    def is_for_client(self) -> bool:
        """Whether the client, not the agent, answers it."""
        return self.item is not None and self.item.is_for_client


class Calls:
    """The calls that have neither ended nor been answered, in the order in which they began."""

    __slots__ = ("_last", "_open", "_settled")

    def __init__(self, before: Iterable[Waiting] = ()) -> None:
        self._open: list[Call] = [_waiting(call) for call in before]
        self._last: Call | None = None
        self._settled: set[str] = set()

    def is_settled(self, occurrence: str) -> bool:
        """Whether this very call has been answered already."""
        return occurrence in self._settled

    def begin(self, chunk: CallChunk, message: int) -> Call:
        """Open a call."""
        call = Call(chunk.key, chunk.occurrence, message, server=chunk.server)
        self._open.append(call)
        self._last = call
        return call

    def find(self, chunk: CallChunk, message: int) -> Call | None:
        """Return the open call that the chunk continues."""
        call = self._find(chunk, message)
        if call is not None:
            call.occurrence = call.occurrence or chunk.occurrence
        return call

    def answer(self, key: str, occurrence: str) -> Call | None:
        """Return the open call that a result belongs to, and forget it; a client's call is not answered here."""
        waiting = [call for call in self._open if not call.is_for_client]
        call = _belonging(waiting, key, occurrence)
        if call is not None:
            self._close(call)
        return call

    def ask(self, key: str, occurrence: str) -> Call | None:
        """Return the open call that an approval is asked for, and forget it."""
        call = _belonging(self._open, key, occurrence)
        if call is not None:
            self._close(call)
        return call

    def abandon(self) -> list[Call]:
        """Forget all open calls, and return them."""
        calls, self._open = self._open, []
        return calls

    def _close(self, call: Call) -> None:
        self._open.remove(call)
        if call.occurrence:
            self._settled.add(call.occurrence)

    def _find(self, chunk: CallChunk, message: int) -> Call | None:
        if chunk.occurrence:
            for call in self._open:
                if call.occurrence == chunk.occurrence:
                    return call
        if chunk.key:
            return next((call for call in reversed(self._open) if _is_same(call, chunk, message)), None)
        last = self._last
        if last is None or last not in self._open or last.message != message or chunk.occurrence:
            return None
        return last if chunk.name in ("", last.name) or not last.name else None


def _belonging(calls: list[Call], key: str, occurrence: str) -> Call | None:
    call = next((call for call in calls if occurrence and call.occurrence == occurrence), None)
    # Models use their ids again from turn to turn: what this turn has called comes before what was left waiting.
    later = sorted(calls, key=lambda call: call.before is not None)
    return call or next((call for call in later if call.key == key and _may_be(call, occurrence)), None)


def _waiting(call: Waiting) -> Call:
    known = Call(call.call_id, call.occurrence, _EARLIER, call.name, server=call.server, before=call, is_held=True)
    known.pending.append(call.arguments)
    return known


def _is_same(call: Call, chunk: CallChunk, message: int) -> bool:
    return call.key == chunk.key and call.message == message and _may_be(call, chunk.occurrence)


def _may_be(call: Call, occurrence: str) -> bool:
    return not occurrence or not call.occurrence or call.occurrence == occurrence
