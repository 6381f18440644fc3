"""What is on a tape, said again with the final body; see `tape`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, TypeAlias

import msgspec

from agent_framework_hosting.rendering.text import to_json

from .tape import CREATED, QUEUED, TEXTS, terminal_event
from .wire import event

BEGUN: Final[Mapping[str, Any]] = {
    "status": "in_progress",
    "output": [],
    "usage": None,
    "completed_at": None,
    "error": None,
    "incomplete_details": None,
}
"""How a response looks in its first events, apart from what is the same in all of them."""

_Told: TypeAlias = tuple[int, int]
"""Where the body has a value: the item, and the number of the value in it, as `_values` counts."""


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


def replay(tape: Tape, body: Mapping[str, Any], *, first: int = 0) -> Iterator[bytes]:
    """Yield the events that were sent, the last one with the body included.

    Args:
        tape: What was said beside the body.
        body: The final body.
        first: The sequence number of the first event.

    Raises:
        LookupError: The tape does not belong to this body.
    """
    values = [_values(item) for item in body["output"]]
    begun = {**body, **BEGUN}
    waiting = {**begun, "status": "queued"}
    has_waited = any(isinstance(entry, Event) and entry.name == QUEUED for entry in tape.entries[:2])
    texts = [_value(values, each.text) if isinstance(each.text, tuple) else each.text for each in tape.sources]
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
                name: _value(values, entry.told[name]) if name in entry.told else value
                for name, value in entry.fields.items()
            }
        yield event(entry.name, number, fields)
        number += 1
    yield event(terminal_event(body["status"]), number, {"response": body})


def _value(values: list[list[Any]], told: _Told) -> Any:
    return values[told[0]][told[1]]


def _values(item: Mapping[str, Any]) -> list[Any]:
    values: list[Any] = [item]
    for part in (item, *(item.get("content") or ()), *(item.get("summary") or ())):
        if part is not item:
            values.append(part)
        values += [part[name] for name in TEXTS if isinstance(part.get(name), str)]
    return values
