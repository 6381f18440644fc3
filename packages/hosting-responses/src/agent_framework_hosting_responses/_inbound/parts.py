"""Content parts of messages and of tool outputs: text and refusals, and which others there are.

Members that say nothing to an agent are passed over.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from agent_framework import Content

from agent_framework_hosting.parsing.checks import array, is_list, json_object, required, some_members, text
from agent_framework_hosting.parsing.contents import refusal, text_content
from agent_framework_hosting.parsing.refusals import missing, unsupported_content, wrong_type, wrong_value
from agent_framework_hosting.parsing.schemas import of_kind, schema_of

from .members import GIVEN, PartKind

_LATER_PARTS: Final = frozenset({"computer_screenshot"})


def placed(parts: Any, at: str) -> Iterable[tuple[Any, str]]:
    """Return the elements of an array with their places."""
    return ((part, f"{at}[{index}]") for index, part in enumerate(array(parts, at)))


def read_content(value: Any, role: str, at: str) -> str | list[Content]:
    """Return what a message or a tool's output says: a text, or parts.

    `role` is a message's, or `tool`: it decides which parts there may be.

    Raises:
        InvalidRequest: It is malformed, or has a part that is not read.
    """
    if value is None:
        raise missing(at)
    if isinstance(value, str):
        return value
    if not is_list(value):
        raise wrong_type(value, at, "a string or an array")
    return [_read_part(part, role, place) for part, place in placed(value, at)]


def content_schema(role: str) -> dict[str, Any]:
    """Return what a message of this role, or a tool's output, may say."""
    kinds = [
        of_kind(kind, {**schema_of(part.members), **part.rule})
        for kind, part in _all_parts().items()
        if role in part.by
    ]
    return {"anyOf": [{"type": "string"}, {"type": "array", "items": {"oneOf": kinds}}]}


def _read_part(part: Any, role: str, at: str) -> Content:
    kind = required(json_object(part, at), "type", at)
    if kind in _LATER_PARTS:
        raise unsupported_content(at, kind)
    known = _known(kind)
    if known is None or role not in known.by:
        kinds = ", ".join(repr(kind) for kind, part in _all_parts().items() if role in part.by)
        raise wrong_value(f"{at}.type", f"be one of {kinds}")
    known.members(part, at)
    return known.read(part, at)


def _text(part: dict[str, Any], _at: str) -> Content:
    return text_content(part["text"])


def _said(part: dict[str, Any], _at: str) -> Content:
    annotations = None
    if part.get("annotations"):
        from .media_parts import annotations_of

        annotations = annotations_of(part["annotations"]) or None
    return Content.from_text(part["text"], annotations=annotations)


def _refusal(part: dict[str, Any], _at: str) -> Content:
    return refusal(part["refusal"])


_words = some_members({"text": text}, required=("text",))
_PARTS: Final[dict[str, PartKind]] = {
    "input_text": PartKind(_words, _text, (*GIVEN, "assistant")),
    "output_text": PartKind(_words, _said, (*GIVEN, "assistant")),
    "refusal": PartKind(some_members({"refusal": text}, required=("refusal",)), _refusal, ("assistant",)),
}
_MORE_PARTS: Final = frozenset({"input_audio", "input_file", "input_image"})
"""Parts that fewer clients send; see `media_parts`."""


def _known(kind: str) -> PartKind | None:
    return _all_parts().get(kind) if kind in _MORE_PARTS else _PARTS.get(kind)


def _all_parts() -> Mapping[str, PartKind]:
    from .media_parts import MEDIA_PARTS

    return {**_PARTS, **MEDIA_PARTS}
