"""What a stream said, kept beside its final body so that exactly the same can be said again.

The texts are in the body already. So a tape has the events without what the body tells, and of the deltas, which are
most of a stream, their lengths alone: two or three bytes for each.

Rules of this file:
1. Whatever is left out is put back from the body, value for value and in its place; what the body does not have is
   kept as it was sent.
2. The events that carry the response itself come from the body; the last one is never on a tape.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeAlias

import msgspec

from agent_framework_hosting.rendering.text import ascii_json, to_json

from .items import CallItem, Item, MessageItem, Part, ToolItem

if TYPE_CHECKING:

    class Spoken(Protocol):
        """What deltas are sent of, one after another, from its first character to its last."""

        template: bytes

        @property
        def text(self) -> str:
            """All of the text so far."""
            ...


class Deltas(msgspec.Struct, frozen=True, eq=False):
    """A run of deltas by what they are of, and by their lengths."""

    source: Spoken
    lengths: bytearray


Fact: TypeAlias = str | Part | Item
"""What a body may have: a text, a part or an item as they are in the end."""

About: TypeAlias = Fact | bytes
"""What an event is about: that, or anything else as JSON."""

Entry: TypeAlias = tuple[str, bytes, bytes, About] | Deltas
"""What was said: a run of deltas; or an event by its name, its fields but the last one (see `wire.members`), what the
last one is called, and what it is about."""

WHOLE: Final = b"response"
"""What the last field of an event is called that carries the response itself: the body tells it."""

CREATED: Final = "response.created"
QUEUED: Final = "response.queued"
IN_PROGRESS: Final = "response.in_progress"
_TERMINAL: Final = {"completed": "response.completed", "failed": "response.failed"}
_LAST: Final = ("response.completed", "response.failed", "response.incomplete")
TEXTS: Final = ("text", "refusal", "arguments", "input", "code", "result")
_SHORT: Final = 8
"""Characters of a text that is shorter than what would stand for it."""

_GOES_ON: Final = 255
"""A byte of a length that is followed by another one of the same length."""

_KEPT: Final = b'[0,"%b",{%b"%b":%b},{}]'
_TOLD: Final = b'[0,"%b",{%b"%b":null},{"%b":%b}]'
"""An event (see `replaying.Event`) as JSON, whose last field is kept, or told by the body."""

_PLAIN_ENTRIES: Final = 8
_PLAIN: Final = (
    b'[[[%b,[0,2]]],[[0,"response.created",{},{}],[0,"response.in_progress",{},{}],'
    b'[0,"response.output_item.added",{"output_index":0,"item":%b},{}],'
    b'[0,"response.content_part.added",{%b"part":%b},{}],[1,0,%b],'
    b'[0,"response.output_text.done",{%b"text":null},{"text":[0,2]}],'
    b'[0,"response.content_part.done",{%b"part":null},{"part":[0,1]}],'
    b'[0,"response.output_item.done",{"output_index":0,"item":null},{"item":[0,0]}]]]'
)
"""A tape of one text, all of which the body has."""


def terminal_event(status: str) -> str:
    """Return the name of the event that ends a response; the protocol has none for a cancelled one."""
    return _TERMINAL.get(status, "response.incomplete")


@lru_cache(maxsize=16)
def whole(name: str) -> Entry:
    """Return the entry of an event that carries the response itself, with what a tape has of it: one for all."""
    return name, b"", WHOLE, b"" if name in _LAST else b'[0,"%b",{},{}]' % name.encode()


def take_down(entries: Sequence[Entry], items: Sequence[Item]) -> msgspec.Raw:
    """Return the tape, as JSON, of what was said by a stream that ends, or has ended, in a body of these items.

    See `replaying.Tape`.
    """
    if (plain := _plain_tape(entries, items)) is not None:
        return plain
    places = _places(items)
    alike = _Alike(places)
    sources: dict[bytes, Spoken] = {}
    numbers: dict[bytes, int] = {}
    kept: list[bytes] = []
    for entry in entries:
        if isinstance(entry, Deltas):
            template, lengths = entry.source.template, ascii_json(lengths_in(entry.lengths))
            sources[template] = entry.source
            kept.append(b"[1,%d,%b]" % (numbers.setdefault(template, len(numbers)), lengths))
            continue
        name, before, key, about = entry
        if isinstance(about, bytes):
            if key is not WHOLE:
                kept.append(_KEPT % (name.encode(), before, key, about))
            elif about:
                kept.append(about)
            continue
        if (told := places.get(about) or alike.place(about)) is not None:
            kept.append(_TOLD % (name.encode(), before, key, key, told))
        else:
            kept.append(_KEPT % (name.encode(), before, key, _json(about)))
    spoken = [
        b"[%b,%b]" % (ascii_json(template.decode()), places.get(text := source.text) or to_json(text))
        for template, source in sources.items()
    ]
    return msgspec.Raw(b"[[%b],[%b]]" % (b",".join(spoken), b",".join(kept)))


def _plain_tape(entries: Sequence[Entry], items: Sequence[Item]) -> msgspec.Raw | None:
    """Return the tape of a stream that was one text in one run of deltas, as nearly all are; else nothing.

    It is what comes of its eight entries one by one, at a quarter of the cost.
    """
    if len(entries) != _PLAIN_ENTRIES or len(items) != 1 or not isinstance(run := entries[4], Deltas):
        return None
    item, source = items[0], run.source
    if not isinstance(item, MessageItem) or not isinstance(source, Part) or item.parts != [source]:
        return None
    if source.kind != "output_text" or len(source.text) <= _SHORT:
        return None
    events: Sequence[Any] = entries  # of which only this one is no event
    template, lengths = ascii_json(source.template.decode()), ascii_json(lengths_in(run.lengths))
    (_, _, _, added), (_, place, _, empty) = events[2:4]
    return msgspec.Raw(_PLAIN % (template, added, place, empty, lengths, events[5][1], events[6][1]))


def add_length(lengths: bytearray, length: int) -> None:
    """Add the length of a text; mostly that is one byte.

    Example:
        >>> lengths = bytearray()
        >>> for length in (6, 255, 600):
        ...     add_length(lengths, length)
        >>> lengths_in(lengths)
        [6, 255, 600]
    """
    if length < _GOES_ON:
        lengths.append(length)
        return
    whole, rest = divmod(length, _GOES_ON)
    lengths += bytes((*[_GOES_ON] * whole, rest))


def lengths_in(lengths: bytearray) -> list[int]:
    """Return the lengths that were added."""
    if _GOES_ON not in lengths:
        # As nearly all are: each byte is one.
        return list(lengths)
    found: list[int] = []
    length = 0
    for each in lengths:
        length += each
        if each < _GOES_ON:
            found.append(length)
            length = 0
    return found


def _places(items: Iterable[Item]) -> dict[Fact, bytes]:
    """Return where a body of these items has what events repeat."""
    places: dict[Fact, bytes] = {}
    for index, item in enumerate(items):
        for number, fact in enumerate(_facts(item)):
            if not isinstance(fact, str) or len(fact) > _SHORT:
                places.setdefault(fact, _place(index, number))
    return places


@lru_cache(maxsize=256)
def _place(index: int, number: int) -> bytes:
    return b"[%d,%d]" % (index, number)


class _Alike:
    """Where a body has what looks like a part or an item: a hook may have made it, of items of its own."""

    __slots__ = ("_by_looks", "_places")

    def __init__(self, places: Mapping[Fact, bytes]) -> None:
        self._places = places
        self._by_looks: dict[bytes, bytes] | None = None

    def place(self, fact: Fact) -> bytes | None:
        """Return where it is, if it is there."""
        if isinstance(fact, str):
            return None
        if self._by_looks is None:
            self._by_looks = {_json(each): place for each, place in self._places.items()}
        return self._by_looks.get(_json(fact))


def _facts(item: Item) -> list[Fact]:
    """Return what a replay finds in an item as it is shown; see `replaying`."""
    if isinstance(item, CallItem):
        return [item, item.input if item.form == "custom_tool_call" else item.arguments]
    if isinstance(item, ToolItem):
        return [item, *(item.fields[name] for name in TEXTS if isinstance(item.fields.get(name), str))]
    parts = item.parts
    if len(parts) == 1:
        return [item, part := parts[0], part.text]
    # Summaries are shown last.
    parts = sorted(parts, key=lambda part: part.kind == "summary_text")
    facts: list[Fact] = [item]
    for part in parts:
        facts += (part, part.text)
    return facts


def _json(fact: Fact) -> bytes:
    return to_json(fact) if isinstance(fact, str) else fact.json()
