"""What the offline model sees of a conversation, read from Agent Framework's messages."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from agent_framework import Content, Message

from ._attachments import describe, listed


@dataclass(frozen=True, slots=True)
class ToolResult:
    """What a function answered."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Conversation:
    """The user's side of a conversation, and the tool work of its newest turn.

    Args:
        said: Everything that the user said, oldest first; the last one is to be answered.
        attached: Descriptions of the images and files that came with it.
        called: How many function calls the newest turn has made already.
        results: What they answered.
        late_results: What calls of the turn before answered, when those answers came together with new words.
    """

    said: tuple[str, ...] = ()
    attached: tuple[str, ...] = ()
    called: int = 0
    results: tuple[ToolResult, ...] = ()
    late_results: tuple[ToolResult, ...] = ()

    @property
    def request(self) -> str:
        """What the user said last; empty when there was no text."""
        return self.said[-1] if self.said else ""

    @property
    def earlier(self) -> tuple[str, ...]:
        """What the user said before that, in words."""
        return tuple(text for text in self.said[:-1] if text)


def read(messages: Sequence[Message]) -> Conversation:
    """Read a conversation; pure, and linear in its size."""
    names = {content.call_id: content.name or "" for content in _contents(messages, "function_call")}
    newest = _last_index(messages, role="user")
    turn = messages[newest:]
    before = messages[:newest]
    results = _results(turn, names)
    calls = sum(1 for _ in _contents(turn, "function_call"))
    return Conversation(
        said=tuple(_text(message) for message in messages if message.role == "user"),
        attached=describe(_sent_together(messages, newest)),
        called=max(calls, len(results)),
        results=results,
        late_results=_results(before[_last_index(before, role="assistant") :], names),
    )


def _last_index(messages: Sequence[Message], *, role: str) -> int:
    """Return where the last message of this role is; the start when there is none."""
    return next((index for index in range(len(messages) - 1, -1, -1) if messages[index].role == role), 0)


def _sent_together(messages: Sequence[Message], newest: int) -> Iterator[Content]:
    """Return the contents of the user's newest message, and of those that came right before it."""
    first = newest
    while first > 0 and messages[first - 1].role == "user":
        first -= 1
    return (
        content for message in messages[first : newest + 1] if message.role == "user" for content in message.contents
    )


def _results(messages: Sequence[Message], names: dict[str | None, str]) -> tuple[ToolResult, ...]:
    return tuple(
        ToolResult(name=names.get(content.call_id, ""), text=_result_text(content))
        for content in _contents(messages, "function_result")
    )


def _result_text(content: Content) -> str:
    """Return what a function answered in words, with the images and files that came along named."""
    attached = describe(content.items or ())
    return " ".join(filter(None, [str(content.result or ""), f"[{listed(attached)}]" if attached else ""]))


def _contents(messages: Sequence[Message], kind: str) -> Iterator[Content]:
    return (content for message in messages for content in message.contents if content.type == kind)


def _text(message: Message) -> str:
    """Return the text of a message as it was sent; `Message.text` would put spaces between its parts."""
    return "".join(content.text or "" for content in message.contents if content.type == "text")
