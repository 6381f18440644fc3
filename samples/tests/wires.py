"""Models on the loopback address that speak their providers' protocols: real clients can be tried without a key.

Each knows one key, remembers the requests that it got, and answers `Good morning.` in three pieces.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from agent_framework import Content
from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from agent_framework_hosting import AgentFrameworkHost
from agent_framework_hosting.testing import AgentRun, ScriptedAgent
from agent_framework_hosting_responses import ResponsesChannel

KEY: Final = "key-of-the-tests"
PIECES: Final = ("Good ", "morning", ".")
REFUSAL: Final = "Who are you?"
ANSWER: Final = "".join(PIECES)


@dataclass
class Wire:
    """A provider's service: its app, and what the model got to see, request by request."""

    app: ASGIApp
    seen: list[list[str]] = field(default_factory=list[list[str]])
    refuses: bool = False


def good_morning(_: AgentRun) -> list[str | Content]:
    """Answer as all models here do."""
    return [*PIECES, Content.from_usage({"input_token_count": 3, "output_token_count": len(PIECES)})]


def openai(
    says: Callable[[AgentRun], list[str | Content]] = good_morning,
    *,
    path: str = "/responses",
    key_header: str = "authorization",
    prefix: str = "Bearer ",
) -> Wire:
    """OpenAI's Responses API, which this project speaks itself."""
    wire = Wire(app=Starlette())

    def answer(run: AgentRun) -> list[str | Content]:
        wire.seen.append([run.options["instructions"], *run.seen])
        return says(run)

    channel = ResponsesChannel(path=path, caller_instructions="append")
    host = AgentFrameworkHost(ScriptedAgent(every=answer), channels=[channel])
    wire.app = Locked(wire, host.app, header=key_header, value=prefix + KEY)
    return wire


def azure_openai() -> Wire:
    """The same API at the path, and with the header, of Azure."""
    return openai(path="/openai/v1/responses", key_header="api-key", prefix="")


def anthropic() -> Wire:
    """Anthropic's Messages API."""
    wire = Wire(app=Starlette())

    async def messages(request: Request) -> Response:
        asked = await request.json()
        wire.seen.append([_text(asked["system"]), *(_text(message["content"]) for message in asked["messages"])])
        usage = {"input_tokens": 3, "output_tokens": len(PIECES)}
        message = {"id": "msg_1", "type": "message", "role": "assistant", "model": asked["model"], "usage": usage}
        message |= {"content": [{"type": "text", "text": ANSWER}], "stop_reason": "end_turn", "stop_sequence": None}
        if not asked.get("stream"):
            return JSONResponse(message)
        started: dict[str, Any] = {**message, "content": [], "stop_reason": None}
        deltas = [{"type": "text_delta", "text": piece} for piece in PIECES]
        events: list[dict[str, Any]] = [
            {"type": "message_start", "message": started},
            {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
            *({"type": "content_block_delta", "index": 0, "delta": delta} for delta in deltas),
            {"type": "content_block_stop", "index": 0},
            {
                "type": "message_delta",
                "delta": {"stop_reason": "end_turn", "stop_sequence": None},
                "usage": {"output_tokens": len(PIECES)},
            },
            {"type": "message_stop"},
        ]
        lines = (f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in events)
        return StreamingResponse(_each(lines), media_type="text/event-stream")

    app = Starlette(routes=[Route("/v1/messages", messages, methods=["POST"])])
    wire.app = Locked(wire, app, header="x-api-key")
    return wire


def ollama() -> Wire:
    """Ollama's chat API; it knows no keys."""
    wire = Wire(app=Starlette())

    async def chat(request: Request) -> Response:
        asked = await request.json()
        wire.seen.append([message["content"] for message in asked["messages"]])
        head = {"model": asked["model"], "created_at": "2026-01-01T00:00:00Z"}
        end = {"done": True, "done_reason": "stop", "prompt_eval_count": 3, "eval_count": len(PIECES)}
        if not asked["stream"]:
            return JSONResponse({**head, "message": {"role": "assistant", "content": ANSWER}, **end})
        lines: list[dict[str, Any]] = [
            *({**head, "message": {"role": "assistant", "content": piece}, "done": False} for piece in PIECES),
            {**head, "message": {"role": "assistant", "content": ""}, **end},
        ]
        return StreamingResponse(_each(json.dumps(line) + "\n" for line in lines), media_type="application/x-ndjson")

    wire.app = Locked(wire, Starlette(routes=[Route("/api/chat", chat, methods=["POST"])]))
    return wire


class Locked:
    """Lets only requests with the right key through, where there is a key, and none when the wire refuses all."""

    def __init__(self, wire: Wire, app: ASGIApp, *, header: str | None = None, value: str = KEY) -> None:
        self._wire = wire
        self._app = app
        self._header = header
        self._value = value

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and not self._lets_in(Headers(scope=scope)):
            error = {"type": "authentication_error", "message": REFUSAL, "code": "invalid_api_key"}
            await JSONResponse({"type": "error", "error": error}, status_code=401)(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _lets_in(self, headers: Headers) -> bool:
        return not self._wire.refuses and (self._header is None or headers.get(self._header) == self._value)


async def _each(lines: Iterable[str]) -> AsyncGenerator[str]:
    for line in lines:
        yield line


def _text(content: str | list[dict[str, Any]]) -> str:
    return content if isinstance(content, str) else "".join(part.get("text", "") for part in content)


WIRES: Final[dict[str, Callable[[], Wire]]] = {
    "openai": openai,
    "azure_openai": azure_openai,
    "anthropic": anthropic,
    "ollama": ollama,
}
