"""The agents that are served: they answer at once, so that what is measured is what stands around them."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Mapping, Sequence
from typing import Any, Final

from agent_framework import (
    Agent,
    AgentResponse,
    AgentResponseUpdate,
    AgentSession,
    BaseChatClient,
    ChatOptions,
    ChatResponse,
    ChatResponseUpdate,
    Content,
    FunctionInvocationLayer,
    Message,
    ResponseStream,
)

from .answers import CHUNK

_VARIABLE: Final = "BENCHMARK_TARGET"
_UPDATE: Final = AgentResponseUpdate(contents=[Content.from_text(CHUNK)], role="assistant")


class RawStub:
    """An agent that hands out the same update again and again: what it costs itself is next to nothing.

    Args:
        pause: Seconds before every update, as a model would take them.
        chunks: Updates of an answer.
        holds: Whether a stream stays open behind its last chunk.
    """

    id = "stub"
    name = "stub"
    description = None

    def __init__(self, *, pause: float, chunks: int, holds: bool) -> None:
        self._pause = pause
        self._chunks = chunks
        self._holds = holds
        self._response = AgentResponse[Any](messages=[Message("assistant", [CHUNK * chunks])])

    def create_session(self, *, session_id: str | None = None) -> AgentSession:
        return AgentSession(session_id=session_id)

    def get_session(self, service_session_id: Any, *, session_id: str | None = None) -> AgentSession:
        return AgentSession(session_id=session_id, service_session_id=service_session_id)

    def run(
        self, messages: Any = None, *, stream: bool = False, session: AgentSession | None = None, **options: Any
    ) -> Any:
        del messages, session, options
        return ResponseStream(self._updates(), finalizer=self._whole) if stream else self._respond()

    async def _respond(self) -> AgentResponse[Any]:
        return self._response

    async def _whole(self, _: object) -> AgentResponse[Any]:
        return self._response

    async def _updates(self) -> AsyncIterator[AgentResponseUpdate]:
        for _ in range(self._chunks):
            if self._pause:
                await asyncio.sleep(self._pause)
            yield _UPDATE
        if self._holds:
            await asyncio.Event().wait()


class StubChatClient(FunctionInvocationLayer[ChatOptions[Any]], BaseChatClient[ChatOptions[Any]]):
    """A model that answers at once, with the layer of Agent Framework's own clients that runs tools."""

    def __init__(self, *, pause: float, chunks: int) -> None:
        super().__init__()
        self._pause = pause
        self._chunks = chunks

    def _inner_get_response(
        self, *, messages: Sequence[Message], stream: bool, options: Mapping[str, Any], **kwargs: Any
    ) -> Awaitable[ChatResponse[Any]] | ResponseStream[ChatResponseUpdate, ChatResponse[Any]]:
        del messages, options, kwargs
        return self._build_response_stream(self._updates()) if stream else self._respond()

    async def _respond(self) -> ChatResponse[Any]:
        return ChatResponse(messages=[Message("assistant", [CHUNK * self._chunks])], finish_reason="stop")

    async def _updates(self) -> AsyncIterator[ChatResponseUpdate]:
        for _ in range(self._chunks):
            if self._pause:
                await asyncio.sleep(self._pause)
            yield ChatResponseUpdate(contents=[Content.from_text(CHUNK)], role="assistant")
        yield ChatResponseUpdate(role="assistant", finish_reason="stop")


def make_target(name: str, *, pause: float = 0.0, chunks: int = 200, holds: bool = False) -> Any:
    """Return the agent of that name: `"raw"`, the bare stub, or `"agent"`, Agent Framework's own on a stub model."""
    if name == "raw":
        return RawStub(pause=pause, chunks=chunks, holds=holds)
    return Agent(StubChatClient(pause=pause, chunks=chunks), name="stub")


def tell_target(name: str, *, pause: float, chunks: int) -> None:
    """Tell the processes that this one starts which agent they serve."""
    os.environ[_VARIABLE] = f"{name} {pause} {chunks}"


def told_target() -> Any:
    """Return the agent that the process which started this one has told."""
    name, pause, chunks = os.environ[_VARIABLE].split()
    return make_target(name, pause=float(pause), chunks=int(chunks))
