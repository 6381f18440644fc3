"""Answers to requests for approval, found in what a turn says: each can be used once in a conversation.

Agent Framework binds an answer to the session that asked. Branches have copies of that session, and each of them would
take the answer. So an answer is marked as used in the transaction that admits its turn, before the run; the first one
wins. A turn that fails afterwards leaves the mark, since what was approved may have been done.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, cast

from agent_framework import Content, Message

_ANSWER: Final = "function_approval_response"


def answer_ids(value: Any) -> list[str]:
    """Return the ids of the requests that an input answers."""
    if isinstance(value, str):
        return []
    if isinstance(value, Message):
        return _ids(value.contents)
    if isinstance(value, Content):
        return _ids([value])
    found: list[str] = []
    if isinstance(value, list) or (isinstance(value, Sequence) and not isinstance(value, bytes)):
        for item in cast("Sequence[Any]", value):
            found += answer_ids(item)
    return found


def _ids(contents: Sequence[Any]) -> list[str]:
    return [
        content.id
        for content in contents
        if isinstance(content, Content) and content.type == _ANSWER and isinstance(content.id, str)
    ]
