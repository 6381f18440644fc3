"""What every channel's accumulator shares: where messages begin, who may speak, and what is told of the whole answer.

Rules of this file:
1. Messages begin where core's `AgentResponse.from_updates` begins them, so that a stream and an answer that is not
   streamed say the same.
2. Only the assistant speaks; a tool's message carries results.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

from agent_framework import AgentResponse

from .halves import Halves
from .pieces import replaces
from .reading import text_of
from .usage import UsageTally


class Accumulator(ABC):
    """Takes updates, or a whole response, and hands on what they say, content by content.

    A subclass says what becomes of a content (`take_content`), of a message that is restated (`restate`), and of what
    is open when a new message begins (`begin_message`).
    """

    OF_TOOLS: ClassVar[frozenset[str]]
    """Kinds of contents that the message of a tool may carry."""

    def __init__(self) -> None:
        self.usage: UsageTally = UsageTally()
        self.finish_reason: str = ""
        self.message_id: str = ""
        self.author: str = ""
        self.role: str = "assistant"
        self.message: int = 0
        """Which message it is; the first is 1."""
        self.is_restating: bool = False
        """Whether what is taken stands for what the message has said already."""
        self.halves: Halves = Halves()

    @abstractmethod
    def begin_message(self) -> None:
        """End what the last message left open."""

    @abstractmethod
    def take_content(self, content: Any, kind: str) -> None:
        """Add a content of the assistant's, or one that a tool's message may carry."""

    @abstractmethod
    def restate(self, contents: Sequence[Any]) -> None:
        """Add what is missing, now that the contents stand for all that the message has said."""

    def take_update(self, update: Any) -> None:
        """Add a streamed update."""
        self.follow(update)
        self.finish_reason = text_of(update, "finish_reason") or self.finish_reason
        if replaces(update) and self.role == "assistant":
            # What it stands for has the half in it, too.
            self.halves.held = None
            self.is_restating = True
            self.restate(self.halves.contents_of(update))
            self.is_restating = False
            return
        for content in self.halves.contents_of(update):
            self.add(content)

    def take_response(self, response: AgentResponse[Any]) -> None:
        """Add a whole response."""
        for message in response.messages:
            self._begin(text_of(message, "role") or "assistant")
            for content in self.halves.contents_of(message):
                self.add(content)
        if response.usage_details is not None:
            self.usage.add(response.usage_details, replaces=True)
        self.finish_reason = text_of(response, "finish_reason")

    def release(self) -> None:
        """Add the half of a character that was held back, if there is one: nothing follows it any more."""
        for content in self.halves.released():
            self.add(content)

    def add(self, content: Any) -> None:
        """Add a content, if whoever says it may."""
        kind = kind_of(content)
        if kind == "usage":
            self.usage.add(getattr(content, "usage_details", None), replaces=replaces(content))
        elif self.role == "assistant" or (self.role == "tool" and kind in self.OF_TOOLS):
            self.take_content(content, kind)

    def follow(self, update: Any) -> None:
        """Take notice of whose an update is, and of the message that it begins; it may be told twice."""
        role, author = text_of(update, "role"), text_of(update, "author_name")
        message_id = text_of(update, "message_id")
        is_new = (
            (message_id and self.message_id and message_id != self.message_id)
            or (author and self.author and author != self.author)
            or (role and role != self.role)
            or self.message == 0
        )
        if is_new:
            self._begin("assistant")
        self.role = role or self.role
        self.author = author or self.author
        self.message_id = message_id or self.message_id

    def _begin(self, role: str) -> None:
        if self.halves.held is not None:
            self.release()
        self.message += 1
        self.role = role
        self.author = self.message_id = ""
        self.begin_message()


def kind_of(content: Any) -> str:
    """Return a content's kind, and of what is no content the name of its type."""
    return text_of(content, "type") or type(content).__name__
