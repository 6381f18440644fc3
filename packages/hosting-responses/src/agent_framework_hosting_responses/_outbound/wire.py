"""Bytes of the wire: server-sent events, and templates for the events that come once per chunk.

Rule: `event:` equals the `type` inside `data:`, and the last data line of a stream is `[DONE]`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from agent_framework_hosting.rendering.text import to_json

DONE: Final = b"data: [DONE]\n\n"


def event(name: str, sequence_number: int, fields: Mapping[str, Any]) -> bytes:
    """Return one event as it goes out."""
    data = to_json({"type": name, "sequence_number": sequence_number, **fields})
    return b"event: %b\ndata: %b\n\n" % (name.encode(), data)


def delta_template(name: str, fields: Mapping[str, Any]) -> bytes:
    """Return an event that lacks only its sequence number (`%d`) and its delta (`%b`, a JSON string)."""
    head = to_json({"type": name, **fields})[:-1].replace(b"%", b"%%")
    return b"event: %b\ndata: " % name.encode() + head + b',"sequence_number":%d,"delta":%b}\n\n'
