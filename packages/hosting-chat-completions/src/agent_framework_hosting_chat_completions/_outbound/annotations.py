"""Citations of a text: the protocol knows those of addresses.

Rule: an annotation bears one span, so a citation of several spans becomes several annotations; one without a span is of
the empty span at the beginning of its text.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agent_framework_hosting.rendering.reading import items_of, mapping_of, text_in


def annotations_of(content: Any, *, offset: int) -> list[dict[str, Any]]:
    """Return the annotations of a text that begins at this place of the whole answer."""
    shown: list[dict[str, Any]] = []
    for each in items_of(getattr(content, "annotations", None)):
        citation = mapping_of(each)
        if url := text_in(citation, "url"):
            for start, end in _spans(citation):
                where = {"start_index": start + offset, "end_index": end + offset}
                named = {"url": url, "title": text_in(citation, "title"), **where}
                shown.append({"type": "url_citation", "url_citation": named})
    return shown


def _spans(citation: Mapping[str, Any]) -> list[tuple[int, int]]:
    spans: list[tuple[int, int]] = []
    for item in items_of(citation.get("annotated_regions")):
        region = mapping_of(item)
        start, end = _count(region, "start_index"), _count(region, "end_index")
        if start is not None and end is not None:
            spans.append((start, end))
    return spans or [(0, 0)]


def _count(holder: Mapping[str, Any], name: str) -> int | None:
    value = holder.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
