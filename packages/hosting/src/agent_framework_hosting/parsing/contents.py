"""What is said, shown or refused in a request as Agent Framework's contents, whatever the protocol calls it."""

from __future__ import annotations

from typing import Any, Final

from agent_framework import Content, Message

from .checks import filled
from .places import Place
from .refusals import wrong_value

ANY_IMAGE: Final = "image/*"
"""The media type of a picture of which only that much is known."""

_TEXT: Final = vars(Content.from_text(""))
_FIELDS: Final = {"role", "contents", "author_name", "message_id", "additional_properties", "raw_representation"}
_ARE_ALL: Final = set(vars(Message("user"))) == _FIELDS
"""Whether messages of the Agent Framework that is installed have these fields and no others."""

AUDIO_TYPES: Final = {"mp3": "audio/mpeg", "wav": "audio/wav"}
"""Media types of sounds by the names that model APIs give to their formats."""


def text_content(text: str) -> Content:
    """Return a text as `Content.from_text` does.

    That sets four dozen fields one by one, which takes longer than to decode and check a short request.
    """
    content = Content.__new__(Content)
    vars(content).update(_TEXT)
    content.text, content.additional_properties = text, {}
    return content


def message_of(role: str, contents: list[Content]) -> Message:
    """Return a message of contents as `Message` does, which looks through what may be anything else."""
    if not _ARE_ALL:
        return Message(role, contents)
    message = Message.__new__(Message)
    message.role = role
    message.contents = contents
    message.author_name = None
    message.message_id = None
    message.additional_properties = {}
    message.raw_representation = None
    return message


def content_at(place: Place, media_type: str, **fields: Any) -> Content:
    """Return what lies at a place, without the core's check of the URI, which copies the data: it has been checked."""
    return Content("data" if place.is_data else "uri", uri=place.uri, media_type=media_type, **fields)


def image_place(url: object, param: str) -> Place:
    """Return where a picture lies; its media type is `None` when only that much is known.

    Raises:
        InvalidRequest: The URL is malformed, or its data are no picture.
    """
    # Most requests are text alone.
    from .media import read_uri

    place = read_uri(url, param)
    is_image = place.media_type is not None and place.media_type.startswith("image/")
    if place.is_data and not is_image:
        raise wrong_value(param, "be a picture: a data URL with a media type like 'image/png'")
    # What an address ends in is a hint only: many lead to pictures through programs.
    return place if is_image else Place(place.uri, None)


def data_place(value: object, param: str, *, media_type: str | None) -> Place:
    """Return bytes that are given as a data URL, or as bare base64.

    Raises:
        InvalidRequest: They are neither.
    """
    from .media import read_base64, read_uri

    data = filled(value, param)
    if data[:5].lower() == "data:":
        return read_uri(data, param)
    return read_base64(data, param, media_type=media_type)


def refusal(words: str) -> Content:
    """Return what a model said to refuse a request; Agent Framework tells it from text by a mark."""
    mark: dict[str, Any] = {"core": {"model_output_kind": "refusal"}}
    return Content.from_text(words, additional_properties=mark)
