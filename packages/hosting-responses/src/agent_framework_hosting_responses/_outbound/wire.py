"""Bytes of the wire: server-sent events, and templates for the events that come once per chunk.

Rule: `event:` equals the `type` inside `data:`, and the last data line of a stream is `[DONE]`.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

import msgspec

from agent_framework_hosting.rendering.text import to_json

DONE: Final = b"data: [DONE]\n\n"
ABOUT: Final = b'%b"sequence_number":%d,%b"%b":%b}\n\n'
"""An event whose last field has a value that is JSON on one line already: its `opening`, its sequence number, other
`members`, and that field's name and value."""
_EVENT: Final = b"event: "


@lru_cache(maxsize=256)
def opening(name: str) -> bytes:
    """Return what an event of this name begins with, up to its first field."""
    return b'event: %b\ndata: {"type":"%b",' % (named := name.encode(), named)


def members(fields: Mapping[str, Any]) -> bytes:
    """Return fields as members of a JSON object, each with the comma behind it."""
    return to_json(fields)[1:-1] + b"," if fields else b""


def event(name: str, sequence_number: int, fields: Mapping[str, Any]) -> bytes:
    """Return one event as it goes out."""
    rest = to_json(fields)[1:]
    return b'%b"sequence_number":%d%b%b\n\n' % (opening(name), sequence_number, b"," if fields else b"", rest)


def delta_template(name: str, before: bytes) -> bytes:
    """Return an event that lacks only its sequence number (`%d`) and its delta (`%b`, a JSON string).

    `before` are its other `members`.
    """
    head = opening(name) + before
    # Ids are made of whatever the host calls a response.
    return (head.replace(b"%", b"%%") if b"%" in head else head) + b'"sequence_number":%d,"delta":%b}\n\n'


class Framed(msgspec.Struct, frozen=True):
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
