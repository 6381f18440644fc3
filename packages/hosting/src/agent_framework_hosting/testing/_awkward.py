"""Scripted agents of the shapes that users write: all pass for `SupportsAgentRun`, none is quite like core's own."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Mapping
from typing import Any, Literal, Self, overload

from agent_framework import AgentResponse, AgentResponseUpdate, AgentRunInputs, AgentSession

from ._agent import AgentPlayer, AgentStream, AgentTurn, ScriptedAgent


class GeneratorAgent(AgentPlayer):
    """Streams with a bare async generator: no `get_final_response()`, no `close()`, only `aclose()`."""

    @overload
    def run(
        self,
        messages: AgentRunInputs | None = None,
        *,
        stream: Literal[False] = ...,
        session: AgentSession | None = None,
        options: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> Awaitable[AgentResponse[Any]]: ...

    @overload
    def run(
        self,
        messages: AgentRunInputs | None = None,
        *,
        stream: Literal[True],
        session: AgentSession | None = None,
        options: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> AsyncGenerator[AgentResponseUpdate]: ...

    def run(
        self,
        messages: AgentRunInputs | None = None,
        *,
        stream: bool = False,
        session: AgentSession | None = None,
        options: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> Awaitable[AgentResponse[Any]] | AsyncGenerator[AgentResponseUpdate]:
        """Play the next turn."""
        run = self._call(messages, stream=stream, session=session, options=options, **kwargs)
        return self._generate(run) if stream else self._respond(run)


class CoroutineAgent(AgentPlayer):
    """Has an `async def run`, as in the protocol's own example: a stream is a bare generator, and must be awaited."""

    @overload
    async def run(
        self,
        messages: AgentRunInputs | None = None,
        *,
        stream: Literal[False] = ...,
        session: AgentSession | None = None,
        **kwargs: Any,
    ) -> AgentResponse[Any]: ...

    @overload
    async def run(
        self,
        messages: AgentRunInputs | None = None,
        *,
        stream: Literal[True],
        session: AgentSession | None = None,
        **kwargs: Any,
    ) -> AsyncGenerator[AgentResponseUpdate]: ...

    async def run(
        self,
        messages: AgentRunInputs | None = None,
        *,
        stream: bool = False,
        session: AgentSession | None = None,
        **kwargs: Any,
    ) -> AgentResponse[Any] | AsyncGenerator[AgentResponseUpdate]:
        """Play the next turn."""
        run = self._call(messages, stream=stream, session=session, **kwargs)
        return self._generate(run) if stream else await self._respond(run)


class OptionlessAgent(AgentPlayer):
    """Takes exactly what the protocol says: `options=` is a `TypeError`, as with a workflow's agent."""

    @overload
    def run(
        self,
        messages: AgentRunInputs | None = None,
        *,
        stream: Literal[False] = ...,
        session: AgentSession | None = None,
        function_invocation_kwargs: Mapping[str, Any] | None = None,
        client_kwargs: Mapping[str, Any] | None = None,
    ) -> Awaitable[AgentResponse[Any]]: ...

    @overload
    def run(
        self,
        messages: AgentRunInputs | None = None,
        *,
        stream: Literal[True],
        session: AgentSession | None = None,
        function_invocation_kwargs: Mapping[str, Any] | None = None,
        client_kwargs: Mapping[str, Any] | None = None,
    ) -> AgentStream: ...

    def run(
        self,
        messages: AgentRunInputs | None = None,
        *,
        stream: bool = False,
        session: AgentSession | None = None,
        function_invocation_kwargs: Mapping[str, Any] | None = None,
        client_kwargs: Mapping[str, Any] | None = None,
    ) -> Awaitable[AgentResponse[Any]] | AgentStream:
        """Play the next turn."""
        run = self._call(
            messages,
            stream=stream,
            session=session,
            function_invocation_kwargs=function_invocation_kwargs,
            client_kwargs=client_kwargs,
        )
        return self._stream(run) if stream else self._respond(run)


class ManagedAgent(ScriptedAgent):
    """Is an async context manager that has to be entered before it runs, like an agent with MCP tools."""

    def __init__(self, *turns: AgentTurn, every: AgentTurn | None = None, name: str | None = "managed") -> None:
        super().__init__(*turns, every=every, name=name)
        self.is_open: bool = False
        self.times_entered: int = 0

    async def __aenter__(self) -> Self:
        self.is_open = True
        self.times_entered += 1
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        self.is_open = False
