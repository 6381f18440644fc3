"""Answers to requests whose body has not arrived yet."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Final

import msgspec
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LINGER: Final = 5.0
"""Seconds for a client to finish sending what will not be read."""


class Upload(msgspec.Struct, eq=False):
    """The body of a request, which may be answered before it has arrived; called to receive what comes next.

    Args:
        receive: The server's.
        is_over: Whether all of it has come.
    """

    receive: Receive
    is_over: bool = False

    def __call__(self) -> Awaitable[Message]:
        """Return what comes next; the ASGI callable."""
        # Whoever has the whole body waits here until the client leaves, and that may be long.
        return self.receive() if self.is_over else self._next()

    async def pass_over(self) -> None:
        """Let the client finish sending, within a bounded time, and keep nothing of it."""
        try:
            async with asyncio.timeout(LINGER):
                while not self.is_over:
                    await self._next()
        except TimeoutError:
            return

    async def _next(self) -> Message:
        message = await self.receive()
        self.is_over = not message.get("more_body", False)
        return message


async def answer_early(answer: ASGIApp, scope: Scope, send: Send, *, upload: Upload) -> None:
    """Send an answer at once; the connection is left open for what the client is still sending.

    Otherwise the server would reset it, and most clients would report that instead of what they were told.
    """

    async def held_open(message: Message) -> None:
        is_last = message["type"] == "http.response.body" and not message.get("more_body", False)
        if not is_last or upload.is_over:
            await send(message)
            return
        await send({**message, "more_body": True})
        await upload.pass_over()
        await send({"type": "http.response.body", "body": b""})

    await answer(scope, upload, held_open)
