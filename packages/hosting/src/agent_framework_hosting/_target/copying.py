"""Copies of Agent Framework's messages."""

from __future__ import annotations

import copy
from typing import Final

from agent_framework import Message

_FIELDS: Final = {"role", "contents", "author_name", "message_id", "additional_properties", "raw_representation"}
_ARE_ALL: Final = set(vars(Message("user"))) == _FIELDS
"""Whether messages of the Agent Framework that is installed have these fields and no others."""


def shallow_copy(message: Message) -> Message:
    """Return a message of its own with the same fields.

    Every turn copies messages, and Agent Framework's `__copy__` looks for fields class by class: that is needed for
    subclasses only. Field by field neither message gets a dict of its own, which would make it five times as slow,
    have its fields found more slowly from then on, and be one more object to keep for each message of a conversation.
    """
    if type(message) is not Message or not _ARE_ALL:
        return copy.copy(message)
    own = Message.__new__(Message)
    own.role = message.role
    own.contents = message.contents
    own.author_name = message.author_name
    own.message_id = message.message_id
    own.additional_properties = message.additional_properties
    own.raw_representation = message.raw_representation
    return own
