"""Answers to requests for approval: each is used once in a conversation, whatever branch it is given in.

Agent Framework binds an answer to the session that asked. Branches have copies of that session, and each of them would
take the answer. So an answer is marked as used when its turn is admitted, before the run; the first one wins. A turn
that fails afterwards leaves the mark, since what was approved may have been done.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, cast

from agent_framework import Content, Message

from .._state.turns import Conversation, TurnStore
from ..errors import AnsweredAlready


class Answers:
    """The answers that one turn brings."""

    __slots__ = ("_conversation", "_ids", "_turns")

    def __init__(self, turns: TurnStore, conversation: Conversation) -> None:
        self._turns = turns
        self._conversation = conversation
        self._ids: frozenset[str] = frozenset()

    async def use(self, ids: Iterable[str]) -> None:
        """Mark them as used.

        Raises:
            AnsweredAlready: One of them is used; then none is marked.
        """
        wanted = frozenset(ids)
        if wanted and not await self._turns.use_answers(self._conversation, wanted):
            raise AnsweredAlready
        self._ids = wanted

    def keep(self) -> None:
        """Let the marks stand: the run begins."""
        self._ids = frozenset()

    def give_back(self) -> None:
        """Take the marks back, unless the run has begun; idempotent."""
        if self._ids:
            self._turns.give_back_answers(self._conversation, self._ids)
            self._ids = frozenset()


def answer_ids(value: Any) -> list[str]:
    """Return the ids of the requests that an input answers."""
    if isinstance(value, Message):
        return answer_ids(value.contents)
    if isinstance(value, Content):
        return [value.id] if value.type == "function_approval_response" and isinstance(value.id, str) else []
    if isinstance(value, Sequence) and not isinstance(value, (str, bytes)):
        return [found for item in cast("Sequence[Any]", value) for found in answer_ids(item)]
    return []
