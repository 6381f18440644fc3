"""The accumulator: which output items an agent's updates make, and which of them are open.

Rules of this file:
1. One text item at most is open; it closes when another item opens. Several calls may be open beside it.
2. A content that cannot be shown is skipped, with one warning for all of its kind.
3. An incomplete item is the last one, and only of a response that was cut.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Final

from agent_framework_hosting.logs import logger
from agent_framework_hosting.rendering.accumulator import Accumulator, kind_of
from agent_framework_hosting.rendering.reading import text_of
from agent_framework_hosting.rendering.text import clean

from .._waiting import Waiting
from .contents import Passage, passage, runs
from .envelope import error_object
from .items import FlowItem, Item, Items, MessageItem, Part, ReasoningItem
from .showing import Showing
from .texts import Texts

if TYPE_CHECKING:
    from .events import Listener
    from .provider_tools import ProviderTools
    from .tool_calls import ToolCalls

_NOTHING: Final[frozenset[str]] = frozenset()
_PASSAGES: Final = frozenset(("text", "text_reasoning"))


class Output(Accumulator):
    """Takes updates, or a whole response, and keeps the items, the usage, and how it ended."""

    OF_TOOLS = frozenset(
        {
            "computer_tool_call",
            "computer_tool_result",
            "code_interpreter_tool_result",
            "error",
            "function_approval_request",
            "function_result",
            "image_generation_tool_result",
            "mcp_server_tool_result",
            "oauth_consent_request",
            "search_tool_result",
            "shell_tool_result",
        }
    )

    def __init__(self, listener: Listener, showing: Showing, *, first_id: int = 0) -> None:
        super().__init__()
        self.items = Items(clean(showing.response_id), first=first_id)
        self.texts = Texts(self.items, listener, encrypted=showing.encrypted_reasoning)
        self._calls = self._tool_calls(listener, showing) if showing.waiting else None
        self._listener = listener
        self._showing = showing
        self._tools: ProviderTools | None = None
        self._error: dict[str, Any] | None = None
        self._first_of_message = 0
        self._skipped: frozenset[str] = _NOTHING

    @property
    def calls(self) -> ToolCalls:
        """The calls of tools. Most answers have none, so whoever only looks at them asks for `waiting`."""
        if self._calls is None:
            self._calls = self._tool_calls(self._listener, self._showing)
        return self._calls

    @property
    def waiting(self) -> list[Waiting]:
        """The calls that a later turn will run, once the response is finished."""
        return self._calls.waiting if self._calls is not None else []

    @property
    def error(self) -> dict[str, Any] | None:
        """The error that the agent reported, or `None`."""
        if self._error is not None or self._calls is None:
            return self._error
        if self._calls.contradicted:
            message = "The model changed the arguments of a tool call that had been sent already."
            return error_object("server_error", message)
        if self._calls.trespassed:
            return error_object("server_error", "The model called a tool that 'tool_choice' does not allow.")
        return None

    def finish(self, *, is_cut: bool) -> None:
        """Close all that is open, in order; of a response that was cut, the last item is left incomplete."""
        if self.halves.held is not None:
            self.release()
        if self._calls is None and self._tools is None:
            # As of nearly all answers: text alone may be open, which is the last item then.
            self.texts.close("incomplete" if is_cut else "completed")
            self.texts.restart()
            return
        closing: list[tuple[Item, Callable[[bool], None]]] = []
        if self._calls is not None:
            called = self._calls.open_items()
            closing = [(item, lambda is_last, item=item: self.calls.close(item, is_cut=is_last)) for item in called]
        if self._tools is not None:
            closing += [(tool.item, close) for tool, close in self._tools.still_open()]
        if text := self.texts.open_item:
            closing.append((text, lambda is_last: self.texts.close("incomplete" if is_last else "completed")))
        if len(closing) > 1:
            closing.sort(key=lambda pair: pair[0].index)
        for item, close in closing:
            close(is_cut and item is self.items[-1])
        self.texts.restart()
        # Nothing is opened any more; the tools have the texts, and the two would keep each other.
        self.texts.before_opening = None

    def begin_message(self) -> None:
        """See `Accumulator`."""
        self._first_of_message = len(self.items)
        self.texts.restart()

    def take_content(self, content: Any, kind: str) -> None:
        """See `Accumulator`."""
        if kind in _PASSAGES:
            self.texts.take(passage(content))
            return
        self.texts.interrupt()
        if taker := self._TAKERS.get(kind):
            taker(self, content)
        elif not self._provider_tools().take(content, message=self.message, restated=self.is_restating):
            self._skip(kind)
            self.texts.restart()

    def _tool_calls(self, listener: Listener, showing: Showing) -> ToolCalls:
        # Few agents show a call, or ask their caller for one.
        from .tool_calls import ToolCalls

        return ToolCalls(self.items, listener, showing, before_opening=self.texts.close)

    def _provider_tools(self) -> ProviderTools:
        # Most answers have no such tools, and there is much to prepare for them.
        if self._tools is None:
            from .provider_tools import ProviderTools

            self._tools = ProviderTools(self.items, self._listener, self._showing, texts=self.texts, calls=self.calls)
            self.texts.before_opening = self._tools.settle
        return self._tools

    def _take_call(self, content: Any) -> None:
        self.calls.take(content, message=self.message)

    def _take_result(self, content: Any) -> None:
        self.calls.answer(content)

    def _take_question(self, content: Any) -> None:
        self.calls.ask(content)

    def _take_error(self, content: Any) -> None:
        if self._error is None:
            message = text_of(content, "message") or "The agent reported an error."
            self._error = error_object(text_of(content, "error_code"), message)

    def restate(self, contents: Sequence[Any]) -> None:
        """See `Accumulator`."""
        known = self._parts_of_message()
        self.texts.restart()
        for content in runs(contents):
            if isinstance(content, Passage):
                match = self.texts.restate(content, known)
                known = known if match is None else known[known.index(match) + 1 :]
            elif kind_of(content) == "function_call":
                self.calls.take(content, message=self.message, restated=True)
            else:
                self.add(content)

    def _parts_of_message(self) -> list[tuple[FlowItem, Part]]:
        items = self.items[self._first_of_message :]
        return [(item, part) for item in items if isinstance(item, (MessageItem, ReasoningItem)) for part in item.parts]

    def _skip(self, kind: str) -> None:
        if kind not in self._skipped:
            self._skipped |= {kind}
            logger.warning("The Responses channel cannot show a content of kind %r; such contents are left out.", kind)

    # Of the class: with methods of its own in it, each answer would wait for the garbage collector.
    _TAKERS: ClassVar[Mapping[str, Callable[..., None]]] = {
        "function_call": _take_call,
        "function_result": _take_result,
        "function_approval_request": _take_question,
        "error": _take_error,
    }
