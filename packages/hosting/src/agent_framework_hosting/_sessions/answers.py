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


def _find(given: Any, found: list[str]) -> None:
    # An agent's own, or a hook's, may hold anything; whoever reads it says what is wrong with it.
    held: Any = given.contents if isinstance(given, Message) else given
    items = held
    # What an input mostly is comes first: whether something is a sequence takes a while to say.
    if isinstance(held, Content):
        if held.type == _ANSWER and isinstance(held.id, str):
            found.append(held.id)
    elif isinstance(held, list) or (isinstance(held, Sequence) and not isinstance(held, (str, bytes))):
        for item in items:
            if not isinstance(item, Content) or item.type == _ANSWER:
                _find(item, found)
