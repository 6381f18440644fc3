"""Searches that the model's provider made for the model: `web_search_call` and `file_search_call` items.

Rules of this file:
1. The tool's name says which of the two it is; a search of another name is shown as a call of an MCP server.
2. What was found is shown only when the client asked for it, as at OpenAI; annotations tell where a text has it from.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import msgspec

from agent_framework_hosting.rendering.reading import as_text, items_of, mapping_of, text_in, text_of
from agent_framework_hosting.rendering.text import clean

from .items import Items
from .tool_items import OpenTool, ToolItems

if TYPE_CHECKING:
    from .events import Listener

_FAILED: Final = frozenset({"failed", "incomplete"})
_RESULT_TEXTS: Final = ("file_id", "filename", "text")


class Searches:
    """Puts searches into items; `with_results` and `with_sources` when the client asked for them."""

    def __init__(
        self,
        items: Items,
        listener: Listener,
        *,
        before_opening: Callable[[], None],
        with_results: bool,
        with_sources: bool,
    ) -> None:
        self._web = ToolItems(items, listener, kind="web_search_call", prefix="ws_", before_opening=before_opening)
        self._file = ToolItems(items, listener, kind="file_search_call", prefix="fs_", before_opening=before_opening)
        self._with_results = with_results
        self._with_sources = with_sources

    @staticmethod
    def knows(content: Any) -> bool:
        """Whether the content is of a search that has an item of its own."""
        return text_of(content, "tool_name").startswith(("web_search", "file_search"))

    def take_call(self, content: Any, *, message: int) -> None:
        """Begin a search."""
        key, tools = text_of(content, "call_id"), self._tools(content)
        if tools.is_over(key, message) or (key and tools.find(key, message)):
            return
        self._begin(tools, key, message, _value(getattr(content, "arguments", None)))

    def take_result(self, content: Any, *, message: int) -> None:
        """End a search."""
        key, tools = text_of(content, "call_id"), self._tools(content)
        tool = tools.find(key)
        if tool is None:
            if tools.is_over(key):
                return
            tool = self._begin(tools, key, message, {})
        result = mapping_of(_value(getattr(content, "result", None)))
        if tools is self._web:
            if action := mapping_of(result.get("action")):
                tool.item.fields["action"] = self._action(action)
        elif self._with_results:
            tool.item.fields["results"] = [_found(item) for item in items_of(result.get("results"))]
        tool.status = text_of(content, "status")
        self._close(tools, tool)

    def close(self, tool: OpenTool, *, is_cut: bool) -> None:
        """Close a search of which nothing more was told."""
        tools = self._web if tool.item.type == "web_search_call" else self._file
        if is_cut:
            tools.close(tool, "incomplete")
        else:
            self._close(tools, tool)

    def still_open(self) -> list[OpenTool]:
        """Return the searches that are open."""
        return [*self._web.still_open(), *self._file.still_open()]

    def _tools(self, content: Any) -> ToolItems:
        return self._file if text_of(content, "tool_name").startswith("file") else self._web

    def _begin(self, tools: ToolItems, key: str, message: int, asked: Any) -> OpenTool:
        if tools is self._web:
            tool = tools.open(key, message, action=self._action(asked))
        else:
            tool = tools.open(key, message, queries=_queries(asked), results=None)
        tools.tell(tool, f"{tool.item.type}.in_progress")
        tools.tell(tool, f"{tool.item.type}.searching")
        return tool

    @staticmethod
    def _close(tools: ToolItems, tool: OpenTool) -> None:
        if tool.status in _FAILED:
            tools.close(tool, "failed")
            return
        tools.tell(tool, f"{tool.item.type}.completed")
        tools.close(tool, "completed")

    def _action(self, asked: Any) -> dict[str, Any]:
        known = mapping_of(asked)
        url, pattern = text_in(known, "url"), text_in(known, "pattern")
        if known.get("type") == "open_page":
            return {"type": "open_page", "url": url or None}
        if known.get("type") == "find_in_page" and url and pattern:
            return {"type": "find_in_page", "url": url, "pattern": pattern}
        action: dict[str, Any] = {"type": "search", "query": next(iter(_queries(asked)), "")}
        if isinstance(known.get("queries"), list):
            action["queries"] = _queries(asked)
        if self._with_sources:
            urls = [text_in(mapping_of(source), "url") for source in items_of(known.get("sources"))]
            action["sources"] = [{"type": "url", "url": found} for found in urls if found]
        return action


def _queries(asked: Any) -> list[str]:
    if isinstance(asked, str):
        return [clean(asked)] if asked else []
    known = mapping_of(asked)
    queries = [clean(query) for query in items_of(known.get("queries")) if isinstance(query, str)]
    return queries or ([query] if (query := text_in(known, "query")) else [])


def _found(value: Any) -> dict[str, Any]:
    known = mapping_of(value)
    shown: dict[str, Any] = {name: text_in(known, name) or None for name in _RESULT_TEXTS}
    score = known.get("score")
    shown["score"] = float(score) if isinstance(score, (int, float)) and not isinstance(score, bool) else None
    attributes = mapping_of(known.get("attributes"))
    shown["attributes"] = {clean(str(name)): _plain(value) for name, value in attributes.items()} or None
    return shown


def _plain(value: Any) -> str | float | bool:
    return value if isinstance(value, (bool, float)) else float(value) if isinstance(value, int) else as_text(value)


def _value(value: Any) -> Any:
    """Return what a text of JSON says, and any other value as it is."""
    if not isinstance(value, str) or not value.lstrip().startswith("{"):
        return value
    try:
        return msgspec.json.decode(value)
    except (msgspec.DecodeError, RecursionError, UnicodeError):
        return value
