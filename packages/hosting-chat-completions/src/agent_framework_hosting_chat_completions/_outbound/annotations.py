"""Citations of a text: the protocol knows those of addresses.

Rule: an annotation bears one span, so a citation of several spans becomes several annotations; one without a span is of
the empty span at the beginning of its text.
"""

from __future__ import annotations

from typing import Any

from agent_framework_hosting.rendering.reading import items_of, mapping_of, spans_of, text_in


def annotations_of(content: Any, *, offset: int) -> list[dict[str, Any]]:
    """Return the annotations of a text that begins at this place of the whole answer."""
    shown: list[dict[str, Any]] = []
    for each in items_of(getattr(content, "annotations", None)):
        citation = mapping_of(each)
        if url := text_in(citation, "url"):
            for start, end in spans_of(citation):
                where = {"start_index": start + offset, "end_index": end + offset}
                named = {"url": url, "title": text_in(citation, "title"), **where}
                shown.append({"type": "url_citation", "url_citation": named})
    return shown
