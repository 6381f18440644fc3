"""Tool calls as items: those that the client must answer, and those that the agent ran itself.

Rules of this file:
1. A tool that the agent ran is never shown as a call that the client must answer: it is an `mcp_call`, or hidden.
2. A call is shown once its name is known, since the name decides how.
3. Call ids that the client must answer are unique in a response, or the client could not answer them.
4. What an exception says stays here; the client sees what the model sees.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from agent_framework_hosting.ids import mint
from agent_framework_hosting.logs import logger

from .calls import Call, Calls
from .contents import CallChunk, call_chunk, missing_arguments, result_text, text_of
from .events import Listener
from .items import CallForm, CallItem, Item, ItemStatus, joined
from .showing import Showing

_PREFIXES: Final[Mapping[CallForm, str]] = {"function_call": "fc_", "custom_tool_call": "ctc_", "mcp_call": "mcp_"}


class ToolCalls:
    """Puts calls and their results into items, and tells the listener.

    `before_opening` is called before an item is added. `contradicted` says that the arguments of a client's call,
    which the client has seen, turned out to be other ones: nothing that the client may act upon.
    """

    __slots__ = ("_before_opening", "_calls", "_items", "_listener", "_showing", "_used_ids", "contradicted")

    def __init__(
        self, items: list[Item], listener: Listener, showing: Showing, *, before_opening: Callable[[], None]
    ) -> None:
        self._items = items
        self._listener = listener
        self._showing = showing
        self._before_opening = before_opening
        self._calls = Calls()
        self._used_ids: set[str] = set()
        self.contradicted = False

    def take(self, content: Any, *, message: int, restated: bool = False) -> None:
        """Add a call or a piece of one; `restated` when it belongs to a message that replaces what was said."""
        chunk = call_chunk(content)
        if self._calls.is_settled(chunk.occurrence):
            return
        call = self._calls.find(chunk, message)
        if call is None:
            if not (chunk.key or chunk.occurrence or chunk.name):
                logger.debug("A piece of a tool call names no call and follows none; it is left out.")
                return
            call = self._calls.begin(chunk, message)
        if not call.name and chunk.name:
            call.name = chunk.name
            self._show(call, is_for_client=chunk.is_for_client)
        if chunk.arguments and not call.is_hidden:
            self._add_arguments(call, chunk, stands_alone=restated or chunk.replaces or chunk.is_whole)

    def answer(self, content: Any) -> None:
        """Add the result of a call that the agent ran."""
        call = self._calls.answer(text_of(content, "call_id"), text_of(content, "id"))
        if call is None:
            logger.debug("A tool result answers no call of this response; it is left out.")
            return
        if call.item is None:
            return
        call.item.output = result_text(content)
        if getattr(content, "exception", None) is not None:
            call.item.problem = "The tool failed."
        self._end(call.item, "completed" if call.item.problem is None else "failed")

    def open_items(self) -> list[CallItem]:
        """Forget all open calls, and return their items, which the caller has to close."""
        return self._calls.abandon()

    def close(self, item: CallItem, *, is_cut: bool) -> None:
        """Close a call for which nothing more will come."""
        if item.form == "mcp_call" and not is_cut and self._awaits_client():
            # Agent Framework runs it once the client has answered: it has not failed, and a replay must not say so.
            self._end(item, "calling")
        elif item.form == "mcp_call":
            item.problem = "The tool call did not return a result."
            self._end(item, "failed")
        else:
            self._end(item, "incomplete" if is_cut else "completed")

    def _awaits_client(self) -> bool:
        return any(isinstance(item, CallItem) and item.is_for_client for item in self._items)

    def _show(self, call: Call, *, is_for_client: bool) -> None:
        form: CallForm = "mcp_call"
        if is_for_client or call.name in self._showing.client_tools:
            form = "custom_tool_call" if call.name in self._showing.custom_tools else "function_call"
        call_id = call.key or mint("call_")
        if form == "mcp_call":
            call.is_hidden = not self._showing.show_tool_calls
        elif call_id in self._used_ids:
            logger.warning("The agent used one call id for two calls of one response; the later one is left out.")
            call.is_hidden = True
        self._before_opening()
        if call.is_hidden:
            return
        self._used_ids.add(call_id)
        call.item = self._add_item(form, call.name, call_id)
        for text in call.pending:
            self._append(call.item, text)
        call.pending.clear()

    def _add_item(self, form: CallForm, name: str, call_id: str) -> CallItem:
        item_id = mint(_PREFIXES[form])
        item = CallItem(len(self._items), form, name, call_id, self._showing.server_label, item_id)
        self._items.append(item)
        self._listener.item_added(item)
        return item

    def _add_arguments(self, call: Call, chunk: CallChunk, *, stands_alone: bool) -> None:
        said = call.pending if call.item is None else call.item.chunks
        rest: str | None = chunk.arguments
        if said and (stands_alone or call.is_whole):
            rest = missing_arguments(joined(said), chunk.arguments)
        call.is_whole = chunk.is_whole or call.is_whole
        if call.item is None:
            said[:] = [*said, rest] if rest is not None else [chunk.arguments]
        elif rest is None:
            self._contradict(call, call.item, chunk.arguments)
        elif rest:
            self._append(call.item, rest)

    def _contradict(self, call: Call, item: CallItem, arguments: str) -> None:
        if item.is_for_client:
            self.contradicted = True
            return
        item.problem = "The tool call was replaced by another one."
        self._end(item, "failed")
        self._before_opening()
        call.item = self._add_item(item.form, item.name, item.call_id)
        self._append(call.item, arguments)

    def _append(self, item: CallItem, text: str) -> None:
        item.chunks.append(text)
        self._listener.arguments_added(item, text)

    def _end(self, item: CallItem, status: ItemStatus) -> None:
        if not item.chunks:
            self._append(item, "{}")
        item.status = status
        self._listener.call_done(item)
