"""The calls of a completion, and which of them a chunk belongs to.

Rules of this file:
1. Only a call that the client must answer is shown; tools that the agent runs itself are no business of the client's,
   whose front end would try to run them.
2. Core's own id of a call (`occurrence`) decides where it is given; otherwise the model's `call_id`, inside one message
   only, since models reuse ids; a chunk without any id continues the call that began last.
3. Ids that the client must answer are unique in a completion.
4. What was sent stays sent: other arguments for a call that has been shown are a contradiction.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

from agent_framework_hosting.ids import mint
from agent_framework_hosting.logs import logger
from agent_framework_hosting.rendering.pieces import CallChunk, missing_arguments


@dataclass(slots=True, eq=False)
class Call:
    """A call; `index` is its place among those that are shown, `None` while it is not."""

    key: str
    occurrence: str
    message: int
    name: str = ""
    id: str = ""
    index: int | None = None
    is_whole: bool = False
    chunks: list[str] = field(default_factory=list[str])

    @property
    def arguments(self) -> str:
        """All of its arguments so far, as JSON."""
        return "".join(self.chunks)

    def snapshot(self) -> dict[str, Any]:
        """Return the call as a message shows it."""
        return {"id": self.id, "type": "function", "function": {"name": self.name, "arguments": self.arguments}}


class Calls:
    """Takes chunks of calls, and puts what has to be sent into `deltas`.

    `contradicted` says that a call that the client has seen turned out to be another one.
    """

    def __init__(self, deltas: list[dict[str, Any]], *, client_tools: Collection[str]) -> None:
        self.shown: list[Call] = []
        self.contradicted = False
        self._deltas = deltas
        self._client_tools = client_tools
        self._known: list[Call] = []

    def take(self, chunk: CallChunk, *, message: int, restated: bool = False) -> None:
        """Add a call or a piece of one; `restated` when it belongs to a message that replaces what was said."""
        call = self._find(chunk, message)
        if call is None:
            if not (chunk.key or chunk.occurrence or chunk.name):
                return
            call = Call(chunk.key, chunk.occurrence, message)
            self._known.append(call)
        call.occurrence = call.occurrence or chunk.occurrence
        call.name = call.name or chunk.name
        self._add_arguments(call, chunk, stands_alone=restated or chunk.replaces or chunk.is_whole)
        if call.index is None and call.name and (chunk.is_for_client or call.name in self._client_tools):
            self._show(call)

    def add(self, call_id: str, name: str, arguments: str) -> None:
        """Add a whole call of the channel's own."""
        call = Call(call_id, "", -1, name=name, chunks=[arguments])
        self._show(call)

    def finish(self) -> None:
        """Give the calls that have none an empty object of arguments."""
        for call in self.shown:
            if not call.arguments:
                self._append(call, "{}")

    def _find(self, chunk: CallChunk, message: int) -> Call | None:
        if chunk.occurrence:
            known = next((call for call in self._known if call.occurrence == chunk.occurrence), None)
            if known is not None:
                return known
        if chunk.key:
            return next((call for call in reversed(self._known) if _is_same(call, chunk, message)), None)
        last = self._known[-1] if self._known else None
        if last is None or last.message != message or chunk.occurrence:
            return None
        return last if chunk.name in ("", last.name) or not last.name else None

    def _add_arguments(self, call: Call, chunk: CallChunk, *, stands_alone: bool) -> None:
        if not chunk.arguments:
            return
        rest: str | None = chunk.arguments
        if call.chunks and (stands_alone or call.is_whole):
            rest = missing_arguments(call.arguments, chunk.arguments)
        call.is_whole = chunk.is_whole or call.is_whole
        if rest is None and call.index is not None:
            self.contradicted = True
        elif rest is None:
            call.chunks[:] = [chunk.arguments]
        elif rest:
            self._append(call, rest)

    def _append(self, call: Call, arguments: str) -> None:
        call.chunks.append(arguments)
        if call.index is not None:
            self._deltas.append({"tool_calls": [{"index": call.index, "function": {"arguments": arguments}}]})

    def _show(self, call: Call) -> None:
        call.id = call.key or mint("call_")
        if any(other.id == call.id for other in self.shown):
            logger.warning("The agent used one call id for two calls of one answer; the later one is left out.")
            return
        call.index = len(self.shown)
        self.shown.append(call)
        self._deltas.append({"tool_calls": [{"index": call.index, **call.snapshot()}]})


def _is_same(call: Call, chunk: CallChunk, message: int) -> bool:
    is_key = call.key == chunk.key and call.message == message
    return is_key and (not chunk.occurrence or not call.occurrence or call.occurrence == chunk.occurrence)
