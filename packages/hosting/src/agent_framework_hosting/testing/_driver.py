"""The one interface of both drivers: send a request to an app, read the answer whole or as it comes."""

from __future__ import annotations

import asyncio
import json as jsonlib
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Awaitable, Iterable, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final, Self, TypeAlias, TypeVar

from starlette.datastructures import Headers

from ._gate import TIMEOUT
from ._iterate import each
from ._sse import ServerSentEvent, events_from, load_json, read_events

T = TypeVar("T")

Body: TypeAlias = bytes | Iterable[bytes] | AsyncIterable[bytes]
"""A request body: at once, or chunk by chunk."""

WINDOW: Final = 64 * 1024
"""How far an app may run ahead of its reader when nobody says otherwise; what asyncio's own transports buffer."""

_SHOWN: Final = 500


class AnswerCut(ConnectionError):
    """The connection ended before the answer did."""


@dataclass(frozen=True, slots=True, repr=False)
class Answer:
    """A whole answer."""

    status: int
    headers: Headers
    body: bytes

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode()

    def json(self) -> Any:
        """Return the body as JSON; `NaN` and `Infinity` are refused."""
        return load_json(self.body)

    def events(self) -> list[ServerSentEvent]:
        """Return the Server-Sent Events in the body."""
        return events_from(self.body)

    def __repr__(self) -> str:
        more = "..." if len(self.body) > _SHOWN else ""
        return f"<Answer {self.status} {self.headers.get('content-type', '-')} {self.body[:_SHOWN]!r}{more}>"


class StreamedAnswer(ABC):
    """An answer whose body is read as it comes: iterate over it, or take one chunk with `await anext(answer)`.

    Over sockets a chunk is what one read gives; in memory it is exactly what the app sent at once.
    """

    def __init__(self, status: int, headers: Headers, *, timeout: float, name: str) -> None:
        self.status = status
        self.headers = headers
        self._timeout = timeout
        self._name = name

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.status} of {self._name}>"

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        chunk = await in_time(self._next(), self._timeout, f"the next bytes of {self._name}")
        if chunk is None:
            raise StopAsyncIteration
        return chunk

    async def read(self) -> bytes:
        """Return all that is left of the body."""
        return b"".join([chunk async for chunk in self])

    def events(self) -> AsyncIterator[ServerSentEvent]:
        """Return the Server-Sent Events of the body as they come; to be called once."""
        return read_events(self)

    @abstractmethod
    async def disconnect(self) -> None:
        """Hang up, at any point of the answer; nothing more can be read. Idempotent."""

    @abstractmethod
    async def _next(self) -> bytes | None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class OutgoingRequest:
    """A request as it goes to the app; `target` is the path with its query, `body` comes chunk by chunk."""

    method: str
    target: str
    headers: list[tuple[bytes, bytes]]
    body: AsyncGenerator[bytes]
    window: int | None

    @property
    def name(self) -> str:
        """How messages call it."""
        return f"{self.method} {self.target}"


class Driver(ABC):
    """Sends requests to an app; use it as `async with driver:`.

    `base_url` has no slash at its end. `errors` holds the exceptions that the app raised, oldest first; they are
    logged too. `timeout` guards every wait: no answer or no next chunk within that time is a `TimeoutError`.
    """

    base_url: str

    def __init__(self, *, timeout: float = TIMEOUT) -> None:
        self.timeout = timeout
        self.errors: list[BaseException] = []

    @abstractmethod
    async def __aenter__(self) -> Self: ...

    @abstractmethod
    async def __aexit__(self, *exc_info: object) -> None: ...

    async def request(
        self,
        method: str,
        path: str,
        *,
        json: Any = None,
        body: Body | None = None,
        headers: Mapping[str, str] | Sequence[tuple[str, str]] = (),
    ) -> Answer:
        """Send a request and return its whole answer.

        Args:
            method: The HTTP method.
            path: The path, with its query if there is one.
            json: A body, as a value that JSON can carry.
            body: A body as bytes; chunks are sent one by one, without announcing a length.
            headers: Further headers; they win over those that follow from the body.

        Raises:
            AnswerCut: The connection ended before the answer did.
            TimeoutError: The app was silent for `timeout` seconds.
        """
        async with self.stream(method, path, json=json, body=body, headers=headers) as answer:
            return Answer(answer.status, answer.headers, await answer.read())

    @asynccontextmanager
    async def stream(
        self,
        method: str,
        path: str,
        *,
        json: Any = None,
        body: Body | None = None,
        headers: Mapping[str, str] | Sequence[tuple[str, str]] = (),
        window: int | None = WINDOW,
    ) -> AsyncGenerator[StreamedAnswer]:
        """Send a request and enter the block as soon as the answer's status is there; leaving it disconnects.

        Who does not read is a stalled reader: the app can send `window` bytes ahead of it (in memory exactly so;
        over sockets the kernel's buffers come on top), then its `send` waits. `window=0` takes a chunk only when it
        is read, `None` takes all.
        """
        request = OutgoingRequest(
            method=method.upper(),
            target=path,
            headers=self._headers(method.upper(), json, body, headers),
            body=_chunks(json, body),
            window=window,
        )
        answer = await in_time(self._open(request), self.timeout, f"the answer to {request.name}")
        try:
            yield answer
        finally:
            await answer.disconnect()

    @abstractmethod
    async def _open(self, request: OutgoingRequest) -> StreamedAnswer:
        """Send the request and return once status and headers are there; hang up when that is cancelled."""

    def _headers(
        self,
        method: str,
        json: Any,
        body: Body | None,
        headers: Mapping[str, str] | Sequence[tuple[str, str]],
    ) -> list[tuple[bytes, bytes]]:
        given = list(headers.items() if isinstance(headers, Mapping) else headers)
        names = {name.lower() for name, _ in given}
        implied = {"host": self.base_url.partition("://")[2]}
        if json is not None:
            implied["content-type"] = "application/json"
        if not names & {"content-length", "transfer-encoding"}:
            implied |= _framing(method, json, body)
        everything = [(name, value) for name, value in implied.items() if name not in names] + given
        return [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in everything]


def _framing(method: str, json: Any, body: Body | None) -> dict[str, str]:
    if json is not None:
        return {"content-length": str(len(_encoded(json)))}
    if isinstance(body, bytes):
        return {"content-length": str(len(body))}
    if body is not None:
        return {"transfer-encoding": "chunked"}
    return {"content-length": "0"} if method in {"POST", "PUT", "PATCH"} else {}


def _encoded(json: Any) -> bytes:
    return jsonlib.dumps(json, ensure_ascii=False).encode()


async def _chunks(json: Any, body: Body | None) -> AsyncGenerator[bytes]:
    if json is not None and body is not None:
        raise ValueError("A request has either json= or body=, not both.")
    if json is not None:
        yield _encoded(json)
    elif isinstance(body, bytes):
        yield body
    elif body is not None:
        async with aclosing(each(body)) as chunks:
            async for chunk in chunks:
                yield chunk


async def in_time(work: Awaitable[T], timeout: float, waiting_for: str) -> T:
    """Return what `work` gives, or raise a `TimeoutError` that names what was waited for."""
    limit = asyncio.timeout(timeout)
    try:
        async with limit:
            return await work
    except TimeoutError as error:
        if not limit.expired():
            raise
        raise TimeoutError(f"Waited {timeout:g} s for {waiting_for}, in vain.") from error
