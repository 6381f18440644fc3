"""The bare callable, and on top of it, one by one, what a host has to do and it does not: by hand, quick as can be.

One channel, one protocol, no layers, no hooks, no store but dictionaries; all is read by types and written from
templates. So what a request costs here is about the least that it costs in any host in Python with these duties.
Nothing is made for a run that does not wait, and for one that does no more than a place in a line, until it has lasted
a quarter of a second. Each rung is taken with all those before it, and `proofs` holds it to its duty.
"""

from __future__ import annotations

import asyncio
import hashlib
from typing import Any, Final, cast

import msgspec
from agent_framework import AgentSession, Content, Message
from starlette.types import Receive, Scope, Send

from ..systems import KEY
from .running import Headers, Refused, Run, Terms
from .waiting import turn
from .wording import USUAL, All, Checked, Fields, Read, Said, SaidBack, mint, used

RUNGS: Final = (
    "an id for the request, told in a header",
    "where to: our own host, a path that there is, and no page of another site",
    "who asks: an API key, hashed and looked up",
    "the body: its kind, its size, its depth, its fields and their types",
    "all other fields of the protocol, in their bounds, and said back",
    "one run for each idempotency key",
    "Message and Content objects for the agent, with an id, and where they come from",
    "a session kept under the response's id, one turn at a time, so many in line",
    "going on from any response, with nothing left of turns that failed",
    "how it ended: failed, cut short, and what was used",
    "a record of the response, kept",
    "a bound on the runs at once",
    "a deadline, with one timer for all",
    "a watch for the client's leaving",
    "others' turns between the parts of a long answer",
    "a bound on the answer's size, and on how long a send may wait",
    "a comment in silence",
    "an end that waits for what runs",
)

_MOST_BYTES: Final = 1_000_000
_MOST_DEPTH: Final = 32
_MOST_IN_LINE: Final = 16
_FLUSH_AT: Final = 32 * 1024
_GIVE_WAY_AT: Final = 64
_OWN: Final = frozenset((b"127.0.0.1", b"localhost"))
_FOREIGN: Final = frozenset((b"cross-site", b"same-site"))
_PATH: Final = "/responses"
_encode: Final = msgspec.json.Encoder().encode


class _Line(msgspec.Struct):
    lock: asyncio.Lock
    has: int = 0


class _Kept(msgspec.Struct):
    """What goes on from a response; its line is made when somebody does."""

    owner: str
    session: AgentSession
    line: _Line | None


class Floor:
    """An ASGI callable with the first of the duties.

    Args:
        agent: What it serves.
        rungs: How many of the duties.
        kept: Sessions, and records, that are kept.
        most: Runs at once.
        deadline: Seconds that a run may take.
        patience: Seconds after which something is made for whoever still waits.
        silence: Seconds after which a stream is kept alive.
        largest: Bytes of an answer.
        send_within: Seconds that a send may wait.
    """

    def __init__(
        self,
        agent: Any,
        *,
        rungs: int = len(RUNGS),
        kept: int = 1_000,
        most: int = 10_000,
        deadline: float = 600,
        patience: float = 0.25,
        silence: float = 15,
        largest: int = 16 * 2**20,
        send_within: float = 30,
    ) -> None:
        self._agent = agent
        has = [number < rungs for number in range(len(RUNGS))]
        self._names, self._guards, self._asks, self._checks, self._says_back, self._once = has[:6]
        self._wraps, self._continues, self._branches, self._tells, self._records = has[6:11]
        self._bounds, times, watches, self._gives_way, self._cuts, beats, self._drains = has[11:]
        waits = {"patience": patience, "deadline": deadline, "silence": silence, "send_within": send_within}
        self._terms = Terms(times=times, watches=watches, beats=beats, cuts=self._cuts, **waits)
        self._decode = msgspec.json.Decoder(All if self._says_back else Checked if self._checks else Read).decode
        self._back = msgspec.json.Decoder(SaidBack).decode
        self._owners = {hashlib.sha256(KEY.encode()).digest(): "bench"}
        self._sessions: dict[bytes, _Kept] = {}
        self._said: dict[bytes, tuple[str, bytes, bytes]] = {}
        self._named: dict[tuple[str, bytes], tuple[bytes, asyncio.Future[bytes]]] = {}
        self._kept, self._most, self._largest = kept, most, largest
        self._running = 0
        self._drained: asyncio.Event | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        assert scope["type"] == "http"
        headers = [(b"x-request-id", b"req_" + mint())] if self._names else []
        self._running += 1
        try:
            await self._answer(scope, headers, receive, send)
        except Refused as refused:
            await _send_json(refused.status, _encode({"error": {"code": refused.status}}), headers, send)
        finally:
            self._running -= 1
            if self._drained is not None and not self._running:
                self._drained.set()

    async def drain(self) -> None:
        """Let nobody in any more, and wait for whoever is."""
        if self._drains:
            self._drained = asyncio.Event()
            if self._running:
                await self._drained.wait()

    async def _answer(self, scope: Scope, headers: Headers, receive: Receive, send: Send) -> None:
        if self._drained is not None:
            raise Refused(503)
        if self._bounds and self._running > self._most:
            raise Refused(429)
        given: dict[bytes, bytes] = dict(scope["headers"])
        if self._guards:
            _guard(scope, given)
        owner = self._owner(given) if self._asks else ""
        if self._records and scope["method"] == "GET":
            await _send_json(200, self._record(owner, scope["path"]), headers, send)
            return
        body = await self._body(given, receive)
        try:
            asked = self._decode(body)
            back = _encode(self._back(body))[1:] if self._says_back else USUAL
        except (msgspec.MsgspecError, ValueError, RecursionError):
            raise Refused(400) from None
        if self._checks and body.count(b"{") + body.count(b"[") > _MOST_DEPTH and _is_deep(msgspec.json.decode(body)):
            raise Refused(400)
        run = Run(self._terms, asked, Said(asked, back), receive, send)
        run.owner, run.body, run.headers = owner, body, headers
        named = given.get(b"idempotency-key")
        if named is None or not self._once:
            await run.answer(self._run_in_line(run))
        else:
            await self._answer_once(named, run)

    def _owner(self, headers: dict[bytes, bytes]) -> str:
        value = headers.get(b"authorization", b"")
        owner = self._owners.get(hashlib.sha256(value[7:]).digest())
        if owner is None or value[:7].lower() != b"bearer ":
            raise Refused(401)
        return owner

    async def _body(self, headers: dict[bytes, bytes], receive: Receive) -> bytes:
        part = await receive()
        body: bytes = part.get("body", b"")
        while part.get("more_body") and not (self._checks and len(body) > _MOST_BYTES):
            part = await receive()
            body += part.get("body", b"")
        if self._checks:
            if len(body) > _MOST_BYTES:
                raise Refused(413)
            if not headers.get(b"content-type", b"").startswith(b"application/json"):
                raise Refused(415)
        return body

    async def _answer_once(self, named: bytes, run: Run) -> None:
        if run.asked.stream:
            raise Refused(400)
        key = run.owner, named
        body, answer = self._named.get(key, (run.body, None))
        if body != run.body:
            raise Refused(422)
        if answer is not None:
            await _send_json(200, await asyncio.shield(answer), run.headers, run.send)
            return
        answer = asyncio.get_running_loop().create_future()
        self._named[key] = run.body, answer
        try:
            answer.set_result(await run.answer(self._run_in_line(run)))
        finally:
            # Another run may try again what failed, and whoever waits for it knows nothing better.
            if not answer.done():
                del self._named[key]
                answer.cancel()
        if len(self._named) > self._kept:
            del self._named[next(iter(self._named))]

    async def _run_in_line(self, run: Run) -> bytes:
        before = run.asked.previous_response_id
        if before is None or not self._continues:
            session = self._agent.create_session(session_id=f"session_{run.said.id.decode()}")
            return await self._run(run, session, None)
        kept = self._sessions.get(before[5:].encode())
        if kept is None or kept.owner != run.owner:
            raise Refused(400)
        kept.line = line = kept.line or _Line(asyncio.Lock())
        if line.has >= _MOST_IN_LINE:
            raise Refused(429)
        line.has += 1
        try:
            async with line.lock:
                return await self._run(run, _branch(kept.session) if self._branches else kept.session, line)
        finally:
            line.has -= 1

    async def _run(self, run: Run, session: AgentSession, line: _Line | None) -> bytes:
        words = _messages(run.asked, run.said) if self._wraps else run.asked.input
        if run.asked.stream:
            return await self._stream(run, words, session, line)
        try:
            answer = await self._agent.run(words, stream=False, session=session)
        except Exception:  # whatever an agent raises
            if self._tells:
                raise Refused(500) from None
            raise
        status, usage = _end_of(answer) if self._tells else (b"completed", b"null")
        response = run.said.whole(_encode(answer.text), status=status, usage=usage)
        if self._cuts and len(response) > self._largest:
            raise Refused(500)
        self._keep(run, response, session, line)
        await _send_json(200, response, run.headers, run.send)
        return response

    async def _stream(self, run: Run, words: Any, session: AgentSession, line: _Line | None) -> bytes:
        said, ready = run.said, run.ready
        try:
            stream = self._agent.run(words, stream=True, session=session)
            ready += said.opening()
            await self._pull(stream, run)
            answer = await stream.get_final_response()
        except Exception:  # whatever an agent raises
            if not self._tells:
                raise
            ready += said.failed(run.number)
            await run.flush(more=False)
            return b""
        status, usage = _end_of(answer) if self._tells else (b"completed", b"null")
        text = _encode("".join(run.chunks))
        response, events = said.closing(text, run.number, status=status, usage=usage)
        self._keep(run, response, session, line)
        ready += events
        await run.flush(more=False)
        return response

    async def _pull(self, stream: Any, run: Run) -> None:
        ready, chunks, template, number = run.ready, run.chunks, run.said.template, run.number
        most, given_way = _GIVE_WAY_AT if self._gives_way else 2**62, number
        async for update in stream:
            for content in update.contents:
                if content.type == "text" and (text := content.text):
                    chunks.append(text)
                    ready += template % (number, _encode(text))
                    number += 1
            if number - given_way >= most or len(ready) >= _FLUSH_AT:
                given_way = number
                if self._cuts and run.sent + len(ready) > self._largest:
                    raise ValueError("The answer is too large.")
                # What is ready is sent before anybody waits.
                await turn()

    def _keep(self, run: Run, response: bytes, session: AgentSession, line: _Line | None) -> None:
        if self._continues:
            self._sessions[run.said.id] = _Kept(run.owner, session, line)
            if len(self._sessions) > self._kept:
                del self._sessions[next(iter(self._sessions))]
        if self._records and getattr(run.asked, "store", None) is not False:
            self._said[run.said.id] = run.owner, run.body, response
            if len(self._said) > self._kept:
                del self._said[next(iter(self._said))]

    def _record(self, owner: str, path: str) -> bytes:
        known, _, response = self._said.get(path.rpartition("/resp_")[2].encode(), ("", b"", b""))
        if not response or known != owner:
            raise Refused(404)
        return response


def _guard(scope: Scope, headers: dict[bytes, bytes]) -> None:
    if headers.get(b"host", b"").partition(b":")[0] not in _OWN:
        raise Refused(421)
    if b"origin" in headers or headers.get(b"sec-fetch-site") in _FOREIGN:
        raise Refused(403)
    if scope["path"] != _PATH and not scope["path"].startswith("/responses/resp_"):
        raise Refused(404)


def _messages(asked: Fields, said: Said) -> list[Message]:
    given = asked.input
    hosting: dict[str, Any] = {"hosting": {"channel": "responses"}}
    if isinstance(given, str):
        text = Content.from_text(given)
        return [Message("user", [text], message_id=f"msg_in_{said.id.decode()}", additional_properties=hosting)]
    messages = [
        Message(
            item.role,
            [item.content] if isinstance(item.content, str) else [part.text for part in item.content],
            message_id=f"msg_in_{mint().decode()}",
        )
        for item in given
    ]
    messages[-1].additional_properties.update(hosting)
    return messages


def _branch(session: AgentSession) -> AgentSession:
    """Return a session that goes on from this one and leaves it as it is; what it is made of is shared."""
    branch = AgentSession(session_id=session.session_id, service_session_id=session.service_session_id)
    branch.state = _copied(session.state)
    return branch


def _copied(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _copied(each) for name, each in cast("dict[Any, Any]", value).items()}
    if isinstance(value, list):
        return [_copied(each) for each in cast("list[Any]", value)]
    return value


def _end_of(answer: Any) -> tuple[bytes, bytes]:
    return b"incomplete" if answer.finish_reason == "length" else b"completed", used(answer.usage_details)


def _is_deep(value: Any, levels: int = _MOST_DEPTH) -> bool:
    if levels == 0:
        return True
    children: Any = ()
    if isinstance(value, dict):
        children = cast("dict[str, Any]", value).values()
    elif isinstance(value, list):
        children = cast("list[Any]", value)
    return any(_is_deep(child, levels - 1) for child in children)


async def _send_json(status: int, body: bytes, headers: Headers, send: Send) -> None:
    named = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body)), *headers]
    await send({"type": "http.response.start", "status": status, "headers": named})
    await send({"type": "http.response.body", "body": body})
