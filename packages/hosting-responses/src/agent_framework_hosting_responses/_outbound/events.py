"""The life of an item as protocol events.

Rules of this file:
1. Sequence numbers are contiguous; every event of a response takes its number here.
2. An item is added once and done once, a part likewise; what `*.done` says is what the item's own text says.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, Protocol

import msgspec

from agent_framework_hosting.rendering.text import to_json

from .items import CallItem, FlowItem, Item, MessageItem, Part, ToolItem
from .tape import CREATED, IN_PROGRESS, QUEUED, WHOLE, About, Deltas, Entry, add_length, whole
from .wire import ABOUT, delta_template, members, opening
from .words import PartKind

_INDEX: Final = b'"output_index":%d,'
_OPENING: Final = (CREATED, IN_PROGRESS)
_BEGUN: Final = [whole(name) for name in _OPENING]
_BEGIN: Final = b"".join(b'%b"sequence_number":%%d,"%b":%%b}\n\n' % (opening(name), WHOLE) for name in _OPENING)


if TYPE_CHECKING:

    class Listener(Protocol):
        """Is told what happens to the items, as it happens."""

        def item_added(self, item: Item) -> None:
            """Take notice of a new, empty item."""
            ...

        def part_added(self, item: FlowItem, part: Part) -> None:
            """Take notice of a new, empty part of the item."""
            ...

        def text_added(self, part: Part, text: str) -> None:
            """Take notice of more text in a part."""
            ...

        def annotation_added(self, item: FlowItem, part: Part, annotation: Mapping[str, Any]) -> None:
            """Take notice of an annotation, which is the part's last one."""
            ...

        def part_done(self, item: FlowItem, part: Part) -> None:
            """Take notice that the part will not change any more."""
            ...

        def arguments_added(self, item: CallItem, text: str) -> None:
            """Take notice of more arguments of a call."""
            ...

        def call_done(self, item: CallItem) -> None:
            """Take notice that the call is over."""
            ...

        def happened(self, item: ToolItem, name: str, /, **fields: Any) -> None:
            """Take notice of a step of a tool, under the name of its event."""
            ...

        def item_done(self, item: Item) -> None:
            """Take notice that the item will not change any more."""
            ...


class Silence:
    """The listener of an answer that is not streamed."""

    def item_added(self, item: Item) -> None:
        """Do nothing."""

    def part_added(self, item: FlowItem, part: Part) -> None:
        """Do nothing."""

    def text_added(self, part: Part, text: str) -> None:
        """Do nothing."""

    def annotation_added(self, item: FlowItem, part: Part, annotation: Mapping[str, Any]) -> None:
        """Do nothing."""

    def part_done(self, item: FlowItem, part: Part) -> None:
        """Do nothing."""

    def arguments_added(self, item: CallItem, text: str) -> None:
        """Do nothing."""

    def call_done(self, item: CallItem) -> None:
        """Do nothing."""

    def happened(self, item: ToolItem, name: str, /, **fields: Any) -> None:
        """Do nothing."""

    def item_done(self, item: Item) -> None:
        """Do nothing."""


class _PartEvents(msgspec.Struct, frozen=True, kw_only=True):
    """How the events of a kind of part are called, and which fields they have.

    Args:
        added: The one that opens it.
        delta: The one of its deltas.
        said: The one that says its text as a whole.
        done: The one that closes it.
        text: What the text is called.
        place: Where the part is, for the item's id as JSON, its index, and that of the part.
        extra: The fields that deltas and the whole text have beside those.
        empty: The part as it begins.
    """

    added: str
    delta: str
    said: str
    done: str
    text: bytes
    place: bytes
    extra: bytes
    empty: bytes


def _part_events(
    kind: PartKind, part: str, text: str, *, index: str = "content_index", said: str = "text", extra: bytes = b""
) -> _PartEvents:
    return _PartEvents(
        added=f"response.{part}.added",
        delta=f"response.{text}.delta",
        said=f"response.{text}.done",
        done=f"response.{part}.done",
        text=said.encode(),
        place=b'"item_id":%%b,"output_index":%%d,"%b":%%d,' % index.encode(),
        extra=extra,
        empty=Part(kind, 0).json(),
    )


_PART_EVENTS: Final[Mapping[PartKind, _PartEvents]] = {
    "output_text": _part_events("output_text", "content_part", "output_text", extra=b'"logprobs":[],'),
    "refusal": _part_events("refusal", "content_part", "refusal", said="refusal"),
    "reasoning_text": _part_events("reasoning_text", "content_part", "reasoning_text"),
    "summary_text": _part_events(
        "summary_text", "reasoning_summary_part", "reasoning_summary_text", index="summary_index"
    ),
}


class EventWriter:
    """The listener of a stream: turns what happens into bytes, to be collected by `take`.

    `said` holds what was written, in another form; the `lengths` are of the texts that come one after another from one
    `source`.

    Args:
        first: The sequence number of the first event.
        after: Leave out what has a sequence number up to this one.
    """

    __slots__ = ("_after", "_out", "lengths", "said", "sequence_number", "source")

    def __init__(self, *, first: int = 0, after: int = -1) -> None:
        self.sequence_number = first
        self.said: list[Entry] = []
        self.lengths: bytearray = bytearray()
        self.source: Part | CallItem | None = None
        self._after = after
        self._out: list[bytes] = []

    def take(self) -> bytes:
        """Return what has been written since the last time."""
        data = b"".join(self._out)
        self._out.clear()
        return data

    def write(self, name: str, /, **fields: Any) -> None:
        """Write an event; a text that is its last field is not kept once more when the body has it."""
        key, about = fields.popitem()
        data = to_json(about)
        self._write(name, members(fields), key.encode(), about if isinstance(about, str) else data, data)

    def write_response(self, name: str, response: bytes) -> None:
        """Write an event that carries the response itself, as JSON: it is kept nowhere but in the final body."""
        number, self.source = self.sequence_number, None
        self.said.append(whole(name))
        if number > self._after:
            self._out.append(ABOUT % (opening(name), number, b"", WHOLE, response))
        self.sequence_number = number + 1

    def begin(self, response: bytes) -> None:
        """Write the events that open a response which does not wait; both carry it."""
        number = self.sequence_number
        if number <= self._after:
            self.write_response(CREATED, response)
            self.write_response(IN_PROGRESS, response)
            return
        self.said += _BEGUN
        self._out.append(_BEGIN % (number, response, number + 1, response))
        self.sequence_number = number + 2

    def _write(self, name: str, before: bytes, key: bytes, about: About, data: bytes) -> None:
        number, self.source = self.sequence_number, None
        self.said.append((name, before, key, about))
        if number > self._after:
            self._out.append(ABOUT % (opening(name), number, before, key, data))
        self.sequence_number = number + 1

    def follow(self, source: Part | CallItem) -> None:
        """Begin a run of texts of another source."""
        self.source = source
        self.lengths = bytearray()
        self.said.append(Deltas(source, self.lengths))

    def item_added(self, item: Item) -> None:
        """Open the item."""
        data = item.json()
        self._write("response.output_item.added", _INDEX % item.index, b"item", data, data)
        if isinstance(item, CallItem):
            self.call_added(item, {"item_id": item.id, "output_index": item.index})

    def call_added(self, item: CallItem, where: Mapping[str, Any]) -> None:
        """Say that a call begins, and prepare its deltas."""
        if item.form == "mcp_call":
            self.write("response.mcp_call.in_progress", **where)
        if item.form != "custom_tool_call":
            item.template = delta_template(f"{_arguments_event(item)}.delta", members(where))

    def part_added(self, item: FlowItem, part: Part) -> None:
        """Open the part and prepare its deltas."""
        names = _PART_EVENTS[part.kind]
        part.place = place = names.place % (to_json(item.id), item.index, part.index)
        self._write(names.added, place, b"part", names.empty, names.empty)
        part.template = delta_template(names.delta, place + names.extra)

    def text_added(self, part: Part | CallItem, text: str) -> None:
        """Send the text, of a part or of anything else that has deltas."""
        if self.source is not part:
            self.follow(part)
        add_length(self.lengths, len(text))
        if isinstance(part, Part):
            part.fold()
        number = self.sequence_number
        if number > self._after:
            self._out.append(part.template % (number, to_json(text)))
        self.sequence_number = number + 1

    def annotation_added(self, item: FlowItem, part: Part, annotation: Mapping[str, Any]) -> None:
        """Send the annotation."""
        del item
        data = to_json(annotation)
        before = b'%b"annotation_index":%d,' % (part.place, len(part.annotations) - 1)
        self._write("response.output_text.annotation.added", before, b"annotation", data, data)

    def part_done(self, item: FlowItem, part: Part) -> None:
        """Close the part."""
        del item
        names = _PART_EVENTS[part.kind]
        text = part.text
        said = to_json(text)
        # The text is most of a response, and all that follows holds it.
        part.done = shown = part.around(said)
        self._write(names.said, part.place + names.extra, names.text, text, said)
        self._write(names.done, part.place, b"part", part, shown)

    def arguments_added(self, item: CallItem, text: str) -> None:
        """Send the arguments; what a custom tool is given is known when they are whole."""
        if item.form != "custom_tool_call":
            self.text_added(item, text)

    def call_done(self, item: CallItem) -> None:
        """Close the call: its arguments, how a run tool ended, and the item."""
        where = {"item_id": item.id, "output_index": item.index}
        if item.form == "custom_tool_call":
            self.custom_input(where, item.input)
        else:
            self.call_ended(item, where)
        self.item_done(item)

    def custom_input(self, where: Mapping[str, Any], said: str) -> None:
        """Send what a custom tool is given, in one piece."""
        if said:
            self.write("response.custom_tool_call_input.delta", **where, delta=said)
        self.write("response.custom_tool_call_input.done", **where, input=said)

    def call_ended(self, item: CallItem, where: Mapping[str, Any]) -> None:
        """Send a call's arguments as they are now, and how a tool that was run ended."""
        self.write(f"{_arguments_event(item)}.done", **where, name=item.name, arguments=item.arguments)
        if item.form == "mcp_call" and item.status != "calling":
            self.write(f"response.mcp_call.{item.status}", **where)

    def happened(self, item: ToolItem, name: str, /, **fields: Any) -> None:
        """Send the step."""
        self.write(f"response.{name}", item_id=item.id, output_index=item.index, **fields)

    def item_done(self, item: Item) -> None:
        """Close the item."""
        data = item.finish() if isinstance(item, MessageItem) else item.json()
        self._write("response.output_item.done", _INDEX % item.index, b"item", item, data)


def say_queued(writer: EventWriter, waiting: bytes) -> None:
    """Open a response that waits: it is given as JSON."""
    writer.write_response(CREATED, waiting)
    writer.write_response(QUEUED, waiting)


def _arguments_event(item: CallItem) -> str:
    return "response.function_call_arguments" if item.form == "function_call" else "response.mcp_call_arguments"
