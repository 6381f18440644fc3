"""One request and its answer between an app and a reader in the same event loop; no app and no task is known here."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

from starlette.types import Message


class Exchange:
    """What a server holds between an app and its reader, and who waits for whom.

    The app's side is `receive` and `send`, the reader's side `wait_status`, `next_chunk` and `hang_up`. As with a
    real server, a `send` waits while more than `window` bytes are unread, and `receive` tells of a disconnect once
    the answer is complete or the reader is gone.

    Args:
        method: The request's method.
        body: The request's body; pulled chunk by chunk, as the app receives it.
        window: How many bytes may lie unread; `None` for any number.
        refuse_late: Whether a `send` after a disconnect raises `OSError` instead of being dropped.
    """

    def __init__(self, *, method: str, body: AsyncGenerator[bytes], window: int | None, refuse_late: bool) -> None:
        self.status: int | None = None
        self.headers: list[tuple[bytes, bytes]] = []
        self.complete = False
        self._method = method
        self._body = body
        self._window = window
        self._refuse_late = refuse_late
        self._uploaded: deque[Message] = deque()
        self._upload_done = False
        self._chunks: deque[bytes] = deque()
        self._unread = 0
        self._gone = False
        self._cause: BaseException | None = None
        self._app_ended = False
        self._news = asyncio.Event()

    async def upload(self) -> None:
        """Move the request's body to where the app receives it, one chunk at a time."""
        async with aclosing(self._body) as chunks:
            async for chunk in chunks:
                await self._offer({"type": "http.request", "body": chunk, "more_body": True})
        await self._offer({"type": "http.request", "body": b"", "more_body": False})

    async def _offer(self, message: Message) -> None:
        self._uploaded.append(message)
        self._news.set()
        await self._until(lambda: not self._uploaded)

    async def receive(self) -> Message:
        """Return the next message of the request; the app calls this."""
        await self._until(lambda: bool(self._uploaded) or self._gone or self.complete)
        if self._gone or self.complete:
            return {"type": "http.disconnect"}
        self._news.set()
        return self._uploaded.popleft()

    async def send(self, message: Message) -> None:
        """Take a message of the answer; the app calls this."""
        if self._gone:
            if self._refuse_late:
                raise OSError("The client has disconnected.")
            return
        match message["type"]:
            case "http.response.start" if self.status is None:
                self.status, self.headers = message["status"], list(message.get("headers", ()))
            case "http.response.body" if self.status is not None and not self.complete:
                self._take(message.get("body", b""))
                self.complete = not message.get("more_body", False)
            case other:
                raise RuntimeError(f"An app must not send {other!r} at this point of an answer.")
        self._news.set()
        await self._until(lambda: self._gone or self._window is None or self._unread <= self._window)

    def _take(self, chunk: bytes) -> None:
        if chunk and self._method != "HEAD":
            self._chunks.append(bytes(chunk))
            self._unread += len(chunk)

    def app_ended(self) -> None:
        """Note that the app has returned or raised; one that sent no answer has failed, which is a plain 500."""
        self._app_ended = True
        if self.status is None:
            self.status, self.headers, self.complete = 500, [(b"content-length", b"0")], True
        self._news.set()

    async def wait_status(self) -> int:
        """Return the answer's status as soon as it is there.

        Raises:
            EOFError: The reader hung up first.
        """
        await self._until(lambda: self.status is not None or self._gone)
        if self._cause:
            raise self._cause
        if self.status is None:
            raise EOFError
        return self.status

    async def next_chunk(self) -> bytes | None:
        """Return the next chunk of the answer, `None` behind the last.

        Raises:
            EOFError: The app ended without completing its answer.
        """
        await self._until(lambda: bool(self._chunks) or self.complete or self._gone or self._app_ended)
        if self._cause:
            raise self._cause
        if self._gone:
            return None
        if self._chunks:
            chunk = self._chunks.popleft()
            self._unread -= len(chunk)
            self._news.set()
            return chunk
        if not self.complete:
            raise EOFError
        return None

    def hang_up(self, *, because: BaseException | None = None) -> None:
        """Disconnect the reader; `because` of an error, it is raised to the reader."""
        self._gone = True
        self._cause = because
        self._news.set()

    async def _until(self, met: Callable[[], bool]) -> None:
        while not met():
            self._news.clear()
            await self._news.wait()
