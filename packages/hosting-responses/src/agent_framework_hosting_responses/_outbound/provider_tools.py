"""All that is neither text nor a call of the agent's own: which family of items each kind of content belongs to.

Rules of this file:
1. Tools that the model's provider runs are hidden together with those that the agent runs. Images, files, addresses and
   consents are what is said, and actions at a computer are for the client to carry out: these are always shown.
2. A message that is restated says nothing of this twice.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from agent_framework_hosting.rendering.reading import text_of

from . import links
from .code_calls import CodeCalls
from .contents import Passage
from .images import Images, is_image
from .items import Items
from .machines import Machines
from .searches import Searches
from .showing import Showing
from .texts import Texts
from .tool_calls import ToolCalls
from .tool_items import OpenTool

if TYPE_CHECKING:
    from .events import Listener


class ProviderTools:
    """Takes contents of these kinds; `takes` says whether there was something to show."""

    def __init__(self, items: Items, listener: Listener, showing: Showing, *, texts: Texts, calls: ToolCalls) -> None:
        asked = showing.include
        self._texts = texts
        self._calls = calls
        self._shows_tools = showing.show_tool_calls
        self._said: set[tuple[int, str]] = set()
        self._code = CodeCalls(
            items, listener, before_opening=texts.close, with_outputs="code_interpreter_call.outputs" in asked
        )
        self._images = Images(items, listener, before_opening=texts.close, link=partial(_link, texts))
        self._searches = Searches(
            items,
            listener,
            before_opening=texts.close,
            with_results="file_search_call.results" in asked,
            with_sources="web_search_call.action.sources" in asked,
        )
        self._machines = Machines(items, listener, before_opening=texts.close)

    def take(self, content: Any, *, message: int, restated: bool) -> bool:
        """Add a content; say whether there is a way to show it."""
        kind = text_of(content, "type")
        if tool := self._TOOLS.get(kind):
            if self._shows_tools:
                tool(self, content, message, restated)
            return True
        if kind == "computer_tool_call":
            return self._machines.act(content, message=message)
        if kind == "computer_tool_result":
            return not self._shows_tools or self._machines.acted(content, message=message)
        if kind == "image_generation_tool_call":
            self._images.take_call(content, message=message)
        elif kind == "image_generation_tool_result":
            self._images.take_result(content, message=message)
        else:
            return self._say(kind, content, message, restated=restated)
        return True

    def settle(self) -> None:
        """Close what would stay open until something else is said, which is the case now."""
        self._code.settle()

    def still_open(self) -> list[tuple[OpenTool, Callable[[bool], None]]]:
        """Return what is open, and how to close it; the argument says whether it was cut."""
        return [
            (tool, lambda is_cut, family=family, tool=tool: family.close(tool, is_cut=is_cut))
            for family in (self._code, self._images, self._searches)
            for tool in family.still_open()
        ]

    def _say(self, kind: str, content: Any, message: int, *, restated: bool) -> bool:
        said = text_of(content, "uri") or text_of(content, "file_id") or text_of(content, "consent_link")
        if restated and (message, said) in self._said:
            return True
        self._said.add((message, said))
        if kind in ("data", "uri") and is_image(content):
            self._images.show(content, message=message)
            return True
        passage = _READ[kind](content) if kind in _READ else None
        if passage is not None:
            _speak(self._texts, passage)
        return passage is not None

    def _take_code(self, content: Any, message: int, restated: bool) -> None:  # noqa: FBT001 - a row of the table
        self._code.take_call(content, message=message, restated=restated)

    def _take_code_result(self, content: Any, message: int, restated: bool) -> None:  # noqa: FBT001 - likewise
        self._code.take_result(content, message=message, restated=restated)

    def _take_search(self, content: Any, message: int, *_: object) -> None:
        if self._searches.knows(content):
            self._searches.take_call(content, message=message)
        else:
            self._calls.take_server(content, message=message)

    def _take_search_result(self, content: Any, message: int, *_: object) -> None:
        if self._searches.knows(content):
            self._searches.take_result(content, message=message)
        else:
            self._calls.answer_server(content)

    def _take_server(self, content: Any, message: int, *_: object) -> None:
        self._calls.take_server(content, message=message)

    def _take_server_result(self, content: Any, *_: object) -> None:
        self._calls.answer_server(content)

    def _take_shell(self, content: Any, message: int, *_: object) -> None:
        self._machines.run(content, message=message)

    def _take_shell_result(self, content: Any, message: int, *_: object) -> None:
        self._machines.ran(content, message=message)

    # Of the class: with methods of its own in it, each answer would wait for the garbage collector.
    _TOOLS: ClassVar[Mapping[str, Callable[..., None]]] = {
        "code_interpreter_tool_call": _take_code,
        "code_interpreter_tool_result": _take_code_result,
        "search_tool_call": _take_search,
        "search_tool_result": _take_search_result,
        "mcp_server_tool_call": _take_server,
        "mcp_server_tool_result": _take_server_result,
        "shell_tool_call": _take_shell,
        "shell_tool_result": _take_shell_result,
    }


def _link(texts: Texts, content: Any) -> None:
    if passage := links.address(content):
        _speak(texts, passage)


def _speak(texts: Texts, passage: Passage) -> None:
    texts.restart()
    texts.take(passage)
    texts.restart()


_READ: Mapping[str, Callable[[Any], Passage | None]] = {
    "uri": links.address,
    "hosted_file": links.file,
    "oauth_consent_request": links.consent,
}
