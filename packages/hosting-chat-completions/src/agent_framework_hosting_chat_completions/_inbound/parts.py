"""Content parts of messages: text, refusals, pictures, files and sounds.

Members that say nothing to an agent are passed over. A picture in an assistant's text is one that this server has
written there; sent back, its data would be read as a text of a million letters, so that only its place is kept.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final, TypeAlias

from agent_framework import Content

from agent_framework_hosting.errors import InvalidRequest
from agent_framework_hosting.parsing.checks import is_list, json_object, one_of, required, required_id, text
from agent_framework_hosting.parsing.contents import (
    ANY_IMAGE,
    AUDIO_TYPES,
    content_at,
    data_place,
    image_place,
    refusal,
)
from agent_framework_hosting.parsing.media import UNKNOWN, media_type_of
from agent_framework_hosting.parsing.refusals import missing, wrong_type, wrong_value

_detail = one_of("auto", "low", "high")
_audio_format = one_of(*AUDIO_TYPES)
_OUR_PICTURE: Final = re.compile(r"(!\[[^\]\n]{0,200}\]\()data:image/[\w.+-]{1,60};base64,[A-Za-z0-9+/=]*+\)")


def read_content(value: Any, role: str, at: str) -> list[Content]:
    """Return what a message says: a text, or parts; `role` decides which parts there may be.

    Raises:
        InvalidRequest: It is malformed, or has a part that is not read.
    """
    if isinstance(value, str):
        return [_spoken(value, role)] if value else []
    if not is_list(value):
        raise wrong_type(value, at, "a string or an array")
    return [_read_part(part, role, f"{at}[{index}]") for index, part in enumerate(value)]


def read_text(value: Any, at: str) -> str:
    """Return what a tool's message says, as one text.

    Raises:
        InvalidRequest: It is malformed, or says something else than text.
    """
    if value is None:
        raise missing(at)
    return "".join(content.text or "" for content in read_content(value, "tool", at))


def _spoken(said: str, role: str) -> Content:
    if role == "assistant" and ";base64," in said:
        said = _OUR_PICTURE.sub(r"\1...)", said)
    return Content.from_text(said)


def _read_part(part: Any, role: str, at: str) -> Content:
    kind = required(json_object(part, at), "type", at)
    reader, roles = _READERS.get(kind, (None, ()))
    if reader is None or role not in roles:
        kinds = ", ".join(repr(kind) for kind, (_, roles) in _READERS.items() if role in roles)
        raise wrong_value(f"{at}.type", f"be one of {kinds}")
    return reader(part, role, at)


def _text(part: dict[str, Any], role: str, at: str) -> Content:
    return _spoken(required(part, "text", at), role)


def _refusal(part: dict[str, Any], _role: str, at: str) -> Content:
    return refusal(required(part, "refusal", at))


def _image(part: dict[str, Any], _role: str, at: str) -> Content:
    if part.get("image_url") is None:
        raise missing(f"{at}.image_url")
    at = f"{at}.image_url"
    image = json_object(part["image_url"], at)
    if image.get("url") is None:
        raise missing(f"{at}.url")
    marks: dict[str, Any] = {"content_type": "input_image"}
    if (detail := image.get("detail")) is not None:
        marks["image_detail"] = _detail(detail, f"{at}.detail")
    place = image_place(image["url"], f"{at}.url")
    return content_at(place, place.media_type or ANY_IMAGE, additional_properties={"openai": marks})


def _audio(part: dict[str, Any], _role: str, at: str) -> Content:
    if part.get("input_audio") is None:
        raise missing(f"{at}.input_audio")
    at = f"{at}.input_audio"
    audio = json_object(part["input_audio"], at)
    media_type = AUDIO_TYPES[_audio_format(required(audio, "format", at), f"{at}.format")]
    place = data_place(required(audio, "data", at), f"{at}.data", media_type=media_type)
    return content_at(place, media_type)


def _file(part: dict[str, Any], _role: str, at: str) -> Content:
    if part.get("file") is None:
        raise missing(f"{at}.file")
    at = f"{at}.file"
    file = json_object(part["file"], at)
    data, file_id = file.get("file_data"), file.get("file_id")
    if data is not None and file_id is not None:
        raise InvalidRequest(
            f"'{at}' names a file twice: send one of 'file_data' and 'file_id'.",
            param=f"{at}.file_id",
            code="mutually_exclusive_parameters",
        )
    name = None if file.get("filename") is None else text(file["filename"], f"{at}.filename") or None
    guessed = media_type_of(name)
    marks: dict[str, Any] = {"openai": {"content_type": "input_file"}}
    if file_id is not None:
        file_id = required_id(file, "file_id", at)
        return Content.from_hosted_file(file_id, media_type=guessed, name=name, additional_properties=marks)
    if data is None:
        raise missing(f"{at}.file_data", "Send 'file_data' or 'file_id'.")
    place = data_place(data, f"{at}.file_data", media_type=guessed)
    if not place.is_data:
        raise wrong_value(f"{at}.file_data", "be base64, or a data URL")
    return content_at(place, place.media_type or UNKNOWN, name=name, additional_properties=marks)


_Reader: TypeAlias = Callable[[dict[str, Any], str, str], Content]

_READERS: Final[dict[str, tuple[_Reader, tuple[str, ...]]]] = {
    "text": (_text, ("user", "system", "assistant", "tool")),
    "image_url": (_image, ("user",)),
    "input_audio": (_audio, ("user",)),
    "file": (_file, ("user",)),
    "refusal": (_refusal, ("assistant",)),
}
"""Kinds of parts: how one is read, and who may say it."""
