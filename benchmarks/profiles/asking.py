"""Asks an ASGI app in its own process: what stands for the server is as small as it can be."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Any, Final

from starlette.types import ASGIApp, Message, Scope

from ..answers import WrongAnswer
from ..systems import KEY

WHOLE: Final = b'{"model":"stub","input":"Say something."}'
STREAM: Final = b'{"model":"stub","input":"Say something.","stream":true}'
PATH: Final = "/responses"
_NO_MORE: Final[Mapping[bytes, bytes]] = {}


class Asked:
    """One request, and what has come of it so far."""

    __slots__ = ("_awaited", "_body", "_left", "_parts", "_start", "first_at")

    def __init__(self, body: bytes) -> None:
        self.first_at: float | None = None
        self._body: bytes | None = body
        self._left: asyncio.Event | None = None
        self._parts: list[bytes] = []
        self._start: Message = {}
        self._awaited: tuple[bytes, asyncio.Event] | None = None

    def leave(self) -> None:
        """Close the connection, as a client does."""
        self._left = self._left or asyncio.Event()
        self._left.set()

    @property
    def status(self) -> int | None:
        """The answer's status, once it has begun."""
        return self._start.get("status")

    @property
    def headers(self) -> dict[bytes, bytes]:
        """The answer's headers."""
        return dict(self._start.get("headers", ()))

    @property
    def body(self) -> bytes:
        """What has come of the answer's body."""
        return b"".join(self._parts)

    def right_body(self) -> bytes:
        """Return the body of an answer that succeeded.

        Raises:
            WrongAnswer: It did not.
        """
        if self.status != 200:
            raise WrongAnswer(f"The answer is a {self.status}: {self.body[:500]!r}")
        return self.body

    async def has_got(self, part: bytes) -> None:
        """Wait until this part has come."""
        has_come = asyncio.Event()
        self._awaited = part, has_come
        await has_come.wait()

    async def receive(self) -> Message:
        """Be the ASGI callable that hands out the request."""
        if self._body is not None:
            body, self._body = self._body, None
            return {"type": "http.request", "body": body, "more_body": False}
        self._left = self._left or asyncio.Event()
        await self._left.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        """Be the ASGI callable that takes the answer."""
        if message["type"] == "http.response.start":
            self._start = message
        else:
            if self.first_at is None:
                self.first_at = time.perf_counter()
            self._parts.append(message.get("body", b""))
            if self._awaited is not None and message.get("body") == self._awaited[0]:
                self._awaited[1].set()


def scope(
    body: bytes, *, key: str = KEY, method: str = "POST", path: str = PATH, headers: Mapping[bytes, bytes] = _NO_MORE
) -> Scope:
    """Return the scope of a request, as a server makes it; `headers` are more of them, or others."""
    usual = {
        b"host": b"127.0.0.1:8000",
        b"authorization": b"Bearer " + key.encode(),
        b"content-type": b"application/json",
        b"content-length": str(len(body)).encode(),
    }
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "server": ("127.0.0.1", 8000),
        "client": ("127.0.0.1", 50000),
        "scheme": "http",
        "method": method,
        "root_path": "",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": list((usual | dict(headers)).items()),
        "state": dict[str, Any](),
    }


async def ask(
    app: ASGIApp,
    body: bytes,
    *,
    key: str = KEY,
    method: str = "POST",
    path: str = PATH,
    headers: Mapping[bytes, bytes] = _NO_MORE,
) -> Asked:
    """Ask once, and return what came."""
    asked = Asked(body)
    await app(scope(body, key=key, method=method, path=path, headers=headers), asked.receive, asked.send)
    return asked
