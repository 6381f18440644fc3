"""Contents that lie elsewhere, as text: the protocol's answers have no part for a file, an address or a consent.

Rules of this file:
1. The text is what a person can use: the address, or the file's name; its annotation says the same to a program.
2. Each is a message of its own, so that it never runs into the text before it.
"""

from __future__ import annotations

from typing import Any

from agent_framework_hosting.rendering.reading import text_of

from .annotations import link
from .contents import Passage


def address(content: Any) -> Passage | None:
    """Read a `uri` content; `None` for one that is no address."""
    uri = text_of(content, "uri")
    if not uri or uri.startswith("data:"):
        return None
    return _linked(uri, uri, title=text_of(content, "name"))


def file(content: Any) -> Passage | None:
    """Read a `hosted_file` content."""
    file_id = text_of(content, "file_id")
    if not file_id:
        return None
    named = {"type": "file_path", "file_id": file_id, "index": 0}
    return Passage("output_text", text_of(content, "name") or file_id, annotations=[named])


def consent(content: Any) -> Passage | None:
    """Read an `oauth_consent_request` content: without the person's consent the agent cannot go on."""
    uri = text_of(content, "consent_link")
    return _linked(f"Please open this link and give your consent: {uri}", uri, title="Consent") if uri else None


def _linked(text: str, uri: str, *, title: str) -> Passage:
    start = len(text) - len(uri)
    return Passage("output_text", text, annotations=[link(uri, title=title, start=start, end=len(text))])
