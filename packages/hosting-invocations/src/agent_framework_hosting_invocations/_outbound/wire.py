"""Bytes of the wire: server-sent events, each with a name and JSON on one line.

Rule: `event:` says what `data:` is, and the last event carries the whole answer.
"""

from __future__ import annotations

from typing import Any, Final

from agent_framework_hosting.rendering.text import clean_with_json, to_json

_DELTA: Final = b'event: delta\ndata: {"index":%d,"part":%d,"text":%b}\n\n'


def event(name: str, data: Any) -> bytes:
    """Return an event."""
    return b"event: %b\ndata: %b\n\n" % (name.encode(), to_json(data))


def delta(index: int, part: int, text: str) -> bytes:
    """Return a `delta` event; this runs once per chunk."""
    return _DELTA % (index, part, clean_with_json(text)[1])
