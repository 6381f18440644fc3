"""Answers to requests for approval, found in what a turn says: each can be used once in a conversation.

Agent Framework binds an answer to the session that asked. Branches have copies of that session, and each of them would
take the answer. So an answer is marked as used in the transaction that admits its turn, before the run; the first one
wins. A turn that fails afterwards leaves the mark, since what was approved may have been done.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from agent_framework import Content, Message

_ANSWER: Final = "function_approval_response"


def answer_ids(value: Any) -> Sequence[str]:
    """Return the ids of the requests that an input answers."""
    found: list[str] = []
    _find(value, found)
    return found or ()


def _find(value: Any, found: list[str]) -> None:
    if isinstance(value, str):
        return
    given: Any = value.contents if isinstance(value, Message) else [value] if isinstance(value, Content) else value
    items = given
    # Lists are asked for first: whether something else is a sequence takes a while to say.
    if isinstance(given, list) or (isinstance(given, Sequence) and not isinstance(given, bytes)):
        for item in items:
            if not isinstance(item, Content):
                _find(item, found)
            elif item.type == _ANSWER and isinstance(item.id, str):
                found.append(item.id)
