"""The bare callable, and on top of it, one by one, what a host has to do and it does not: by hand, short as can be.

No layers, no channels, no hooks, no store but a dictionary: what a request costs here is the least that it costs in any
host with these duties. Each rung is taken with all those before it, and `proofs` holds it to its duty.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import os
import time
from collections.abc import Iterable, Mapping
from typing import Any, Final, cast

import msgspec
from agent_framework import Content, Message
from starlette.types import Receive, Scope, Send

from ..limits import EVENT_STREAM, Answer, message, response_object, send_coalesced
from ..systems import KEY

RUNGS: Final = (
    "an id for the request, told in a header",
    "who asks: an API key, hashed and looked up",
    "the body: its size, its depth, its fields and their types",
    "Message and Content objects for the agent, with an id",
    "a session kept under the response's id, one turn at a time",
    "a record of the response, encoded and kept",
    "a bound on the runs at once",
    "one timer for the deadlines of all",
    "a watch for the client's leaving",
)

_MOST_BYTES: Final = 1_000_000
_MOST_DEPTH: Final = 32
_PATIENCE: Final = 0.25
_FIELDS: Final[Mapping[str, type | tuple[type, ...]]] = {
    "model": str,
    "input": (str, list),
    "stream": bool,
    "previous_response_id": str,
    "metadata": dict,
}
_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder().decode
_Headers = list[tuple[bytes, bytes]]


class Refused(Exception):
    """The request is answered with this status."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class Floor:
    """An ASGI callable with the first of the duties.

    Args:
        agent: What it serves.
        rungs: How many of the duties.
        kept: Sessions, and records, that are kept.
        most: Runs at once.
        deadline: Seconds that a run may take.
    """

    def __init__(self, agent: Any, *, rungs: int, kept: int = 1_000, most: int = 10_000, deadline: float = 600) -> None:
        self._agent = agent
        has = [number < rungs for number in range(len(RUNGS))]
        self._names, self._asks, self._checks, self._wraps, self._continues = has[:5]
        self._records, self._bounds, self._times, self._watches = has[5:]
        self._owners = {hashlib.sha256(KEY.encode()).hexdigest(): "bench"}
        self._sessions: dict[str, tuple[str, Any, asyncio.Lock]] = {}
        self._said: dict[str, tuple[str, bytes]] = {}
        self._kept = kept
        self._most = most
        self._running = 0
        self._deadlines = _Deadlines(deadline)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        assert scope["type"] == "http"
        headers = [(b"x-request-id", _mint("req_").encode())] if self._names else []
        try:
            owner = self._owner(scope["headers"]) if self._asks else ""
            if self._records and scope["method"] == "GET":
                await _send_json(200, self._record(owner, scope["path"]), headers, send)
                return
            asked = await self._read(receive)
            self._running += 1
            try:
                if self._bounds and self._running > self._most:
                    raise Refused(429)
                await self._run_watched(owner, asked, headers, receive, send)
            finally:
                self._running -= 1
        except Refused as refused:
            await _send_json(refused.status, _encode({"error": {"code": refused.status}}), headers, send)

    def _owner(self, headers: _Headers) -> str:
        for name, value in headers:
            if name == b"authorization":
                hashed = hashlib.sha256(value.removeprefix(b"Bearer ")).hexdigest()
                for known, owner in self._owners.items():
                    if hmac.compare_digest(hashed, known):
                        return owner
        raise Refused(401)

    async def _read(self, receive: Receive) -> dict[str, Any]:
        body, more = b"", True
        while more:
            part = await receive()
            body += part.get("body", b"")
            more = part.get("more_body", False)
            if self._checks and len(body) > _MOST_BYTES:
                raise Refused(413)
        if not self._checks:
            return _decode(body)
        try:
            asked = _decode(body)
            wrong = [name for name, value in asked.items() if not isinstance(value, _FIELDS[name])]
        except (ValueError, KeyError, AttributeError, RecursionError):
            raise Refused(400) from None
        if wrong or "input" not in asked or (body.count(b"{") + body.count(b"[") > _MOST_DEPTH and _is_deep(asked)):
            raise Refused(400)
        return asked

    async def _run_watched(
        self, owner: str, asked: dict[str, Any], headers: _Headers, receive: Receive, send: Send
    ) -> None:
        task = asyncio.current_task()
        assert task is not None
        watch = _Watch(task, receive) if self._watches else None
        if self._times:
            self._deadlines.begin(task)
        try:
            await self._run_in_line(owner, asked, headers, send)
        except asyncio.CancelledError:
            if watch is not None and watch.has_left and not task.uncancel():
                return
            if self._deadlines.has_passed(task) and not task.uncancel():
                raise Refused(504) from None
            raise
        finally:
            if self._times:
                self._deadlines.end(task)
            if watch is not None:
                watch.end()

    async def _run_in_line(self, owner: str, asked: dict[str, Any], headers: _Headers, send: Send) -> None:
        if not self._continues:
            session = self._agent.create_session(session_id=_mint("session_"))
            await self._run(owner, asked, session, headers, send)
            return
        before = asked.get("previous_response_id")
        if before is None:
            session, line = self._agent.create_session(session_id=_mint("session_")), asyncio.Lock()
        else:
            known, session, line = self._sessions.get(before, ("", None, None))
            if line is None or known != owner:
                raise Refused(404)
        async with line:
            response = await self._run(owner, asked, session, headers, send)
        self._sessions[response["id"]] = owner, session, line
        if len(self._sessions) > self._kept:
            del self._sessions[next(iter(self._sessions))]

    async def _run(
        self, owner: str, asked: dict[str, Any], session: Any, headers: _Headers, send: Send
    ) -> dict[str, Any]:
        said: Any = asked["input"]
        if self._wraps:
            said = [Message("user", [Content.from_text(said)], message_id=_mint("msg_"))]
        if asked.get("stream"):
            stream, answer = self._agent.run(said, stream=True, session=session), _KeptAnswer(asked)
            ready = await send_coalesced(stream, answer, [*EVENT_STREAM, *headers], send)
            response = answer.completed()
            self._keep(owner, asked, response)
            await send({"type": "http.response.body", "body": bytes(ready + answer.closing())})
        else:
            answer = await self._agent.run(said, stream=False, session=session)
            response = response_object(asked) | _ended(message(_mint("msg_"), answer.text))
            self._keep(owner, asked, response)
            await _send_json(200, _encode(response), headers, send)
        return response

    def _keep(self, owner: str, asked: dict[str, Any], response: dict[str, Any]) -> None:
        if self._records:
            self._said[response["id"]] = owner, _encode([asked["input"], response])
            if len(self._said) > self._kept:
                del self._said[next(iter(self._said))]

    def _record(self, owner: str, path: str) -> bytes:
        known, record = self._said.get(path.rpartition("/")[2], ("", b""))
        if not record or known != owner:
            raise Refused(404)
        return _encode(_decode(record)[1])


class _KeptAnswer(Answer):
    def completed(self) -> dict[str, Any]:
        """Return the response as it is kept."""
        return self._response | _ended(message(self._item_id, "".join(self._chunks)))


class _Deadlines:
    """Cuts tasks that have run too long: all have as long, so they end in the order in which they began."""

    def __init__(self, after: float) -> None:
        self._after = after
        self._ends: dict[asyncio.Task[Any], float] = {}
        self._cut: set[asyncio.Task[Any]] = set()
        self._timer: asyncio.TimerHandle | None = None

    def begin(self, task: asyncio.Task[Any]) -> None:
        loop = asyncio.get_running_loop()
        self._ends[task] = ends = loop.time() + self._after
        if self._timer is None:
            self._timer = loop.call_at(ends, self._tick)

    def end(self, task: asyncio.Task[Any]) -> None:
        del self._ends[task]
        self._cut.discard(task)

    def has_passed(self, task: asyncio.Task[Any]) -> bool:
        return task in self._cut

    def _tick(self) -> None:
        loop = asyncio.get_running_loop()
        self._timer = None
        for task, ends in self._ends.items():
            if ends > loop.time():
                self._timer = loop.call_at(ends, self._tick)
                return
            if task not in self._cut:
                self._cut.add(task)
                task.cancel()


class _Watch:
    """Cancels a task whose client has left; most are done before the watch begins."""

    def __init__(self, task: asyncio.Task[Any], receive: Receive) -> None:
        self.has_left: bool = False
        self._task = task
        self._receive = receive
        self._watching: asyncio.Task[None] | None = None
        self._timer = asyncio.get_running_loop().call_later(_PATIENCE, self._begin)

    def end(self) -> None:
        self._timer.cancel()
        if self._watching is not None:
            self._watching.cancel()

    def _begin(self) -> None:
        self._watching = asyncio.get_running_loop().create_task(self._wait())

    async def _wait(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            continue
        self.has_left = True
        self._task.cancel()


def _is_deep(value: Any, levels: int = _MOST_DEPTH) -> bool:
    if levels == 0:
        return True
    children: Iterable[Any] = ()
    if isinstance(value, dict):
        children = cast("dict[str, Any]", value).values()
    elif isinstance(value, list):
        children = cast("list[Any]", value)
    return any(_is_deep(child, levels - 1) for child in children)


def _ended(item: dict[str, Any]) -> dict[str, Any]:
    return {"status": "completed", "completed_at": int(time.time()), "output": [item]}


async def _send_json(status: int, body: bytes, headers: _Headers, send: Send) -> None:
    named = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode()), *headers]
    await send({"type": "http.response.start", "status": status, "headers": named})
    await send({"type": "http.response.body", "body": body})


def _mint(prefix: str) -> str:
    return prefix + os.urandom(16).hex()
