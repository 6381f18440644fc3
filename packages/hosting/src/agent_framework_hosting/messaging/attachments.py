"""Files that came with a message: fetched when the agent is about to get them, within bounds."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Final

from agent_framework import Content

from ..logs import logger
from .incoming import Attachment
from .outlet import OutletError
from .phrases import Phrases

_MIB: Final = 1024 * 1024
_AS_TEXT: Final = ("text/*", "application/json", "application/xml", "application/yaml", "application/x-yaml")
"""What is given to the agent as text, which every model can read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AttachmentPolicy:
    """Which files are taken.

    Args:
        types: MIME types, with `*` for any part of them.
        max_bytes: Bytes of all files of one message.
        max_count: Files of one message; none at all with 0.

    Example:
        >>> AttachmentPolicy(types=("image/*", "application/pdf")).takes("image/png")
        True
    """

    types: Sequence[str] = ("*/*",)
    max_bytes: int = 10 * _MIB
    max_count: int = 10

    def takes(self, media_type: str) -> bool:
        """Whether files of this type are taken."""
        return _is_one_of(media_type, self.types)


class AttachmentRefused(Exception):
    """A file is not taken, or cannot be had; the text is for the person who sent it."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text


async def contents_of(
    attachments: Sequence[Attachment],
    *,
    read: Callable[[Attachment], AsyncGenerator[bytes]],
    policy: AttachmentPolicy,
    phrases: Phrases,
) -> list[Content]:
    """Fetch files and return them as the agent gets them.

    Raises:
        AttachmentRefused: One of them is not taken, or cannot be had.
    """
    _check(attachments, policy=policy, phrases=phrases)
    contents: list[Content] = []
    room = policy.max_bytes
    for attachment in attachments:
        data = await _read(attachment, read=read, room=room, too_large=_too_large(attachment, policy, phrases))
        if data is None:
            raise AttachmentRefused(phrases.file_lost.replace("{name}", _shown(attachment)))
        room -= len(data)
        contents.append(_content(attachment, data))
    return contents


def _check(attachments: Sequence[Attachment], *, policy: AttachmentPolicy, phrases: Phrases) -> None:
    """Refuse what need not be fetched to know that it is not taken."""
    if len(attachments) > policy.max_count:
        raise AttachmentRefused(phrases.file_count.replace("{limit}", str(policy.max_count)))
    for attachment in attachments:
        if not policy.takes(attachment.media_type):
            raise AttachmentRefused(phrases.file_kind.replace("{name}", _shown(attachment)))
        if attachment.size is not None and attachment.size > policy.max_bytes:
            raise _too_large(attachment, policy, phrases)


async def _read(
    attachment: Attachment,
    *,
    read: Callable[[Attachment], AsyncGenerator[bytes]],
    room: int,
    too_large: AttachmentRefused,
) -> bytes | None:
    data = bytearray()
    try:
        async with aclosing(read(attachment)) as parts:
            async for part in parts:
                data += part
                if len(data) > room:
                    raise too_large
    except OutletError as error:
        logger.warning("A file that came with a message could not be fetched: %s", error)
        return None
    return bytes(data)


def _content(attachment: Attachment, data: bytes) -> Content:
    name = attachment.name
    if _is_one_of(attachment.media_type, _AS_TEXT):
        try:
            text = data.decode()
        except UnicodeDecodeError:
            pass
        else:
            return Content.from_text(f"File {name or attachment.media_type}:\n\n{text}")
    properties = {"filename": name} if name else {}
    return Content.from_data(data, attachment.media_type, name=name, additional_properties=properties)


def _too_large(attachment: Attachment, policy: AttachmentPolicy, phrases: Phrases) -> AttachmentRefused:
    limit = f"{policy.max_bytes / _MIB:.3g} MiB"
    return AttachmentRefused(phrases.file_size.replace("{limit}", limit).replace("{name}", _shown(attachment)))


def _shown(attachment: Attachment) -> str:
    return attachment.name or attachment.media_type


def _is_one_of(media_type: str, types: Sequence[str]) -> bool:
    plain = media_type.partition(";")[0].strip().lower()
    return any(fnmatchcase(plain, wanted.lower()) for wanted in types)
