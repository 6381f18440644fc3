"""A chat platform's server, played: for channels whose answers are calls to somebody else's API."""

from __future__ import annotations

import asyncio
import inspect
import json as jsonlib
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Literal, Self, TypeAlias, cast

from starlette.datastructures import Headers
from starlette.types import Receive, Scope, Send

from ._gate import TIMEOUT, Bell, Gate
from ._loopback import LoopbackDriver
from ._payload import Payload, PlatformFile, read_payload


@dataclass(frozen=True, slots=True)
class PlatformReply:
    """What a platform answers to a call; `json` is sent as JSON, otherwise `body` as it is."""

    status: int = 200
    json: Any = None
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict[str, str])


class Cut(Enum):
    """The connection ends without a whole answer, and the caller does not know what was done."""

    UNDONE = "nothing was done"
    DONE = "it was done all the same"


@dataclass(kw_only=True, eq=False)
class PlatformCall:
    """One call that reached the platform: what came over the wire, and what became of it.

    `outcome` is `open` until it is `answered`, `cut` (on purpose) or `abandoned` (the caller hung up, or the server was
    stopped).
    """

    index: int
    """Which call it was, of all methods; the first is 0."""
    method: str
    """The platform's method, as `PlatformServer.method_of` names it."""
    verb: str
    """The HTTP method."""
    path: str
    headers: Headers
    body: bytes
    at: float
    """When it came, on the server's clock."""
    params: Mapping[str, Any]
    """The fields: of the query, of a form, or of a JSON object."""
    files: Mapping[str, PlatformFile]
    json: Any = None
    """The body, when it was JSON."""
    reply: PlatformReply | None = None
    outcome: Literal["open", "answered", "cut", "abandoned"] = "open"
    bell: Bell = field(repr=False)

    def __repr__(self) -> str:
        return f"<{self.method} #{self.index} {self.outcome} {dict(self.params)}>"

    async def wait_ended(self, *, timeout: float = TIMEOUT) -> PlatformReply | None:
        """Wait until it has been answered, cut or abandoned; return the reply, if there was one."""
        await self.bell.until(lambda: self.outcome != "open", waiting_for=f"{self!r} to end", timeout=timeout)
        return self.reply


Play: TypeAlias = PlatformReply | Cut | Gate | Callable[[PlatformCall], "PlatformReply | Awaitable[PlatformReply]"]
"""What happens to one call instead of the ordinary answer, or (a gate) before it."""

Where: TypeAlias = Callable[[PlatformCall], bool]
"""Which calls are meant."""


class PlatformServer:
    """Plays a chat platform on a free port of 127.0.0.1, records each call in order, and answers as told.

    A subclass says what its platform does: `answer` (with its effects), `error` (how it says no), `method_of` (which
    method a path means). A test says what goes wrong: `script`. Whoever waits, waits for calls: `call`, `wait_calls`.
    Use it as `with` or `async with`; an exception in the fake itself is raised when it is left. Needs the `[serve]`
    extra.

    Args:
        clock: What `PlatformCall.at` is read from: `FakeClock().time`, for example.
        timeout: Guards every wait, in seconds.

    Example:
        >>> import json
        >>> from urllib.request import Request, urlopen
        >>> from agent_framework_hosting.testing import PlatformCall, PlatformReply, PlatformServer
        >>> class Chat(PlatformServer):
        ...     def answer(self, call: PlatformCall) -> PlatformReply:
        ...         return PlatformReply(json={"ok": True, "id": call.index})
        >>> with Chat() as chat:
        ...     chat.script("say", chat.too_many(retry_after=3))
        ...     for text in ("one", "two"):
        ...         body = json.dumps({"text": text}).encode()
        ...         request = Request(f"{chat.base_url}/say", body, {"content-type": "application/json"})
        ...         try:
        ...             print(urlopen(request).read())
        ...         except OSError as error:
        ...             print(error.status, error.headers["retry-after"])
        ...             error.close()
        ...     print(chat.calls)
        429 3
        b'{"ok": true, "id": 1}'
        [<say #0 answered {'text': 'one'}>, <say #1 answered {'text': 'two'}>]
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic, timeout: float = TIMEOUT) -> None:
        self.bell: Bell = Bell()
        """Rings at every change. A subclass whose `answer` waits for something of its own rings it after changing it:
        `await self.bell.until(lambda: self.updates, waiting_for="an update", timeout=None)`."""
        self._clock = clock
        self._timeout = timeout
        self._driver = LoopbackDriver(self._serve, lifespan=False, timeout=timeout)
        self._calls: list[PlatformCall] = []
        self._returned: set[int] = set()
        self._scripts: dict[str, deque[list[Play]]] = {}
        self._answering: dict[asyncio.Task[PlatformReply | Cut], asyncio.AbstractEventLoop] = {}
        self._stopping = False

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.base_url} calls={len(self._calls)}>"

    # ------------------------------------------------------------------------------------- what a subclass says

    def method_of(self, verb: str, path: str) -> str:  # noqa: ARG002 - a subclass may need the verb
        """Return the platform's name for what is called: the last part of the path."""
        return path.rstrip("/").rpartition("/")[2]

    def answer(self, call: PlatformCall) -> PlatformReply | Awaitable[PlatformReply]:  # noqa: ARG002 - to be overridden
        """Do what is asked and answer it; plain or async. It runs in the server's thread."""
        return PlatformReply(json={"ok": True})

    def error(self, status: int, message: str, *, retry_after: float | None = None) -> PlatformReply:
        """Return how the platform says no."""
        headers = {} if retry_after is None else {"retry-after": f"{retry_after:g}"}
        return PlatformReply(status, json={"error": {"message": message}}, headers=headers)

    # ------------------------------------------------------------------------------------------ what a test says

    def too_many(self, *, retry_after: float) -> PlatformReply:
        """Return how the platform says that it is called too often."""
        return self.error(429, f"Too Many Requests: retry after {retry_after:g}", retry_after=retry_after)

    def script(self, method: str, *plays: Play | list[Play]) -> None:
        """Say what happens to the next calls of a method, one item for each; later calls are answered as ever.

        An item is a reply; a `Cut`; a `Gate`, behind which the call is answered as ever (so that a later call is
        answered first); a function from the call to a reply; or several in a row, such as `[gate, chat.error(500,
        "no")]`.
        """
        queue = self._scripts.setdefault(method, deque())
        queue.extend(cast("list[Play]", play) if isinstance(play, list) else [play] for play in plays)

    @property
    def base_url(self) -> str:
        """Where the platform listens, without a slash at its end."""
        return self._driver.base_url

    @property
    def calls(self) -> list[PlatformCall]:
        """All calls so far, in the order in which they came."""
        return list(self._calls)

    def calls_to(self, method: str | None = None, *, where: Where | None = None) -> list[PlatformCall]:
        """Return the calls so far: of one method, and only those for which `where(call)` is true."""
        return [call for call in self._calls if method in {None, call.method} and (where is None or where(call))]

    async def call(
        self, method: str | None = None, *, where: Where | None = None, timeout: float | None = None
    ) -> PlatformCall:
        """Return the next such call that this did not return before; wait for it if need be."""

        def fresh() -> list[PlatformCall]:
            return [call for call in self.calls_to(method, where=where) if call.index not in self._returned]

        await self._until(lambda: bool(fresh()), f"a call of {method or 'any method'}", timeout)
        found = fresh()[0]
        self._returned.add(found.index)
        return found

    async def wait_calls(
        self, count: int, method: str | None = None, *, where: Where | None = None, timeout: float | None = None
    ) -> list[PlatformCall]:
        """Wait until so many such calls have come, and return them all."""
        await self._until(
            lambda: len(self.calls_to(method, where=where)) >= count,
            f"{count} call(s) of {method or 'any method'}",
            timeout,
        )
        return self.calls_to(method, where=where)

    async def _until(self, met: Callable[[], bool], waiting_for: str, timeout: float | None) -> None:
        try:
            await self.bell.until(met, waiting_for=waiting_for, timeout=self._timeout if timeout is None else timeout)
        except TimeoutError as error:
            raise TimeoutError(f"{error} These came: {self._calls}") from None

    # ------------------------------------------------------------------------------------------------ the server

    def __enter__(self) -> Self:
        self._driver.__enter__()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._stopping = True
        for task, loop in list(self._answering.items()):
            loop.call_soon_threadsafe(task.cancel)
        self._driver.__exit__(*exc_info)
        if self._driver.errors and exc_info[0] is None:
            raise self._driver.errors[0]

    async def __aenter__(self) -> Self:
        return await asyncio.to_thread(self.__enter__)

    async def __aexit__(self, *exc_info: object) -> None:
        await asyncio.to_thread(self.__exit__, *exc_info)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = await _body(receive)
        if body is None:
            return
        call, refusal = self._recorded(scope, body)
        answering = asyncio.ensure_future(self._play(call, refusal))
        self._answering[answering] = asyncio.get_running_loop()
        if self._stopping:
            # The call came after the others had been told.
            answering.cancel()
        leaving = asyncio.ensure_future(receive())
        try:
            await asyncio.wait({answering, leaving}, return_when=asyncio.FIRST_COMPLETED)
            if not answering.done():
                answering.cancel()
                await asyncio.wait({answering})
            if not answering.cancelled():
                await self._send(call, answering.result(), send)
        finally:
            leaving.cancel()
            del self._answering[answering]
            if call.outcome == "open":
                call.outcome = "abandoned"
            self.bell.ring()

    def _recorded(self, scope: Scope, body: bytes) -> tuple[PlatformCall, PlatformReply | None]:
        headers = Headers(raw=scope["headers"])
        refusal = None
        try:
            payload = read_payload(query=scope["query_string"].decode(), headers=headers, body=body)
        except ValueError as error:
            payload, refusal = Payload(), self.error(400, f"Bad Request: {error}")
        call = PlatformCall(
            index=len(self._calls),
            method=self.method_of(scope["method"], scope["path"]),
            verb=scope["method"],
            path=scope["path"],
            headers=headers,
            body=body,
            at=self._clock(),
            params=payload.params,
            files=payload.files,
            json=payload.json,
            bell=self.bell,
        )
        self._calls.append(call)
        self.bell.ring()
        return call, refusal

    async def _play(self, call: PlatformCall, refusal: PlatformReply | None) -> PlatformReply | Cut:
        queue = self._scripts.get(call.method)
        for play in queue.popleft() if queue else ():
            match play:
                case Gate():
                    await play.wait()
                case Cut.DONE:
                    await _value(self.answer(call))
                    return play
                case Cut.UNDONE | PlatformReply():
                    return play
                case _:
                    return await _value(play(call))
        return refusal or await _value(self.answer(call))

    async def _send(self, call: PlatformCall, reply: PlatformReply | Cut, send: Send) -> None:
        if isinstance(reply, Cut):
            # A body that was announced and does not come makes the server close the connection.
            await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"1")]})
            call.outcome = "cut"
            return
        implied = {} if reply.json is None else {"content-type": "application/json"}
        body = reply.body if reply.json is None else jsonlib.dumps(reply.json).encode()
        headers = {"content-length": str(len(body)), **implied, **reply.headers}
        raw = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
        # Told before it is sent: who reads the answer finds the record complete.
        call.reply, call.outcome = reply, "answered"
        await send({"type": "http.response.start", "status": reply.status, "headers": raw})
        await send({"type": "http.response.body", "body": body})


async def _body(receive: Receive) -> bytes | None:
    body = b""
    while (message := await receive())["type"] == "http.request":
        body += message.get("body", b"")
        if not message.get("more_body", False):
            return body
    return None


async def _value(answer: PlatformReply | Awaitable[PlatformReply]) -> PlatformReply:
    return await answer if inspect.isawaitable(answer) else answer
