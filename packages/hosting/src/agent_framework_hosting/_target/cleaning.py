"""Messages as they can be kept and sent on: half a surrogate pair in them would be refused by every store and model.

A model's client may hand out such halves, and tools may, since JSON lets them through where UTF-8 does not.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from operator import attrgetter, is_
from typing import Any, Final, cast

import msgspec
from agent_framework import Content, Message

from ..rendering.halves import joined
from ..rendering.text import clean
from .copying import shallow_copy

_FIELDS: Final = tuple(name for name in vars(Content("text")) if name != "raw_representation")
_fields: Final = attrgetter(*_FIELDS)
_encode: Final = msgspec.json.Encoder().encode


def clean_message(message: Message) -> Message:
    """Return a message whose texts are all clean; the message itself when they are already."""
    author, marks = message.author_name, message.additional_properties
    # Nearly all messages say a text and nothing else, and each turn's are looked at.
    for content in message.contents:
        if type(content) is not Content or content.type != "text":
            break
        text: Any = content.text
        is_clean = text is None or (type(text) is str and (text.isascii() or clean(text) is text))
        if not is_clean or content.annotations or content.additional_properties:
            break
    else:
        is_usual = author is None or (type(author) is str and author.isascii())
        if is_usual and (not marks or _is_encodable(marks)):
            return message
    return _cleaned_message(message)


def _cleaned_message(message: Message) -> Message:
    contents: list[Any] = message.contents
    parts = [
        _cleaned_content(each, look=_looked_into) if isinstance(each, Content) else each for each in joined(contents)
    ]
    found = {
        "contents": contents if all(map(is_, parts, contents)) else parts,
        "author_name": _looked_into(message.author_name),
        "message_id": _looked_into(message.message_id),
        "additional_properties": _looked_into(message.additional_properties),
    }
    changed = {name: value for name, value in found.items() if value is not getattr(message, name)}
    if not changed:
        return message
    own = shallow_copy(message)
    for name, value in changed.items():
        setattr(own, name, value)
    return own


def _is_encodable(marks: Any) -> bool:
    """Whether something is JSON, so that there is no half in it: the host's own marks are on every question."""
    try:
        _encode(marks)
    except (TypeError, ValueError, RecursionError):
        return False
    return True


def _looked_into(value: Any) -> Any:
    """Return a value clean, or as it is when there is no end of looking into it, since it holds itself."""
    try:
        return _cleaned(value)
    except RecursionError:
        return value


def _cleaned(value: Any) -> Any:
    """Return a value clean; the value itself when it is already, or cannot be looked into."""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, Content):
        return _cleaned_content(value, look=_cleaned)
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


def _cleaned_content(content: Content, *, look: Callable[[Any], Any]) -> Content:
    own: Content | None = None
    for name, value in zip(_FIELDS, _fields(content), strict=True):
        if value is not None and (new := look(value)) is not value:
            own = own or copy.copy(content)
            setattr(own, name, new)
    return own or content
