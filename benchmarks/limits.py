"""The least that a hand-written route around the same agent costs, with right answers: what ours is measured against.

Two of them: a plain Starlette route as anybody would write it, and an ASGI callable with every trick that is known to
pay. Neither reads more of a request than its text, keeps anything, bounds anything, or notices that a client has left.
"""

from __future__ import annotations

import asyncio
import os
import time
import types
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Sequence
from typing import Any, Final

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from .targets import told_target

_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder().decode
_FLUSH_AT: Final = 32 * 1024
EVENT_STREAM: Final = [(b"content-type", b"text/event-stream; charset=utf-8"), (b"cache-control", b"no-store")]


def starlette_app(agent: Any) -> ASGIApp:
    """Return a plain Starlette app: a StreamingResponse with one event per chunk, and a JSONResponse."""

    async def create(request: Request) -> Response:
        asked = await request.json()
        if asked.get("stream"):
            return StreamingResponse(_events(agent, asked), media_type="text/event-stream")
        return JSONResponse(await _whole(agent, asked))

    return Starlette(routes=[Route("/responses", create, methods=["POST"])])


async def _events(agent: Any, asked: dict[str, Any]) -> AsyncIterator[bytes]:
    answer = Answer(asked)
    yield answer.opening()
    stream = _run(agent, asked, stream=True)
    async for update in stream:
        if update.text:
            yield answer.delta(update.text)
    await stream.get_final_response()
    yield answer.closing()


def coalescing_app(agent: Any) -> ASGIApp:
    """Return a bare ASGI callable that sends all that is ready at once, and sends only when the agent really waits."""

    async def create(scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["type"] == "http"
        asked = _decode(await _body(receive))
        if asked.get("stream"):
            answer = Answer(asked)
            ready = await send_coalesced(_run(agent, asked, stream=True), answer, EVENT_STREAM, send)
            await send({"type": "http.response.body", "body": bytes(ready + answer.closing())})
        else:
            await _send_whole(_encode(await _whole(agent, asked)), send)

    return create


def shared_coalescing_app() -> ASGIApp:
    """Return the bare callable of one of several processes."""
    return coalescing_app(told_target())


async def send_coalesced(stream: Any, answer: Answer, headers: Sequence[tuple[bytes, bytes]], send: Send) -> bytearray:
    """Send the events of an answer up to the last delta; return what was ready at its end, which is not sent yet."""

    async def flush() -> None:
        await send({"type": "http.response.body", "body": bytes(ready), "more_body": True})
        ready.clear()

    ready = bytearray(answer.opening())
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    updates = aiter(stream)
    while (update := await _pulled(updates, flush if ready else None)) is not None:
        ready += answer.delta("".join([content.text for content in update.contents if content.type == "text"]))
        if len(ready) >= _FLUSH_AT:
            await flush()
            await asyncio.sleep(0)
    await stream.get_final_response()
    return ready


async def _pulled(updates: AsyncIterator[Any], before_waiting: Callable[[], Awaitable[None]] | None) -> Any:
    """Return the next update, `None` at the end; `before_waiting` is called when it is not there yet."""
    step = anext(updates, None).__await__()
    try:
        waits_for = step.send(None)
    except StopIteration as at_once:
        return at_once.value
    if before_waiting is not None:
        await before_waiting()
    return await _resumed(step, waits_for)


@types.coroutine
def _resumed(step: Generator[Any, Any, Any], waits_for: Any) -> Generator[Any, Any, Any]:
    # What `await` does, from its first wait on.
    while True:
        try:
            try:
                sent = yield waits_for
            except BaseException as error:  # noqa: BLE001 - whatever comes, a cancellation too, belongs into the step
                waits_for = step.throw(error)
            else:
                waits_for = step.send(sent)
        except StopIteration as stop:
            return stop.value


class Answer:
    """The events of one answer: templates for the deltas, everything else through a JSON encoder."""

    def __init__(self, asked: dict[str, Any]) -> None:
        self._number = 0
        self._chunks: list[str] = []
        self._response = response_object(asked)
        self._item_id = _mint("msg_")
        self._where = {"item_id": self._item_id, "output_index": 0, "content_index": 0}
        self._template = (
            b"event: response.output_text.delta\n"
            b'data: {"type":"response.output_text.delta","item_id":"%b","output_index":0,"content_index":0,'
            b'"logprobs":[],"sequence_number":%%d,"delta":%%b}\n\n'
        ) % self._item_id.encode()

    def opening(self) -> bytes:
        """Return the events before the first delta."""
        response = self._response | {"status": "in_progress"}
        events = (
            self._event("response.created", response=response),
            self._event("response.in_progress", response=response),
            self._event("response.output_item.added", output_index=0, item=message(self._item_id, None)),
            self._event("response.content_part.added", **self._where, part=text_part("")),
        )
        return b"".join(events)

    def delta(self, text: str) -> bytes:
        """Return one delta, nothing for no text."""
        if not text:
            return b""
        self._chunks.append(text)
        number = self._number
        self._number = number + 1
        return self._template % (number, _encode(text))

    def closing(self) -> bytes:
        """Return the events after the last delta."""
        text = "".join(self._chunks)
        item = message(self._item_id, text)
        response = self._response | {"status": "completed", "completed_at": int(time.time()), "output": [item]}
        events = (
            self._event("response.output_text.done", **self._where, text=text, logprobs=[]),
            self._event("response.content_part.done", **self._where, part=text_part(text)),
            self._event("response.output_item.done", output_index=0, item=item),
            self._event("response.completed", response=response),
        )
        return b"".join(events) + b"data: [DONE]\n\n"

    def _event(self, name: str, **fields: Any) -> bytes:
        data = _encode({"type": name, "sequence_number": self._number, **fields})
        self._number += 1
        return b"event: %b\ndata: %b\n\n" % (name.encode(), data)


async def _whole(agent: Any, asked: dict[str, Any]) -> dict[str, Any]:
    response = await _run(agent, asked, stream=False)
    item = message(_mint("msg_"), response.text)
    return response_object(asked) | {"status": "completed", "completed_at": int(time.time()), "output": [item]}


def _run(agent: Any, asked: dict[str, Any], *, stream: bool) -> Any:
    # A session of its own, as the host gives one; here it is thrown away afterwards.
    return agent.run(asked["input"], stream=stream, session=agent.create_session(session_id=_mint("session_")))


async def _body(receive: Receive) -> bytes:
    body, more = b"", True
    while more:
        part = await receive()
        body += part.get("body", b"")
        more = part.get("more_body", False)
    return body


async def _send_whole(body: bytes, send: Send) -> None:
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _mint(prefix: str) -> str:
    return prefix + os.urandom(16).hex()


def text_part(text: str) -> dict[str, Any]:
    """Return a message's text as the protocol shows it."""
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def message(item_id: str, text: str | None) -> dict[str, Any]:
    """Return a message as the protocol shows it; one without text has just begun."""
    status, content = ("in_progress", []) if text is None else ("completed", [text_part(text)])
    return {"id": item_id, "type": "message", "status": status, "role": "assistant", "content": content}


def response_object(asked: dict[str, Any]) -> dict[str, Any]:
    """Return the response object without its end, all keys in place."""
    return {
        "id": _mint("resp_"),
        "object": "response",
        "created_at": int(time.time()),
        "completed_at": None,
        "status": "in_progress",
        "incomplete_details": None,
        "error": None,
        "model": asked.get("model", "stub"),
        "previous_response_id": None,
        "output": [],
        "usage": None,
        "service_tier": "default",
        "background": False,
        "instructions": None,
        "max_output_tokens": None,
        "max_tool_calls": None,
        "metadata": {},
        "parallel_tool_calls": True,
        "presence_penalty": 0.0,
        "frequency_penalty": 0.0,
        "prompt_cache_key": None,
        "reasoning": None,
        "safety_identifier": None,
        "store": True,
        "temperature": 1.0,
        "text": {"format": {"type": "text"}},
        "tool_choice": "auto",
        "tools": [],
        "top_logprobs": 0,
        "top_p": 1.0,
        "truncation": "disabled",
    }
