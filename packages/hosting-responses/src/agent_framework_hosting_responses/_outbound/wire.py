"""Bytes of the wire: server-sent events, and templates for the events that come once per chunk.

Rule: `event:` equals the `type` inside `data:`, and the last data line of a stream is `[DONE]`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from agent_framework_hosting.rendering.text import to_json

DONE: Final = b"data: [DONE]\n\n"
_EVENT: Final = b"event: "
_OF_RESPONSE: Final = b'event: %b\ndata: {"type":"%b","sequence_number":%d,"response":%b}\n\n'


def event(name: str, sequence_number: int, fields: Mapping[str, Any]) -> bytes:
    """Return one event as it goes out."""
    data = to_json({"type": name, "sequence_number": sequence_number, **fields})
    return b"event: %b\ndata: %b\n\n" % (name.encode(), data)


def response_event(name: str, sequence_number: int, response: bytes) -> bytes:
    """Return an event that carries the response itself, which is JSON on one line already."""
    return _OF_RESPONSE % (named := name.encode(), named, sequence_number, response)


def delta_template(name: str, fields: Mapping[str, Any]) -> bytes:
    """Return an event that lacks only its sequence number (`%d`) and its delta (`%b`, a JSON string)."""
    head = to_json({"type": name, **fields})[:-1].replace(b"%", b"%%")
    return b"event: %b\ndata: " % name.encode() + head + b',"sequence_number":%d,"delta":%b}\n\n'


class Framed(NamedTuple):
    """One event without its frame: its name, and the JSON of it."""

    name: str
    data: bytes


def unframed(events: bytes) -> list[Framed]:
    """Return whole events as they go out where every message is one; what is no event, as `DONE`, is left out.

    Example:
        >>> unframed(event("response.created", 0, {}) + DONE)
        [Framed(name='response.created', data=b'{"type":"response.created","sequence_number":0}')]
    """
    found: list[Framed] = []
    # No newline stands inside of JSON as it is written here.
    for frame in events.split(b"\n\n"):
        head, _, data = frame.partition(b"\ndata: ")
        if head.startswith(_EVENT):
            found.append(Framed(head[len(_EVENT) :].decode(), data))
    return found
