"""The agents that are served: they answer at once, so that what is measured is what stands around them."""

from __future__ import annotations

import asyncio
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

from .answers import CHUNK, CHUNKS, TEXT

_UPDATE: Final = AgentResponseUpdate(contents=[Content.from_text(CHUNK)], role="assistant")
_RESPONSE: Final = AgentResponse[Any](messages=[Message("assistant", [TEXT])])


class RawStub:
    """An agent that hands out the same update again and again: what it costs itself is next to nothing.

    Args:
        pause: Seconds before every update, as a model would take them.
    """

    id = "stub"
    name = "stub"
    description = None

    def __init__(self, *, pause: float) -> None:
        self._pause = pause

    def create_session(self, *, session_id: str | None = None) -> AgentSession:
        return AgentSession(session_id=session_id)

    def get_session(self, service_session_id: Any, *, session_id: str | None = None) -> AgentSession:
        return AgentSession(session_id=session_id, service_session_id=service_session_id)

    def run(
        self, messages: Any = None, *, stream: bool = False, session: AgentSession | None = None, **options: Any
    ) -> Any:
        del messages, session, options
        return ResponseStream(self._updates(), finalizer=_whole) if stream else self._respond()

    async def _respond(self) -> AgentResponse[Any]:
        return _RESPONSE

    async def _updates(self) -> AsyncIterator[AgentResponseUpdate]:
        for _ in range(CHUNKS):
            if self._pause:
                await asyncio.sleep(self._pause)
            yield _UPDATE


class StubChatClient(FunctionInvocationLayer[ChatOptions[Any]], BaseChatClient[ChatOptions[Any]]):
    """A model that answers at once, with the layer of Agent Framework's own clients that runs tools."""

    def __init__(self, *, pause: float) -> None:
        super().__init__()
        self._pause = pause

    def _inner_get_response(
        self, *, messages: Sequence[Message], stream: bool, options: Mapping[str, Any], **kwargs: Any
    ) -> Awaitable[ChatResponse[Any]] | ResponseStream[ChatResponseUpdate, ChatResponse[Any]]:
        del messages, options, kwargs
        return self._build_response_stream(self._updates()) if stream else self._respond()

    async def _respond(self) -> ChatResponse[Any]:
        return ChatResponse(messages=[Message("assistant", [TEXT])], finish_reason="stop")

    async def _updates(self) -> AsyncIterator[ChatResponseUpdate]:
        for _ in range(CHUNKS):
            if self._pause:
                await asyncio.sleep(self._pause)
            yield ChatResponseUpdate(contents=[Content.from_text(CHUNK)], role="assistant")
        yield ChatResponseUpdate(role="assistant", finish_reason="stop")


async def _whole(_: object) -> AgentResponse[Any]:
    return _RESPONSE


def make_target(name: str, *, pause: float = 0.0) -> Any:
    """Return the agent of that name: `"raw"`, the bare stub, or `"agent"`, Agent Framework's own on a stub model."""
    return RawStub(pause=pause) if name == "raw" else Agent(StubChatClient(pause=pause), name="stub")
