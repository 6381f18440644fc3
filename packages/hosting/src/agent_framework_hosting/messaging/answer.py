"""What of an agent's answer is shown in a chat: its texts, its files, and what it asks."""

from __future__ import annotations

import base64
import binascii
import mimetypes
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, cast

from agent_framework import AgentResponse, AgentResponseUpdate, Content

from ..rendering.text import clean
from .outlet import OutgoingFile

_BETWEEN: Final = "\n\n"
_FILES: Final = ("data", "uri")


@dataclass(slots=True)
class _Message:
    role: str = "assistant"
    author: str | None = None
    id: str | None = None
    contents: list[Content] = field(default_factory=list[Content])


class Answer:
    """An answer as it grows: the same text that the finished response has.

    Example:
        >>> answer = Answer()
        >>> for text in ("Hel", "lo."):
        ...     answer.add(AgentResponseUpdate(contents=[Content.from_text(text)], role="assistant"))
        >>> answer.text
        'Hello.'
    """

    def __init__(self) -> None:
        self._messages: list[_Message] = []

    def add(self, update: AgentResponseUpdate) -> None:
        """Take one more update, as Agent Framework puts updates together."""
        message = self._messages[-1] if self._messages else None
        if message is None or _begins_another(message, update):
            message = _Message()
            self._messages.append(message)
        if update.merge_mode == "replace":
            message.contents.clear()
        message.role = update.role or message.role
        message.author = update.author_name or message.author
        message.id = update.message_id or message.id
        message.contents.extend(update.contents)

    @property
    def text(self) -> str:
        """The text so far; messages are paragraphs of it."""
        return _joined(message.contents for message in self._messages if message.role == "assistant")

    @property
    def contents(self) -> list[Content]:
        """All that the agent has said so far."""
        return [content for message in self._messages for content in message.contents]


def text_of(response: AgentResponse[Any]) -> str:
    """Return the text of a finished response; messages are paragraphs of it."""
    return _joined(message.contents for message in response.messages if message.role == "assistant")


def contents_of(response: AgentResponse[Any]) -> list[Content]:
    """Return all that the agent has said in a finished response."""
    return [content for message in response.messages for content in message.contents]


def files_of(contents: Iterable[Content]) -> list[OutgoingFile]:
    """Return the files and images among contents, and those that an image generator made."""
    files: list[OutgoingFile] = []
    for content in contents:
        if content.type == "image_generation_tool_result":
            outputs: Any = content.outputs
            several = cast("Sequence[Any]", outputs if isinstance(outputs, Sequence) else [outputs])
            files += files_of(output for output in several if isinstance(output, Content))
        elif content.type in _FILES and content.uri:
            file = _file(content, number=len(files) + 1)
            if file is not None:
                files.append(file)
    return files


def _begins_another(message: _Message, update: AgentResponseUpdate) -> bool:
    return (
        _differs(message.id, update.message_id)
        or _differs(message.author, update.author_name)
        or _differs(message.role, update.role)
    )


def _differs(one: str | None, other: str | None) -> bool:
    return bool(one and other and one != other)


def _joined(messages: Iterable[Sequence[Content]]) -> str:
    texts = ["".join(_shown(content) for content in contents) for contents in messages]
    return clean(_BETWEEN.join(text for text in texts if text.strip()))


def _shown(content: Content) -> str:
    if content.type == "oauth_consent_request" and content.consent_link:
        return f"{_BETWEEN}{content.consent_link}{_BETWEEN}"
    return content.text or "" if content.type == "text" else ""


def _file(content: Content, *, number: int) -> OutgoingFile | None:
    uri = clean(content.uri or "")
    media_type = clean(content.media_type or "application/octet-stream")
    properties = content.additional_properties
    name = next((str(properties[key]) for key in ("filename", "name") if properties.get(key)), None)
    name = clean(name) if name else f"file{number}{mimetypes.guess_extension(media_type) or ''}"
    if not uri.startswith("data:"):
        return OutgoingFile(media_type=media_type, name=name, uri=uri) if uri.startswith("https://") else None
    header, _, encoded = uri.partition(",")
    if not header.endswith(";base64"):
        return None
    try:
        return OutgoingFile(media_type=media_type, name=name, data=base64.b64decode(encoded, validate=True))
    except binascii.Error:
        return None
