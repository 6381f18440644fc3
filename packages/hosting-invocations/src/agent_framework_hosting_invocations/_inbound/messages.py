"""Messages of a request, as Agent Framework has them.

Rule 1: a caller speaks as a user, or repeats what an assistant has said. Instructions are the developer's.
Rule 2: an address is passed on and never opened here.
"""

from __future__ import annotations

import re
from typing import Any, Final, cast

from agent_framework import Content, Message

from agent_framework_hosting.parsing.checks import Check, filled, is_list, json_object, members, one_of, text
from agent_framework_hosting.parsing.media import UNKNOWN, media_type_of, read_base64, read_uri
from agent_framework_hosting.parsing.refusals import missing, wrong_type, wrong_value

_INSTRUCTIONS: Final = ("system", "developer")
FILE_TYPE: Final = re.compile(r"[\w!#$&^.+-]{1,100}/[\w!#$&^.+-]{1,100}", re.ASCII)
"""What is called a media type."""


def read_messages(value: Any, at: str) -> list[Message]:
    """Return a list of messages.

    Raises:
        InvalidRequest: It is none, or empty.
    """
    if not is_list(value):
        raise wrong_type(value, at, "an array of messages")
    if not value:
        raise wrong_value(at, "hold at least one message")
    return [read_message(item, f"{at}[{index}]") for index, item in enumerate(value)]


def read_message(value: Any, at: str) -> Message:
    """Return one message."""
    fields = _members({"role": _role, "content": _contents, "author": filled}, json_object(value, at), at)
    if "content" not in fields:
        raise missing(_inside(at, "content"))
    return Message(fields.get("role", "user"), fields["content"], author_name=fields.get("author"))


def read_content(value: Any, at: str) -> Content:
    """Return one part of a message."""
    kind = json_object(value, at).get("type")
    if not isinstance(kind, str) or kind not in _PARTS:
        raise wrong_value(_inside(at, "type"), "be 'text' or 'file'")
    return cast("Content", _PARTS[kind](value, at))


def _contents(value: Any, at: str) -> list[Content]:
    if isinstance(value, str):
        return [Content.from_text(value)]
    if not is_list(value):
        raise wrong_type(value, at, "a string or an array of parts")
    return [read_content(part, f"{at}[{index}]") for index, part in enumerate(value)]


def _role(value: Any, at: str) -> str:
    if text(value, at) in _INSTRUCTIONS:
        raise wrong_value(at, "be 'user' or 'assistant'; this server takes no instructions from its callers")
    return cast("str", one_of("user", "assistant")(value, at))


def _text_part(value: Any, at: str) -> Content:
    fields = _members({"type": text, "text": text}, value, at)
    if "text" not in fields:
        raise missing(_inside(at, "text"))
    return Content.from_text(fields["text"])


def _file_part(value: Any, at: str) -> Content:
    fields = _members({"type": text, "url": text, "data": text, "media_type": _media_type, "name": filled}, value, at)
    if ("url" in fields) == ("data" in fields):
        raise wrong_value(at or "the part", "have either 'url' or 'data'")
    name = fields.get("name")
    known = fields.get("media_type") or media_type_of(name)
    if "data" in fields:
        place = read_base64(fields["data"], _inside(at, "data"), media_type=known)
    else:
        place = read_uri(fields["url"], _inside(at, "url"))
    media_type = place.media_type if place.is_data else known or place.media_type
    return Content.from_uri(place.uri, media_type=media_type or UNKNOWN, name=name)


def _media_type(value: Any, at: str) -> str:
    if not FILE_TYPE.fullmatch(text(value, at)):
        raise wrong_value(at, "be a media type such as 'image/png'")
    return cast("str", value.lower())


def _members(known: dict[str, Check], value: Any, at: str) -> dict[str, Any]:
    return cast("dict[str, Any]", members(known)(value, at))


def _inside(at: str, name: str) -> str:
    return f"{at}.{name}" if at else name


_PARTS: Final[dict[Any, Check]] = {"text": _text_part, "file": _file_part}
