"""Copies of Agent Framework's messages."""

from __future__ import annotations

import copy

from agent_framework import Message


def shallow_copy(message: Message) -> Message:
    """Return a message of its own with the same fields.

    Every turn copies messages, and Agent Framework's `__copy__` looks for fields class by class: that is five times as
    slow, and needed for subclasses only.
    """
    if type(message) is not Message:
        return copy.copy(message)
    own = Message.__new__(Message)
    vars(own).update(vars(message))
    return own
