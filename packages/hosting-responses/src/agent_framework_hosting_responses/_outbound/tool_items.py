"""Items of the tools that the model's provider runs: opened, told about step by step, closed.

Rules of this file:
1. A provider's id of a call tells its contents from those of others inside one message, and never reaches the wire.
2. What came without an id belongs to the call of its kind that is open without one.
3. A call that is over is not opened again by a message that is restated.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec

from .items import Items, ToolItem
from .words import ItemStatus

if TYPE_CHECKING:
    from .events import Listener


class OpenTool(msgspec.Struct, eq=False):
    """A call of a provider's tool that is under way."""

    key: str
    message: int
    item: ToolItem
    said: list[str] = []
    outputs: list[Any] = []
    status: str = ""


class ToolItems:
    """Makes the items of one kind of tool; `before_opening` is called before an item is added."""

    __slots__ = ("_before_opening", "_items", "_kind", "_listener", "_open", "_over", "_prefix")

    def __init__(
        self, items: Items, listener: Listener, *, kind: str, prefix: str, before_opening: Callable[[], None]
    ) -> None:
        self._items = items
        self._listener = listener
        self._kind = kind
        self._prefix = prefix
        self._before_opening = before_opening
        self._open: list[OpenTool] = []
        self._over: set[tuple[int | None, str]] = set()

    def is_over(self, key: str, message: int | None = None) -> bool:
        """Whether the call of this id is over, of a certain message or of any."""
        return bool(key) and (message, key) in self._over

    def find(self, key: str, message: int | None = None) -> OpenTool | None:
        """Return the open call of this id, of a certain message or of any."""
        return next((tool for tool in self._open if tool.key == key and message in (None, tool.message)), None)

    def open(self, key: str, message: int, /, **fields: Any) -> OpenTool:
        """Add an item in progress."""
        self._before_opening()
        item = ToolItem(len(self._items), self._kind, self._items.new_id(self._prefix), fields)
        self._items.append(item)
        self._listener.item_added(item)
        tool = OpenTool(key, message, item)
        self._open.append(tool)
        return tool

    def tell(self, tool: OpenTool, step: str, **fields: Any) -> None:
        """Tell a step of the call, by the name of its event."""
        self._listener.happened(tool.item, step, **fields)

    def close(self, tool: OpenTool, status: ItemStatus, /, **fields: Any) -> None:
        """Close the item; `fields` are those that were not known when it was opened."""
        self._open.remove(tool)
        self._over |= {(tool.message, tool.key), (None, tool.key)}
        tool.item.status = status
        tool.item.fields.update(fields)
        self._listener.item_done(tool.item)

    def still_open(self) -> list[OpenTool]:
        """Return the calls that are open, oldest first."""
        return [*self._open]
