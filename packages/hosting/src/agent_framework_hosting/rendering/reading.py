"""Reading of single values, whatever an agent put there: what is of an unexpected type counts as absent.

Rule: text that leaves this file is clean, see `text`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, cast

from .text import clean, clean_json, to_json


def text_of(holder: Any, name: str) -> str:
    """Return a text attribute, or an empty text."""
    value = getattr(holder, name, None)
    if not isinstance(value, str):
        return ""
    # Asked several times for every content and update, and mostly the text is as it should be.
    return value if value.isascii() else clean(value)


def text_in(holder: Mapping[str, Any], name: str) -> str:
    """Return a text member, or an empty text."""
    value = holder.get(name)
    return clean(value) if isinstance(value, str) else ""


def count_in(holder: Mapping[str, Any], name: str) -> int | None:
    """Return a whole number of 0 or more among the members, or `None`."""
    value = holder.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def mapping_of(value: Any) -> Mapping[str, Any]:
    """Return a mapping as it is, and an empty one for anything else."""
    # Whether something is a `Mapping` takes long to find out; mostly it is a `dict`.
    return cast("Mapping[str, Any]", value) if isinstance(value, (dict, Mapping)) else {}


def items_of(value: Any) -> list[Any]:
    """Return what a list holds, and any other value but `None` as the only item of one."""
    if isinstance(value, (list, tuple)):
        return list(cast("Iterable[Any]", value))
    return [] if value is None else [value]


def spans_of(citation: Mapping[str, Any]) -> list[tuple[int, int]]:
    """Return which parts of its text a citation is about, by their first character and the one behind their last.

    One that does not say so is about the start.
    """
    spans: list[tuple[int, int]] = []
    for item in items_of(citation.get("annotated_regions")):
        region = mapping_of(item)
        start, end = count_in(region, "start_index"), count_in(region, "end_index")
        if start is not None and end is not None:
            spans.append((start, end))
    return spans or [(0, 0)]


def as_text(value: Any) -> str:
    """Return a text as it is, nothing as an empty text, and any other value as JSON."""
    if value is None:
        return ""
    if isinstance(value, str):
        return clean(value)
    try:
        return to_json(clean_json(value)).decode()
    except (TypeError, ValueError, RecursionError):
        return clean(str(value))
