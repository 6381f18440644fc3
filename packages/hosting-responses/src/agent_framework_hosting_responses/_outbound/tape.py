"""What a stream said, kept beside its final body so that exactly the same can be said again.

The texts are in the body already. So a tape has the events without what the body tells, and of the deltas, which are
most of a stream, their lengths alone: two or three bytes for each.

Rules of this file:
1. Whatever is left out is put back from the body, value for value and in its place; what the body does not have is
   kept as it was sent.
2. The events that carry the response itself come from the body; the last one is never on a tape.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol, TypeAlias

import msgspec

from agent_framework_hosting.rendering.text import to_json

from .wire import event


class Spoken(Protocol):
    """What deltas are sent of, one after another, from its first character to its last."""

    template: bytes

    @property
    def text(self) -> str:
        """All of the text so far."""
        ...


@dataclass(frozen=True, slots=True)
class Deltas:
    """A run of deltas by what they are of, and by their lengths."""

    source: Spoken
    lengths: bytearray


Entry: TypeAlias = tuple[str, Mapping[str, Any]] | tuple[bytes, list[str]] | Deltas
"""An event by its name and fields, or a run of deltas: by their template and texts, or by their source and lengths."""

BEGUN: Final[Mapping[str, Any]] = {
    "status": "in_progress",
    "output": [],
    "usage": None,
    "completed_at": None,
    "error": None,
    "incomplete_details": None,
}
"""How a response looks in its first events, apart from what is the same in all of them."""

WHOLE: Final[Mapping[str, Any]] = {"response": None}
"""What stands for the fields of an event that carries the response itself: the body tells them."""

CREATED: Final = "response.created"
QUEUED: Final = "response.queued"
_TERMINAL: Final = {"completed": "response.completed", "failed": "response.failed"}
_LAST: Final = ("response.completed", "response.failed", "response.incomplete")
_TEXTS: Final = ("text", "refusal", "arguments", "input", "code", "result")
_SHORT: Final = 8
"""Characters of a text that is shorter than what would stand for it."""

_GOES_ON: Final = 255
"""A byte of a length that is followed by another one of the same length."""

_Told: TypeAlias = tuple[int, int]
"""Where the body has a value: the item, and the number of the value in it."""


class Source(msgspec.Struct, frozen=True, array_like=True):
    """Where a kind of deltas comes from: their template, and all of their text, or where the body has it."""

    template: str
    text: str | _Told


class Event(msgspec.Struct, frozen=True, array_like=True, tag_field="kind", tag=0):
    """An event; `told` says which of its fields the body has."""

    name: str
    fields: dict[str, Any]
    told: dict[str, _Told] = {}


class Run(msgspec.Struct, frozen=True, array_like=True, tag_field="kind", tag=1):
    """Deltas of one source that came one after another, by the lengths of their texts."""

    source: int
    lengths: list[int]


class Tape(msgspec.Struct, frozen=True, array_like=True):
    """What a stream said beside its body."""

    sources: list[Source]
    entries: list[Event | Run]


def terminal_event(status: str) -> str:
    """Return the name of the event that ends a response; the protocol has none for a cancelled one."""
    return _TERMINAL.get(status, "response.incomplete")


def take_down(entries: Sequence[Entry], body: Mapping[str, Any]) -> Tape:
    """Return the tape of what was said by a stream that ends, or has ended, in this body."""
    told = _Body(body)
    sources: dict[bytes, list[str]] = {}
    numbers: dict[bytes, int] = {}
    kept: list[Event | Run] = []
    for entry in entries:
        if isinstance(entry, Deltas):
            template = entry.source.template
            sources[template] = [entry.source.text]
            kept.append(Run(numbers.setdefault(template, len(numbers)), lengths_in(entry.lengths)))
            continue
        name, said = entry
        if isinstance(name, bytes):
            sources.setdefault(name, []).extend(said)
            kept.append(Run(numbers.setdefault(name, len(numbers)), [len(text) for text in said]))
        elif not (isinstance(said, list) or name in _LAST):
            kept.append(told.without(name, said))
    return Tape([told.source(template, "".join(texts)) for template, texts in sources.items()], kept)


def add_length(lengths: bytearray, length: int) -> None:
    """Add the length of a text; mostly that is one byte.

    Example:
        >>> lengths = bytearray()
        >>> for length in (6, 255, 600):
        ...     add_length(lengths, length)
        >>> lengths_in(lengths)
        [6, 255, 600]
    """
    whole, rest = divmod(length, _GOES_ON)
    lengths += bytes((*[_GOES_ON] * whole, rest))


def lengths_in(lengths: bytearray) -> list[int]:
    """Return the lengths that were added."""
    if _GOES_ON not in lengths:
        # As nearly all are: each byte is one.
        return list(lengths)
    found, length = list[int](), 0
    for each in lengths:
        length += each
        if each < _GOES_ON:
            found.append(length)
            length = 0
    return found


def replay(tape: Tape, body: Mapping[str, Any], *, first: int = 0) -> Iterator[bytes]:
    """Yield the events that were sent, the last one with the body included.

    Args:
        tape: What was said beside the body.
        body: The final body.
        first: The sequence number of the first event.

    Raises:
        LookupError: The tape does not belong to this body.
    """
    told = _Body(body)
    begun = {**body, **BEGUN}
    waiting = {**begun, "status": "queued"}
    has_waited = any(isinstance(entry, Event) and entry.name == QUEUED for entry in tape.entries[:2])
    texts = [told.value(each.text) if isinstance(each.text, tuple) else each.text for each in tape.sources]
    places = [0] * len(texts)
    number = first
    for entry in tape.entries:
        if isinstance(entry, Run):
            template = tape.sources[entry.source].template.encode()
            for length in entry.lengths:
                start = places[entry.source]
                places[entry.source] = start + length
                yield template % (number, to_json(texts[entry.source][start : start + length]))
                number += 1
            continue
        if not entry.fields:
            is_waiting = has_waited and entry.name in (CREATED, QUEUED)
            fields: Mapping[str, Any] = {"response": waiting if is_waiting else begun}
        else:
            fields = {
                name: told.value(entry.told[name]) if name in entry.told else value
                for name, value in entry.fields.items()
            }
        yield event(entry.name, number, fields)
        number += 1
    yield event(terminal_event(body["status"]), number, {"response": body})


class _Body:
    """The values of a body that events repeat."""

    def __init__(self, body: Mapping[str, Any]) -> None:
        self._values = [_values(item) for item in body["output"]]
        self._texts: dict[str, _Told] = {}
        for index, values in enumerate(self._values):
            for number, value in enumerate(values):
                if isinstance(value, str) and len(value) > _SHORT:
                    self._texts.setdefault(value, (index, number))

    def value(self, where: _Told) -> Any:
        """Return what is there."""
        return self._values[where[0]][where[1]]

    def source(self, template: bytes, text: str) -> Source:
        """Return a source of deltas."""
        return Source(template.decode(), self._texts.get(text, text))

    def without(self, name: str, fields: Mapping[str, Any]) -> Event:
        """Return an event without what the body has."""
        if fields is WHOLE:
            return Event(name, {})
        kept = dict(fields)
        told: dict[str, _Told] = {}
        for key, value in fields.items():
            if isinstance(value, str):
                where = self._texts.get(value)
            elif isinstance(value, dict):
                where = self._where(value, fields.get("output_index", -1))
            else:
                continue
            if where is not None:
                kept[key], told[key] = None, where
        return Event(name, kept, told)

    def _where(self, value: Any, index: int) -> _Told | None:
        if 0 <= index < len(self._values):
            for number, each in enumerate(self._values[index]):
                if each == value:
                    return index, number
        return None


def _values(item: Mapping[str, Any]) -> list[Any]:
    values: list[Any] = [item]
    for part in (item, *(item.get("content") or ()), *(item.get("summary") or ())):
        if part is not item:
            values.append(part)
        values += [part[name] for name in _TEXTS if isinstance(part.get(name), str)]
    return values
