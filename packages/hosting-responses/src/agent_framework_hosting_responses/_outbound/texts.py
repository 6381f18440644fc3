"""The one text item that is open: messages and reasoning, chunk by chunk.

Rules of this file:
1. Nothing is opened for an empty text.
2. A passage continues the open item when it is of the same family and no new message began between.
3. A replacement adds what is missing; one that contradicts closes the item as it stands, and opens a new one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from agent_framework_hosting.rendering.pieces import missing

from .contents import Passage
from .items import FlowItem, Items, MessageItem, Part, ReasoningItem
from .words import ItemStatus

if TYPE_CHECKING:
    from .events import Listener

_PLAIN: Final = Passage("output_text", "")


class Texts:
    """Puts passages into items, and tells the listener; `before_opening`, once set, is called before an item is added.

    `hot` is the open part that plain text continues, `None` when plain text would open something: what a caller needs
    to append a chunk without asking further.
    """

    __slots__ = ("_encrypted", "_is_fresh", "_item", "_items", "_listener", "_part", "before_opening", "hot")

    def __init__(self, items: Items, listener: Listener, *, encrypted: bool) -> None:
        self._items = items
        self._listener = listener
        self._encrypted = encrypted
        self.before_opening: Callable[[], None] | None = None
        self._item: FlowItem | None = None
        self._part: Part | None = None
        self._is_fresh = True
        self.hot: Part | None = None

    def restart(self) -> None:
        """Let the next passage open a new item; the open one stays open until then."""
        self._is_fresh = True
        self.hot = None

    def interrupt(self) -> None:
        """Take notice that something else has come, shown or not: a replacement is of what follows it alone."""
        if self._part is not None:
            self._part.begun = self._part.settled = len(self._part.text)
        if isinstance(self._item, ReasoningItem):
            self._item.settled = self._item.encrypted

    def take(self, passage: Passage) -> None:
        """Add a passage."""
        if passage.replaces:
            self._replace(passage)
        elif passage.text:
            self._append(passage, passage.text)
        self._adorn(passage)

    def open_plain(self) -> Part:
        """Open what plain text continues, and return it; there has to be text for it."""
        return self._part_for(_PLAIN)

    def restate(self, passage: Passage, known: Sequence[tuple[FlowItem, Part]]) -> tuple[FlowItem, Part] | None:
        """Add what a passage of a replaced message adds to the first known part of its kind; return that part."""
        match = next((pair for pair in known if pair[1].kind == passage.kind), None)
        if match is not None and match[1] is self._part:
            self._is_fresh = False
            self._replace(passage)
        else:
            rest = None if match is None else missing(match[1].text, match[1].settled, passage.text)
            text = passage.text if rest is None else rest
            if text:
                self._append(passage, text)
        self._adorn(passage)
        return match

    def close(self, status: ItemStatus = "completed") -> None:
        """Close the open item, if any."""
        item = self._item
        if item is None:
            return
        self._close_part()
        item.status = status
        self._item = None
        self._listener.item_done(item)

    @property
    def open_item(self) -> FlowItem | None:
        """The item that is open, if any."""
        return self._item

    def _append(self, passage: Passage, text: str) -> None:
        part = self._part_for(passage)
        part.chunks.append(text)
        self._listener.text_added(part, text)

    def _replace(self, passage: Passage) -> None:
        part = self._part
        rest = passage.text
        if part is not None and part.kind == passage.kind and self._continues(passage):
            added = missing(part.text[part.begun :], part.settled - part.begun, passage.text)
            if added is None:
                self.close()
            else:
                rest = added
        if rest:
            self._append(passage, rest)
        if passage.text and self._part is not None:
            self._part.settled = len(self._part.text)

    def _adorn(self, passage: Passage) -> None:
        if self._encrypted and passage.is_reasoning:
            self._protect(passage)
        if passage.annotations:
            self._annotate(passage)

    def _protect(self, passage: Passage) -> None:
        if passage.protected:
            self._item_for(passage)
        elif not passage.replaces or not self._continues(passage):
            return
        if isinstance(self._item, ReasoningItem):
            self._item.encrypted = passage.protected or self._item.settled

    def _annotate(self, passage: Passage) -> None:
        """Add what the open text does not bear yet; there is nothing to add it to behind its end."""
        item, part = self._item, self._part
        if item is None or part is None or self._is_fresh or part.kind != "output_text":
            return
        for annotation in passage.annotations:
            if annotation not in part.annotations:
                part.annotations.append(annotation)
                self._listener.annotation_added(item, part, annotation)

    def _part_for(self, passage: Passage) -> Part:
        item = self._item_for(passage)
        if self._part is None or self._part.kind != passage.kind:
            self._close_part()
            self._part = item.add_part(passage.kind)
            self._listener.part_added(item, self._part)
        self.hot = self._part if passage.kind == "output_text" else None
        return self._part

    def _item_for(self, passage: Passage) -> FlowItem:
        if self._item is None or not self._continues(passage):
            if self._item is not None:
                self.close()
            if self.before_opening is not None:
                self.before_opening()
            index = len(self._items)
            if passage.is_reasoning:
                self._item = ReasoningItem(index, self._items.new_id("rs_"))
            else:
                self._item = MessageItem(index, self._items.new_id("msg_"))
            self._items.append(self._item)
            self._listener.item_added(self._item)
            self._is_fresh = False
        if isinstance(self._item, ReasoningItem):
            self._item.source = self._item.source or passage.source
        return self._item

    def _continues(self, passage: Passage) -> bool:
        if self._is_fresh:
            return False
        if isinstance(self._item, ReasoningItem):
            return passage.is_reasoning and passage.follows(self._item.source)
        return self._item is not None and not passage.is_reasoning

    def _close_part(self) -> None:
        if self._item is not None and self._part is not None:
            self._listener.part_done(self._item, self._part)
        self._part = None
        self.hot = None
