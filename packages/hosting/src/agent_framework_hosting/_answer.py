"""What is sent in answer to a request, and whether that has begun."""

from __future__ import annotations

from collections.abc import Awaitable

from starlette.types import Message, Send


class Answer:
    """Remembers whether anything was sent; an ASGI callable."""

    __slots__ = ("has_begun", "watched")

    def __init__(self, send: Send) -> None:
        self.watched = send
        self.has_begun: bool = False

    # Not a method of another name: each request would hold an object for it.
    def __call__(self, message: Message) -> Awaitable[None]:
        """Send a message."""
        self.has_begun = True
        return self.watched(message)


def answer_by(send: Send) -> Answer:
    """Return what is sent by `send`, watched: that itself when it is watched already, and nobody stands before it."""
    return send if isinstance(send, Answer) else Answer(send)


def parts_by(send: Send) -> Send:
    """Return what parts of a body may be sent by that has begun, and that go on: they tell nobody anything."""
    return send.watched if isinstance(send, Answer) else send
