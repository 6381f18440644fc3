"""Parts that are no text: pictures, files and sounds; and the citations of a text.

Pictures and files carry what Agent Framework's OpenAI clients need to send them on as they came: the kind of part, the
detail, the name.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final

from agent_framework import Annotation, Content, TextSpanRegion

from agent_framework_hosting.errors import InvalidRequest
from agent_framework_hosting.parsing.checks import filled, is_list, is_object, one_of, required_id, some_members, text
from agent_framework_hosting.parsing.contents import ANY_IMAGE, AUDIO_TYPES, content_at, data_place, image_place
from agent_framework_hosting.parsing.media import UNKNOWN, media_type_of, read_uri
from agent_framework_hosting.parsing.refusals import missing, wrong_value

from .members import GIVEN, PartKind, optional

_detail = one_of("auto", "low", "high", "original")
_audio_format = one_of(*AUDIO_TYPES)
_FILES: Final = ("file_data", "file_url", "file_id")


def read_image(part: dict[str, Any], at: str) -> Content:
    """Return the picture of an `input_image` or `computer_screenshot` part.

    Raises:
        InvalidRequest: It is malformed, or no picture.
    """
    marks: dict[str, Any] = {"content_type": "input_image"}
    if (detail := part.get("detail")) is not None:
        marks["image_detail"] = _detail(detail, f"{at}.detail")
    file_id = None if part.get("file_id") is None else required_id(part, "file_id", at)
    properties = {"openai": marks}
    if (url := part.get("image_url")) is not None:
        place = image_place(url, f"{at}.image_url")
        return content_at(place, place.media_type or ANY_IMAGE, file_id=file_id, additional_properties=properties)
    if file_id is None:
        raise missing(f"{at}.image_url", "Send 'image_url' or 'file_id'.")
    return Content.from_hosted_file(file_id, media_type=ANY_IMAGE, additional_properties=properties)


def image_of(url: str) -> Content | None:
    """Return the picture at an address or in a data URL; nothing when that is malformed, or no picture."""
    try:
        place = image_place(url, "")
    except InvalidRequest:
        return None
    return content_at(place, place.media_type or ANY_IMAGE)


def _file(part: dict[str, Any], at: str) -> Content:
    given = [key for key in _FILES if part.get(key) is not None]
    if not given:
        raise missing(f"{at}.file_data", "Send 'file_data', 'file_url' or 'file_id'.")
    if len(given) > 1:
        raise InvalidRequest(
            f"'{at}' names a file more than once: send one of 'file_data', 'file_url' and 'file_id'.",
            param=f"{at}.{given[1]}",
            code="mutually_exclusive_parameters",
        )
    key, param = given[0], f"{at}.{given[0]}"
    name = optional(part, "filename", at) or None
    guessed = media_type_of(name)
    properties = {"openai": {"content_type": "input_file"}}
    if key == "file_id":
        file_id = required_id(part, key, at)
        return Content.from_hosted_file(file_id, media_type=guessed, name=name, additional_properties=properties)
    if key == "file_url":
        place = read_uri(part[key], param)
        if place.is_data:
            raise wrong_value(param, "be an http or https URL; send data as 'file_data'")
    else:
        place = data_place(part[key], param, media_type=guessed)
    known = place.media_type if place.is_data else guessed or place.media_type
    return content_at(place, known or UNKNOWN, name=name, additional_properties=properties)


def _audio(part: dict[str, Any], at: str) -> Content:
    audio = part["input_audio"]
    media_type = AUDIO_TYPES[audio["format"]]
    # Agent Framework's own client of this API sends a data URL here.
    place = data_place(audio["data"], f"{at}.input_audio.data", media_type=media_type)
    return content_at(place, media_type)


def annotations_of(value: Any) -> list[Annotation]:
    """Return the citations of a text; those that are not whole are passed over, as are kinds that nobody knows."""
    if not is_list(value):
        return []
    return [known for item in value if is_object(item) and (known := _annotation(item)) is not None]


def _annotation(item: dict[str, Any]) -> Annotation | None:
    kind = item.get("type")
    where, texts = _CITATIONS.get(kind, ((), ())) if isinstance(kind, str) else ((), ())
    if not texts or not _has(item, texts, str) or not _has(item, where, int):
        return None
    found = Annotation(type="citation")
    if "url" in texts:
        found["url"], found["title"] = item["url"], item["title"]
    else:
        found["file_id"] = item["file_id"]
    if "filename" in texts:
        found["url"] = item["filename"]
    if "start_index" in where:
        region = TextSpanRegion(type="text_span", start_index=item["start_index"], end_index=item["end_index"])
        found["annotated_regions"] = [region]
    if more := {key: item[key] for key in ("container_id", "index") if key in (*where, *texts)}:
        found["additional_properties"] = more
    return found


def _has(item: dict[str, Any], keys: Collection[str], kind: type) -> bool:
    return all(isinstance(item.get(key), kind) and not isinstance(item[key], bool) for key in keys)


_CITATIONS: Final[dict[str, tuple[tuple[str, ...], tuple[str, ...]]]] = {
    "url_citation": (("start_index", "end_index"), ("url", "title")),
    "container_file_citation": (("start_index", "end_index"), ("file_id", "filename", "container_id")),
    "file_citation": (("index",), ("file_id", "filename")),
    "file_path": (("index",), ("file_id",)),
}
"""Kinds of annotations: the numbers and the texts that make one whole."""


def _with(key: str) -> dict[str, Any]:
    return {"required": [key], "properties": {key: {"not": {"type": "null"}}}}


_sound = some_members({"format": _audio_format, "data": filled}, required=("format", "data"))

MEDIA_PARTS: Final[Mapping[str, PartKind]] = {
    "input_image": PartKind(
        some_members({"detail": _detail, "image_url": filled, "file_id": filled}),
        read_image,
        GIVEN,
        {"anyOf": [_with("image_url"), _with("file_id")]},
    ),
    "input_file": PartKind(
        some_members({**dict.fromkeys(_FILES, filled), "filename": text}),
        _file,
        GIVEN,
        {"oneOf": [_with(key) for key in _FILES]},
    ),
    "input_audio": PartKind(
        some_members({"input_audio": _sound}, required=("input_audio",)), _audio, ("user", "system")
    ),
}
