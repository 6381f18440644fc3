"""What a chat platform hands in, as values: who said what where, with which files.

A channel's parser makes an `Incoming` of one event of its platform, without I/O; the files stay where they are until
somebody is let in and the agent is about to get them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """Who sent it, as the platform vouches for it.

    Args:
        id: The platform's id of the person, which never changes.
        username: The name under which others find them, without `@`; it may change hands.
        name: What people call them.
        is_bot: Whether a program sent it; what programs say is not answered.
        attributes: What else the platform says, for hooks (language, tenant).
    """

    id: str
    username: str | None = None
    name: str | None = None
    is_bot: bool = False
    attributes: Mapping[str, Any] = field(default_factory=dict[str, Any], hash=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """A file that came with a message, not yet fetched.

    Args:
        ref: By what the channel fetches it from the platform.
        media_type: Its MIME type, as the platform says.
        name: Its name, if it has one.
        size: Its bytes, if the platform says.
    """

    ref: str
    media_type: str
    name: str | None = None
    size: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Incoming:
    """One message to the agent.

    Args:
        id: What the platform names this event by, unique for the bot's account: the same id is taken once.
        chat: The platform's id of the chat.
        sender: Who sent it.
        text: What was said, or the caption of what was sent.
        thread: The part of the chat that is a conversation of its own (a topic, a thread), if there is one.
        is_group: Whether others read along.
        is_addressed: Whether it is meant for the agent; what is not meant for it is not answered.
        attachments: The files that came with it.
        answers: The mark of the `Choice` that was pressed; `None` for what was typed.
        attributes: What else the channel needs to answer it, or hooks may want to know.
    """

    id: str
    chat: str
    sender: Sender
    text: str = ""
    thread: str | None = None
    is_group: bool = False
    is_addressed: bool = True
    attachments: tuple[Attachment, ...] = ()
    answers: str | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict[str, Any], hash=False)

    @property
    def is_for_agent(self) -> bool:
        """Whether a person says something that is meant for the agent."""
        says_something = bool(self.text.strip() or self.attachments)
        return says_something and self.is_addressed and not self.sender.is_bot
