"""Tool calls as items: those that the client must answer, and those that the agent or an MCP server runs.

Rules of this file:
1. A tool that the agent runs is never shown as a call that the client must answer: it is an `mcp_call`, or hidden.
2. A call is shown once its name is known, since the name decides how; one that may have to be approved is held back
   until it is known whether it is, so that nothing but the request is shown of it.
3. Call ids that the client must answer are unique in a response, or the client could not answer them.
4. What an exception says stays here; the client sees what the model sees.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

from agent_framework_hosting.ids import mint
from agent_framework_hosting.logs import logger
from agent_framework_hosting.rendering.pieces import CallChunk, call_chunk, missing_arguments
from agent_framework_hosting.rendering.reading import text_of
from agent_framework_hosting.rendering.text import clean

from .._waiting import Waiting
from .calls import Call, Calls
from .contents import result_text, server_call_chunk, server_result_text
from .items import CallItem, Items, ToolItem, joined
from .showing import Showing
from .words import CallForm, ItemStatus

if TYPE_CHECKING:
    from .events import Listener

_PREFIXES: Final[Mapping[CallForm, str]] = {"function_call": "fc_", "custom_tool_call": "ctc_", "mcp_call": "mcp_"}


class ToolCalls:
    """Puts calls, their results, and requests for approval into items, and tells the listener.

    `before_opening` is called before an item is added. `contradicted` says that the arguments of a client's call,
    which the client has seen, turned out to be other ones: nothing that the client may act upon. `trespassed` says that
    a client's tool was called which the tool choice leaves out; the client does not see it. `waiting` are the
    calls that a later turn will run, once the response is finished.
    """

    __slots__ = (
        "_asked",
        "_before_opening",
        "_calls",
        "_is_clients_turn",
        "_items",
        "_listener",
        "_showing",
        "_used_ids",
        "contradicted",
        "trespassed",
        "waiting",
    )

    def __init__(
        self, items: Items, listener: Listener, showing: Showing, *, before_opening: Callable[[], None]
    ) -> None:
        self._items = items
        self._listener = listener
        self._showing = showing
        self._before_opening = before_opening
        self._calls = Calls(showing.waiting)
        self._used_ids: set[str] = set()
        self._asked: dict[str, Waiting] = {}
        self._is_clients_turn = False
        self.contradicted = False
        self.trespassed = False
        self.waiting: list[Waiting] = []

    def expect(self, waiting: Iterable[Waiting]) -> None:
        """Take notice of the calls that earlier turns have left waiting; before anything is added."""
        self._calls = Calls(waiting)

    def take(self, content: Any, *, message: int, restated: bool = False) -> None:
        """Add a call or a piece of one; `restated` when it belongs to a message that replaces what was said."""
        self._take(call_chunk(content), message=message, restated=restated)

    def take_server(self, content: Any, *, message: int) -> None:
        """Add a call that an MCP server runs for the model."""
        self._take(server_call_chunk(content), message=message, restated=False)

    def answer(self, content: Any) -> None:
        """Add the result of a call that the agent ran."""
        failed = getattr(content, "exception", None) is not None
        self._answer(content, text_of(content, "id"), result_text(content), failed=failed)

    def answer_server(self, content: Any) -> None:
        """Add the result of a call that an MCP server ran."""
        failed = getattr(getattr(content, "raw_representation", None), "error", None) is not None
        self._answer(content, "", server_result_text(content), failed=failed)

    def ask(self, content: Any) -> None:
        """Add a request for approval; it is all that is shown of its call."""
        request_id = text_of(content, "id")
        if request_id in self._asked:
            return
        chunk = call_chunk(getattr(content, "function_call", None))
        call = self._calls.ask(chunk.key, chunk.occurrence)
        if call is not None and call.item is not None:
            if call.is_for_client:
                self._end(call.item, "completed")
                self.contradicted = True
                return
            # That it would have to be approved was not to be known before.
            self._end(call.item, "calling")
        self._asked[request_id] = self._request(request_id, chunk, _server_of(content))

    def open_items(self) -> list[CallItem]:
        """Forget all open calls, and return the items of those which the caller has to close."""
        calls = self._calls.abandon()
        # Once for all of them: a run may end with thousands.
        self._is_clients_turn = self._awaits_client()
        self.waiting = [*self._still_waiting(calls), *self._asked.values()]
        return [call.item for call in calls if call.item is not None]

    def close(self, item: CallItem, *, is_cut: bool) -> None:
        """Close a call for which nothing more will come."""
        if item.form == "mcp_call" and not is_cut and self._is_clients_turn:
            # Agent Framework runs it once the client has answered: it has not failed, and a replay must not say so.
            self._end(item, "calling")
        elif item.form == "mcp_call":
            item.problem = "The tool call did not return a result."
            self._end(item, "failed")
        else:
            self._end(item, "incomplete" if is_cut else "completed")

    def _awaits_client(self) -> bool:
        clients = (isinstance(item, CallItem) and item.is_for_client for item in self._items)
        return bool(self._asked) or any(clients)

    def _still_waiting(self, calls: list[Call]) -> list[Waiting]:
        """Return what a later turn will run of these calls."""
        awaits_client = self._awaits_client()
        waiting: list[Waiting] = []
        for call in calls:
            if call.before is not None:
                # Agent Framework takes answers to its latest requests only.
                if call.before.decided is not None or not call.before.request or not self._asked:
                    waiting.append(call.before)
            elif awaits_client and call.name and not call.is_for_client and call.server is None:
                arguments = joined(call.pending) if call.item is None else call.item.arguments
                waiting.append(
                    Waiting(call_id=call.key, occurrence=call.occurrence, name=call.name, arguments=arguments)
                )
        return waiting

    def _take(self, chunk: CallChunk, *, message: int, restated: bool) -> None:
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
        elif call.is_held and chunk.is_for_client:
            self._show(call, is_for_client=True)
        if chunk.arguments and not call.is_hidden:
            self._add_arguments(call, chunk, stands_alone=restated or chunk.replaces or chunk.is_whole)

    def _answer(self, content: Any, occurrence: str, said: str, *, failed: bool) -> None:
        call = self._calls.answer(text_of(content, "call_id"), occurrence)
        if call is None:
            logger.debug("A tool result answers no call of this response; it is left out.")
            return
        if call.is_held and self._showing.show_tool_calls:
            self._open(call, "mcp_call", call.key)
        if call.item is None:
            return
        call.item.output = said
        if call.before is not None and call.before.request:
            call.item.approval = call.before.request
        if failed:
            call.item.problem = "The tool failed."
        elif call.before is not None and call.before.decided is False:
            call.item.problem = "The tool call was not approved."
        self._end(call.item, "completed" if call.item.problem is None else "failed")

    def _show(self, call: Call, *, is_for_client: bool) -> None:
        if call.server is None and not is_for_client and call.name in self._showing.approval_tools:
            call.is_held = True
            return
        is_clients = is_for_client or (call.server is None and call.name in self._showing.client_tools)
        if is_clients and call.name in self._showing.forbidden_tools:
            self.trespassed = call.is_hidden = True
            self._before_opening()
            return
        form: CallForm = "mcp_call"
        if is_clients:
            form = "custom_tool_call" if call.name in self._showing.custom_tools else "function_call"
        call_id = call.key or mint("call_")
        call.is_held = False
        if form == "mcp_call":
            call.is_hidden = not self._showing.show_tool_calls
        elif call_id in self._used_ids:
            logger.warning("The agent used one call id for two calls of one response; the later one is left out.")
            call.is_hidden = True
        if call.is_hidden:
            self._before_opening()
            return
        self._open(call, form, call_id)

    def _open(self, call: Call, form: CallForm, call_id: str) -> None:
        self._before_opening()
        self._used_ids.add(call_id)
        call.item = self._add_item(form, call.name, call_id, call.server)
        for text in call.pending:
            if text:
                self._append(call.item, text)
        call.pending.clear()

    def _add_item(self, form: CallForm, name: str, call_id: str, server: str | None) -> CallItem:
        item_id = self._items.new_id(_PREFIXES[form])
        item = CallItem(len(self._items), form, name, call_id, server or clean(self._showing.server_label), item_id)
        self._items.append(item)
        self._listener.item_added(item)
        return item

    def _request(self, request_id: str, chunk: CallChunk, server: str | None) -> Waiting:
        self._before_opening()
        arguments = chunk.arguments or "{}"
        shown = {
            "name": chunk.name,
            "arguments": arguments,
            "server_label": server or clean(self._showing.server_label),
        }
        item = ToolItem(len(self._items), "mcp_approval_request", self._items.new_id("mcpr_"), shown, status=None)
        self._items.append(item)
        self._listener.item_added(item)
        self._listener.item_done(item)
        return Waiting(
            call_id=chunk.key,
            occurrence=chunk.occurrence,
            name=chunk.name,
            arguments=arguments,
            server=server,
            request=item.id,
            request_id=request_id,
        )

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
        call.item = self._add_item(item.form, item.name, item.call_id, call.server)
        self._append(call.item, arguments)

    def _append(self, item: CallItem, text: str) -> None:
        item.chunks.append(text)
        self._listener.arguments_added(item, text)

    def _end(self, item: CallItem, status: ItemStatus) -> None:
        if not item.chunks:
            self._append(item, "{}")
        item.status = status
        self._listener.call_done(item)


def _server_of(request: Any) -> str | None:
    """Return the MCP server that runs the call, `None` when the agent does."""
    call = getattr(request, "function_call", None)
    return text_of(call, "server_name") if getattr(call, "hosted", False) is True else None
