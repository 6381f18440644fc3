"""Messages as they can be kept and sent on: half a surrogate pair in them would be refused by every store and model.

A model's client may hand out such halves, and tools may, since JSON lets them through where UTF-8 does not.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from operator import attrgetter
from typing import Any, Final, cast

import msgspec
from agent_framework import Content, Message

from ..rendering.text import clean
from .copying import shallow_copy

_FIELDS: Final = tuple(name for name in vars(Content("text")) if name != "raw_representation")
_fields: Final = attrgetter(*_FIELDS)
_encode: Final = msgspec.json.Encoder().encode


def clean_message(message: Message) -> Message:
    """Return a message whose texts are all clean; the message itself when they are already."""
    contents, author, marks = message.contents, message.author_name, message.additional_properties
    is_usual = (author is None or author.isascii()) and all(map(_is_plain, contents))
    if is_usual and (not marks or _is_encodable(marks)):
        return message
    found = {
        "contents": _cleaned(contents),
        "author_name": _cleaned(author),
        "message_id": _cleaned(message.message_id),
        "additional_properties": _cleaned(marks),
    }
    changed = {name: value for name, value in found.items() if value is not getattr(message, name)}
    if not changed:
        return message
    own = shallow_copy(message)
    for name, value in changed.items():
        setattr(own, name, value)
    return own


def _is_plain(content: Any) -> bool:
    """Whether a content is a text and nothing else, as nearly all are, and clean."""
    if content.type != "text" or content.annotations or content.additional_properties:
        return False
    text = content.text
    return text is None or text.isascii() or clean(text) is text


def _is_encodable(marks: Any) -> bool:
    """Whether something is JSON, so that there is no half in it: the host's own marks are on every question."""
    try:
        _encode(marks)
    except (TypeError, ValueError):
        return False
    return True


def _cleaned(value: Any) -> Any:
    """Return a value clean; the value itself when it is already, or cannot be looked into."""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, Content):
        return _cleaned_content(value)
    if isinstance(value, Mapping):
        named = cast("Mapping[Any, Any]", value)
        pairs = {_cleaned(key): _cleaned(each) for key, each in named.items()}
        is_clean = all(key in pairs and pairs[key] is each for key, each in named.items())
        return named if is_clean else pairs
    if isinstance(value, (list, tuple)):
        given = cast("list[Any] | tuple[Any, ...]", value)
        parts = [_cleaned(each) for each in given]
        is_clean = all(new is old for new, old in zip(parts, given, strict=True))
        return given if is_clean else parts
    return value


def _cleaned_content(content: Content) -> Content:
    own: Content | None = None
    for name, value in zip(_FIELDS, _fields(content), strict=True):
        if value is not None and (new := _cleaned(value)) is not value:
            own = own or copy.copy(content)
            setattr(own, name, new)
    return own or content
