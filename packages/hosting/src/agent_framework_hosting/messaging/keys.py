"""Which conversation a message belongs to, and who said it, in the host's terms."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeAlias
from urllib.parse import quote

from ..types import ChannelIdentity, Principal
from .incoming import Incoming
from .platform import ChatPlatform

SessionKey: TypeAlias = Callable[[Incoming], str]
"""Chooses the session of a message: equal keys meet, from whichever channel."""

_PLAIN: Final = "@=+"


def session_key(platform: ChatPlatform, incoming: Incoming) -> str:
    """Return the session of a message: its chat, or the thread of it, and nobody else's.

    Everybody in a group shares its session. It begins with the channel's name and the bot's account, so that no chat of
    another platform, or of another bot, ever has the same.
    """
    return _joined(platform.name, platform.account, incoming.chat, incoming.thread)


def personal_key(platform: ChatPlatform, incoming: Incoming) -> str:
    """Return a session that each person has for themselves in a chat, for a channel's `key=`."""
    return f"{session_key(platform, incoming)}:by:{_quoted(incoming.sender.id)}"


def principal_of(platform: ChatPlatform, incoming: Incoming) -> Principal:
    """Return who said it, as the platform vouches for them."""
    return Principal(id=_joined(platform.name, platform.account, incoming.sender.id), kind="native")


def identity_of(platform: ChatPlatform, incoming: Incoming) -> ChannelIdentity:
    """Return how the channel knows them, for agents and hooks."""
    sender = incoming.sender
    known = {"username": sender.username, "name": sender.name, **sender.attributes}
    attributes = {name: value for name, value in known.items() if value is not None}
    return ChannelIdentity(platform.name, sender.id, {**attributes, "chat": incoming.chat, "group": incoming.is_group})


def _joined(*parts: str | None) -> str:
    return ":".join(_quoted(part) for part in parts if part is not None)


def _quoted(part: str) -> str:
    return quote(part, safe=_PLAIN)
