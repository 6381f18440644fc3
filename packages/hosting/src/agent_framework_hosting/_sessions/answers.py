"""Answers to requests for approval, found in what a turn says: each can be used once in a conversation.

Agent Framework binds an answer to the session that asked. Branches have copies of that session, and each of them would
take the answer. So an answer is marked as used in the transaction that admits its turn, before the run; the first one
wins. A turn that fails afterwards leaves the mark, since what was approved may have been done.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from agent_framework import Content, Message


def answer_ids(value: Any) -> list[str]:
    """Return the ids of the requests that an input answers."""
    if isinstance(value, Message):
        return answer_ids(value.contents)
    if isinstance(value, Content):
        return [value.id] if value.type == "function_approval_response" and isinstance(value.id, str) else []
    if isinstance(value, list) or (isinstance(value, Sequence) and not isinstance(value, (str, bytes))):
        return [found for item in cast("Sequence[Any]", value) for found in answer_ids(item)]
    return []
