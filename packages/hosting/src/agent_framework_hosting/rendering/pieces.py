"""Pieces of an answer as they come: what a chunk of a tool call says, and what a replacement adds to what was said.

Rules of this file:
1. A field of an unexpected type counts as absent; nothing here raises for odd contents.
2. What was said stays said: a replacement can add to it, or contradict it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from .reading import as_text, mapping_of, text_of


class CallChunk(msgspec.Struct, frozen=True):
    """A tool call, or a piece of one; what the agent left out is empty.

    `is_whole` says that the arguments came as one value, which cannot be continued; `server` is the MCP server that
    runs it, `None` when the agent or the client does.
    """

    key: str
    occurrence: str
    name: str
    arguments: str
    is_whole: bool
    replaces: bool
    is_for_client: bool
    server: str | None = None


def replaces(holder: Any) -> bool:
    """Whether an update or a content stands for what came before it."""
    return getattr(holder, "merge_mode", None) == "replace"


def is_refusal(marks: Mapping[str, Any]) -> bool:
    """Whether a text with these marks (`additional_properties`) says that the model refuses."""
    return mapping_of(marks.get("core")).get("model_output_kind", marks.get("model_output_kind")) == "refusal"


def missing(said: str, settled: int, replacement: str) -> str | None:
    """Return what a replacement adds to what was said, or `None` when it contradicts it.

    A replacement may also stand for the stretch since the last one only: a provider's message has several parts, each
    of which ends in a replacement, while core's updates do not tell one part from the next.
    """
    if replacement.startswith(said):
        return replacement[len(said) :]
    stretch = said[settled:]
    if settled and stretch and replacement.startswith(stretch):
        return replacement[len(stretch) :]
    return None


def missing_arguments(said: str, replacement: str) -> str | None:
    """Return what a replacement adds to a call's arguments, or `None`; equal JSON written otherwise adds nothing."""
    if replacement.startswith(said):
        return replacement[len(said) :]
    return "" if _same_json(said, replacement) else None


def _same_json(one: str, other: str) -> bool:
    try:
        values = msgspec.json.decode(one), msgspec.json.decode(other)
    except (msgspec.DecodeError, RecursionError):
        return False
    return msgspec.json.encode(values[0], order="sorted") == msgspec.json.encode(values[1], order="sorted")


def call_chunk(content: Any) -> CallChunk:
    """Read a `function_call` content."""
    arguments = getattr(content, "arguments", None)
    return CallChunk(
        key=text_of(content, "call_id"),
        occurrence=text_of(content, "id"),
        name=text_of(content, "name"),
        arguments=as_text(arguments),
        is_whole=not isinstance(arguments, str),
        replaces=replaces(content),
        is_for_client=getattr(content, "user_input_request", None) is True,
    )
