"""Bytes of the wire: chunks, their templates, and the usage object.

Rule: chunks are events without a name, and the last data line of a stream is `[DONE]`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from agent_framework_hosting.rendering.text import clean_json, to_json
from agent_framework_hosting.rendering.usage import TokenCounts

DONE: Final = b"data: [DONE]\n\n"


def event(data: bytes) -> bytes:
    """Return one event."""
    return b"data: %b\n\n" % data


class ChunkWriter:
    """Writes the chunks of one completion.

    Args:
        head: What all chunks have in common: id, time, model.
        include_usage: Whether they tell the usage, in a chunk of its own; the others have the member, empty.
    """

    def __init__(self, head: Mapping[str, Any], *, include_usage: bool) -> None:
        self._head = {**head, "object": "chat.completion.chunk"}
        self._include_usage = include_usage
        unsaid = self._chunk({"content": "\x00"}, None)
        # Of the members, those that a caller may have chosen come first.
        head_bytes, _, tail = to_json(unsaid).rpartition(b'"\\u0000"')
        self._around = (b"data: " + head_bytes, tail + b"\n\n")

    def text(self, data: bytes) -> bytes:
        """Return the chunk of a piece of text, which is JSON already."""
        before, after = self._around
        return before + data + after

    def delta(self, delta: Mapping[str, Any], *, finish_reason: str | None = None) -> bytes:
        """Return a chunk."""
        return event(to_json(self._chunk(delta, finish_reason)))

    def usage(self, usage: Mapping[str, Any] | None) -> bytes:
        """Return the chunk that tells the usage; nothing where it is not wanted, or nobody knows it."""
        if not self._include_usage or usage is None:
            return b""
        return event(to_json({**self._head, "choices": [], "usage": usage}))

    def _chunk(self, delta: Mapping[str, Any], finish_reason: str | None) -> dict[str, Any]:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
        usage = {"usage": None} if self._include_usage else {}
        return {**self._head, "choices": [choice], **usage}


def head_of(*, completion_id: str, created: int, model: str, echo: Mapping[str, Any]) -> dict[str, Any]:
    """Return what all chunks of a completion and its body have in common."""
    shown = {"id": completion_id, "created": created, "model": model, "system_fingerprint": None}
    if "service_tier" in echo:
        shown["service_tier"] = echo["service_tier"]
    return clean_json(shown)


def usage_object(counts: TokenCounts | None) -> dict[str, Any] | None:
    """Return the usage object, or `None` when nothing was reported."""
    if counts is None:
        return None
    return {
        "prompt_tokens": counts.read,
        "completion_tokens": counts.written,
        "total_tokens": counts.total,
        "prompt_tokens_details": {"cached_tokens": counts.cached, "cache_write_tokens": counts.cache_written},
        "completion_tokens_details": {"reasoning_tokens": counts.reasoning},
    }
