"""Annotations of a text: core knows citations, the protocol four kinds of them.

Rules of this file:
1. Which kind a citation is follows from what it names: a container, a file with or without a name, an address.
2. An annotation bears one span, so a citation of several spans becomes several annotations.
3. A citation of an address without a span is one of the empty span at the beginning.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agent_framework_hosting.rendering.reading import count_in, items_of, mapping_of, spans_of, text_in


def annotations_of(content: Any) -> list[dict[str, Any]]:
    """Return the annotations of a content as they are shown; what is no citation is left out."""
    annotations = getattr(content, "annotations", None)
    if not annotations:
        return []
    return [shown for citation in items_of(annotations) for shown in _shown(mapping_of(citation))]


def link(url: str, *, title: str = "", start: int = 0, end: int = 0) -> dict[str, Any]:
    """Return the annotation of a text that names an address."""
    return {"type": "url_citation", "url": url, "title": title, "start_index": start, "end_index": end}


def _shown(citation: Mapping[str, Any]) -> list[dict[str, Any]]:
    marks = mapping_of(citation.get("additional_properties"))
    file_id, url = text_in(citation, "file_id"), text_in(citation, "url")
    container = text_in(marks, "container_id")
    if container and file_id:
        shown = {"type": "container_file_citation", "container_id": container, "file_id": file_id, "filename": url}
        return [{**shown, "start_index": start, "end_index": end} for start, end in spans_of(citation)]
    if file_id:
        named = {"type": "file_citation", "filename": url} if url else {"type": "file_path"}
        return [{**named, "file_id": file_id, "index": count_in(marks, "index") or 0}]
    if not url:
        return []
    return [link(url, title=text_in(citation, "title"), start=start, end=end) for start, end in spans_of(citation)]
