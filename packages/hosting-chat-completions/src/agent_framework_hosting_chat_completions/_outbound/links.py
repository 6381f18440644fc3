"""Contents that are no text, as text: the protocol's answers have no part for a picture, a file or an address.

Rule: the text is what a front end shows and a person can use: Markdown for a picture, an address, a file's name.
"""

from __future__ import annotations

from typing import Any, Final

from agent_framework_hosting.rendering.reading import items_of, mapping_of, text_of

_BRACKETS: Final = str.maketrans({"[": "(", "]": ")", "\n": " ", "\r": " "})
_CLOSING: Final = str.maketrans({"(": "%28", ")": "%29", " ": "%20", "\n": "", "\r": ""})


def spoken(content: Any) -> str:
    """Return what to say in place of a `data`, `uri`, `hosted_file` or `oauth_consent_request` content, if anything."""
    kind = text_of(content, "type")
    if kind in ("data", "uri"):
        return _placed(content)
    if kind == "hosted_file":
        return text_of(content, "name") or text_of(content, "file_id")
    link = text_of(content, "consent_link")
    return f"Please open this link and give your consent: {link}" if link else ""


def pictures(content: Any) -> list[str]:
    """Return what to say in place of the result of an `image_generation_tool_result`; sketches are left out."""
    outputs = items_of(getattr(content, "outputs", None))
    finished = [each for each in outputs if not _is_sketch(each)]
    return [said for each in finished if (said := _placed(each))]


def _is_sketch(content: Any) -> bool:
    return mapping_of(getattr(content, "additional_properties", None)).get("is_partial_image") is True


def _placed(content: Any) -> str:
    uri = text_of(content, "uri").translate(_CLOSING)
    if uri.startswith("data:image/") or text_of(content, "media_type").startswith("image/"):
        return f"![{_name(content) or 'image'}]({uri})" if uri else ""
    return "" if uri.startswith("data:") else uri


def _name(content: Any) -> str:
    return text_of(content, "name").translate(_BRACKETS)
