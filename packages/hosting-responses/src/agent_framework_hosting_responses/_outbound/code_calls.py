"""Code that the model's provider ran for the model: `code_interpreter_call` items.

Rules of this file:
1. Core folds the chunks of a call, and those of its result, each into the first one's place: so does this.
2. A call is over when a result behind its code says how it ended, at the latest when something else is said. One
   whose result stands before its code, where core may fold it, is open to the end, and ended as the result says.
3. Core tells nothing of the container, whose id the protocol wants: it stays empty.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from agent_framework_hosting.rendering.pieces import missing, replaces
from agent_framework_hosting.rendering.reading import items_of, mapping_of, text_in, text_of

from .items import Items, joined
from .tool_items import OpenTool, ToolItems
from .words import ItemStatus

if TYPE_CHECKING:
    from .events import Listener

_FAILED: Final = frozenset({"failed", "incomplete"})
_FINAL: Final = _FAILED | {"completed"}


class CodeCalls:
    """Puts code and what came of it into items; `with_outputs` when the client asked for the latter."""

    def __init__(
        self, items: Items, listener: Listener, *, before_opening: Callable[[], None], with_outputs: bool
    ) -> None:
        self._tools = ToolItems(
            items, listener, kind="code_interpreter_call", prefix="ci_", before_opening=before_opening
        )
        self._with_outputs = with_outputs

    def take_call(self, content: Any, *, message: int, restated: bool) -> None:
        """Add code, or a piece of it."""
        key = _key(content)
        if self._tools.is_over(key, message):
            return
        tool = (self._tools.find(key, message) if key else None) or self._begin(key, message)
        tool.status = text_of(content, "status") or tool.status
        inputs = items_of(getattr(content, "inputs", None))
        self._add_code(
            tool, "".join(text_of(item, "text") for item in inputs), stands_alone=restated or replaces(content)
        )

    def take_result(self, content: Any, *, message: int, restated: bool) -> None:
        """Add what came of the code."""
        key = _key(content)
        tool = self._tools.find(key)
        if tool is None and self._tools.is_over(key):
            return
        tool = tool or self._begin(key, message)
        tool.status = text_of(content, "status") or tool.status
        outputs = items_of(getattr(content, "outputs", None))
        tool.outputs = outputs if restated or replaces(content) else _merged(tool.outputs, outputs)
        if tool.said and (outputs or tool.status in _FINAL):
            self._close(tool)

    def settle(self) -> None:
        """Close what is open: something else is being said."""
        for tool in self._tools.still_open():
            self._close(tool)

    def close(self, tool: OpenTool, *, is_cut: bool) -> None:
        """Close a call at the end of the response, which cuts only those of which nothing says how they ended."""
        self._close(tool, is_cut=is_cut and not tool.outputs and tool.status not in _FINAL)

    def still_open(self) -> list[OpenTool]:
        """Return the calls that are open."""
        return self._tools.still_open()

    def _begin(self, key: str, message: int) -> OpenTool:
        tool = self._tools.open(key, message, code="", container_id="", outputs=None)
        self._tools.tell(tool, "code_interpreter_call.in_progress")
        return tool

    def _add_code(self, tool: OpenTool, code: str, *, stands_alone: bool) -> None:
        rest = missing(joined(tool.said), 0, code) if stands_alone and tool.said else code
        if rest is None:
            tool.status = "failed"
            key, message = tool.key, tool.message
            self._close(tool)
            tool, rest = self._begin(key, message), code
        if rest:
            tool.said.append(rest)
            self._tools.tell(tool, "code_interpreter_call_code.delta", delta=rest)

    def _close(self, tool: OpenTool, *, is_cut: bool = False) -> None:
        code = joined(tool.said)
        status: ItemStatus = "incomplete" if is_cut else "failed" if tool.status in _FAILED else "completed"
        self._tools.tell(tool, "code_interpreter_call_code.done", code=code)
        if not is_cut:
            self._tools.tell(tool, "code_interpreter_call.interpreting")
        if status == "completed":
            self._tools.tell(tool, "code_interpreter_call.completed")
        outputs = [shown for output in tool.outputs if (shown := _shown(output))] if self._with_outputs else None
        self._tools.close(tool, status, code=code, outputs=outputs)


def _key(content: Any) -> str:
    marks = mapping_of(getattr(content, "additional_properties", None))
    item_id = text_in(mapping_of(marks.get("openai")), "item_id") or text_in(marks, "item_id")
    return text_of(content, "call_id") or item_id


def _merged(known: list[Any], more: list[Any]) -> list[Any]:
    if known and more and all(text_of(output, "type") == "text" for output in [*known, *more]):
        return [_Text("".join(text_of(output, "text") for output in [*known, *more]))]
    return [*known, *more]


class _Text:
    type = "text"

    def __init__(self, text: str) -> None:
        self.text = text


def _shown(output: Any) -> dict[str, Any] | None:
    kind = text_of(output, "type")
    if kind == "text":
        return {"type": "logs", "logs": text_of(output, "text")}
    if kind in ("data", "uri") and (uri := text_of(output, "uri")):
        return {"type": "image", "url": uri}
    return None
