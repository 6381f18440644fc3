"""What is read of the Bot API's objects (https://core.telegram.org/bots/api#available-types).

Members that are not known are passed over: Telegram adds some several times a year.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, TypeAlias

import msgspec
from msgspec import Meta, Struct

Id: TypeAlias = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]


class User(Struct):
    """A person or a bot."""

    id: Id
    is_bot: bool = False
    first_name: str = ""
    last_name: str | None = None
    username: str | None = None
    language_code: str | None = None


class Chat(Struct):
    """Where something was said."""

    id: Id
    type: str = "private"
    title: str | None = None


class Entity(Struct):
    """A part of a text that means something."""

    type: str
    offset: Id
    length: Id
    user: User | None = None


class File(Struct):
    """A file on Telegram's servers, of whatever kind."""

    file_id: str
    file_name: str | None = None
    mime_type: str | None = None
    file_size: Id | None = None


class Photo(Struct):
    """One size of a picture."""

    file_id: str
    width: Id = 0
    height: Id = 0
    file_size: Id | None = None


class Sticker(Struct):
    """A sticker; of its kinds the emoji is what all have."""

    emoji: str | None = None


class Quote(Struct):
    """The part of a message that is replied to."""

    text: str = ""


class Button(Struct):
    """A button below a message."""

    text: str = ""
    callback_data: str | None = None


class Keyboard(Struct):
    """The buttons below a message."""

    inline_keyboard: list[list[Button]] = []


class Message(Struct, kw_only=True):
    """A message; see https://core.telegram.org/bots/api#message."""

    message_id: Id
    chat: Chat
    sender: User | None = msgspec.field(name="from", default=None)
    sender_chat: Chat | None = None
    message_thread_id: Id | None = None
    is_topic_message: bool = False
    is_automatic_forward: bool = False
    media_group_id: str | None = None
    reply_to_message: Message | None = None
    quote: Quote | None = None
    text: str | None = None
    caption: str | None = None
    entities: list[Entity] = []
    caption_entities: list[Entity] = []
    photo: list[Photo] = []
    document: File | None = None
    animation: File | None = None
    audio: File | None = None
    voice: File | None = None
    video: File | None = None
    video_note: File | None = None
    sticker: Sticker | None = None
    forum_topic_created: dict[str, Any] | None = None
    reply_markup: Keyboard | None = None

    @property
    def said(self) -> str:
        """The text, or the caption."""
        return self.text or self.caption or ""

    @property
    def marks(self) -> Iterator[tuple[Entity, str]]:
        """The entities, each with the text that it is; their places are counted in UTF-16 units."""
        encoded = self.said.encode("utf-16-le")
        for entity in self.entities or self.caption_entities:
            start, end = 2 * entity.offset, 2 * (entity.offset + entity.length)
            yield entity, encoded[start:end].decode("utf-16-le", "replace") if start >= 0 else ""


class CallbackQuery(Struct, kw_only=True):
    """A button that somebody pressed."""

    id: str
    sender: User = msgspec.field(name="from")
    message: Message | None = None
    data: str | None = None
