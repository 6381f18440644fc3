"""An agent that follows a script and remembers every run."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias, cast, overload

from agent_framework import (
    AgentResponse,
    AgentResponseUpdate,
    AgentRunInputs,
    AgentSession,
    InMemoryHistoryProvider,
    Message,
    ResponseStream,
    ServiceSessionId,
    normalize_messages,
)

from ._gate import TIMEOUT
from ._record import Ledger, Record, texts
from ._script import Script, Turn, echo

AgentStream: TypeAlias = ResponseStream[AgentResponseUpdate, AgentResponse[Any]]


@dataclass(kw_only=True, eq=False, repr=False)
class AgentRun(Record):
    """One run of a scripted agent."""

    session: AgentSession | None = None
    updates: list[AgentResponseUpdate] = field(default_factory=list[AgentResponseUpdate])
    """What the run has sent so far."""

    @property
    def session_id(self) -> str | None:
        """The id of the session that the run got."""
        return self.session.session_id if self.session else None

    @property
    def text(self) -> str:
        """The text that the run has sent so far."""
        return "".join(update.text for update in self.updates)


AgentTurn: TypeAlias = Turn[AgentResponseUpdate, AgentRun]
"""What an agent does in one run."""


class AgentPlayer:
    """What all scripted agents share: script, records and history. Its subclasses differ in the shape of `run`."""

    def __init__(
        self,
        *turns: AgentTurn,
        every: AgentTurn | None = None,
        id: str = "scripted-agent",  # the name that SupportsAgentRun gives it
        name: str | None = "scripted",
        description: str | None = None,
    ) -> None:
        self.id = id
        self.name = name
        self.description = description
        self._script = Script[AgentResponseUpdate, AgentRun](
            turns,
            every=echo if every is None and not turns else every,
            update_type=AgentResponseUpdate,
            defaults={"agent_id": id, "author_name": name},
        )
        self._ledger = Ledger[AgentRun]()
        self._memory = InMemoryHistoryProvider()

    @property
    def runs(self) -> list[AgentRun]:
        """Every run so far, in the order in which they were called."""
        return self._ledger.records

    @property
    def active(self) -> int:
        """How many runs are going on now."""
        return self._ledger.active

    @property
    def most_active(self) -> int:
        """How many runs went on at once, at the most."""
        return self._ledger.most_active

    async def wait_started(self, count: int = 1, *, timeout: float = TIMEOUT) -> None:
        """Wait until so many runs have started."""
        await self._ledger.wait_started(count, timeout=timeout)

    def create_session(self, *, session_id: str | None = None) -> AgentSession:
        """Return a new session."""
        return AgentSession(session_id=session_id)

    def get_session(self, service_session_id: str | ServiceSessionId, *, session_id: str | None = None) -> AgentSession:
        """Return a session that names a conversation kept by a service."""
        return AgentSession(session_id=session_id, service_session_id=service_session_id)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name!r} runs={len(self.runs)} active={self.active}>"

    def _call(
        self,
        messages: AgentRunInputs | None,
        *,
        stream: bool,
        session: AgentSession | None,
        options: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> AgentRun:
        run = AgentRun(
            index=len(self.runs),
            messages=normalize_messages(messages),
            stream=stream,
            session=session,
            options=dict(options or {}),
            kwargs={name: value for name, value in kwargs.items() if value is not None},
            bell=self._ledger.bell,
        )
        self.runs.append(run)
        return run

    async def _updates(self, run: AgentRun) -> AsyncGenerator[AgentResponseUpdate]:
        with self._ledger.playing(run):
            if run.session:
                run.history = await self._memory.get_messages(run.session_id, state=self._state(run.session))
            run.seen = texts([*run.history, *run.messages])
            async with aclosing(self._script.updates(run)) as updates:
                async for update in updates:
                    run.updates.append(update)
                    yield update

    async def _respond(self, run: AgentRun) -> AgentResponse[Any]:
        async with aclosing(self._updates(run)) as updates:
            response = AgentResponse.from_updates([update async for update in updates])
        await self._remember(run, response.messages)
        return response

    def _stream(self, run: AgentRun) -> AgentStream:
        async def remember(response: AgentResponse[Any]) -> None:
            await self._remember(run, response.messages)

        # As in core, the history grows when the stream is finalised, be it at its end or after it was closed.
        return ResponseStream(
            self._updates(run),
            finalizer=AgentResponse.from_updates,
            result_hooks=[remember],
            cleanup_hooks=[run.close_unstarted],
        )

    async def _generate(self, run: AgentRun) -> AsyncGenerator[AgentResponseUpdate]:
        async with aclosing(self._updates(run)) as updates:
            async for update in updates:
                yield update
        await self._remember(run, AgentResponse.from_updates(run.updates).messages)

    async def _remember(self, run: AgentRun, answer: list[Message]) -> None:
        if run.session:
            state = self._state(run.session)
            await self._memory.save_messages(run.session_id, [*run.messages, *answer], state=state)

    def _state(self, session: AgentSession) -> dict[str, Any]:
        return cast("dict[str, Any]", session.state.setdefault(self._memory.source_id, {}))


class ScriptedAgent(AgentPlayer):
    """An agent (`SupportsAgentRun`) that follows a script and records every run.

    Run i plays turn i: a step, a list of steps, or a function from the `AgentRun` to them (plain, async or an async
    generator). A step is text, `Content`, an update, `Finish`, `Unfinished`, a `Gate` to wait for or an exception.
    Without a script the agent echoes. The history lies where core's own agent keeps it, and grows only by runs that
    end.

    Args:
        turns: What the first runs do.
        every: What all further runs do; without it a run beyond the turns fails with `ScriptExhausted`.
        id: The agent's id.
        name: The agent's name, and the author of its messages.
        description: The agent's description.

    Example:
        >>> import asyncio
        >>> from agent_framework import AgentSession
        >>> from agent_framework_hosting.testing import ScriptedAgent
        >>> async def main() -> None:
        ...     agent = ScriptedAgent(["Hel", "lo"], ValueError("no"), every=lambda run: f"seen {len(run.seen)}")
        ...     session = AgentSession(session_id="s1")
        ...     print((await agent.run("hi", session=session)).text)
        ...     print(agent.runs)
        >>> asyncio.run(main())
        Hello
        [<AgentRun 0 finished stream=False seen=['hi']>]
    """

    @overload
    def run(
        self,
        messages: AgentRunInputs | None = None,
        *,
        stream: Literal[False] = ...,
        session: AgentSession | None = None,
        options: Mapping[str, Any] | None = None,
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
        options: Mapping[str, Any] | None = None,
        function_invocation_kwargs: Mapping[str, Any] | None = None,
        client_kwargs: Mapping[str, Any] | None = None,
    ) -> AgentStream: ...

    def run(
        self,
        messages: AgentRunInputs | None = None,
        *,
        stream: bool = False,
        session: AgentSession | None = None,
        options: Mapping[str, Any] | None = None,
        function_invocation_kwargs: Mapping[str, Any] | None = None,
        client_kwargs: Mapping[str, Any] | None = None,
    ) -> Awaitable[AgentResponse[Any]] | AgentStream:
        """Play the next turn; returns at once, the turn is played when the result is awaited or iterated."""
        run = self._call(
            messages,
            stream=stream,
            session=session,
            options=options,
            function_invocation_kwargs=function_invocation_kwargs,
            client_kwargs=client_kwargs,
        )
        return self._stream(run) if stream else self._respond(run)
