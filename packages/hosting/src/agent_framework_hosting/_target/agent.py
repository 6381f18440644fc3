"""An agent as the pipeline sees it: one way to run it, whatever shape its `run` has."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, ExitStack, nullcontext
from types import CoroutineType
from typing import TYPE_CHECKING, Any, Final, cast

from agent_framework import (
    AgentResponse,
    AgentSession,
    ContinuationToken,
    HistoryProvider,
    InMemoryHistoryProvider,
    RawAgent,
    ResponseStream,
)

from .._state.turns import SessionName
from ..errors import RunError
from ..hooks import settled
from ..types import ChannelRequest
from .agent_state import AgentState
from .entered import Entered
from .messages import to_messages
from .snapshots import Snapshot
from .streams import AgentStream, opened

if TYPE_CHECKING:
    from .._state.encoded import Encoded
    from .session_store import StoredSessions
    from .streams import Source
    from .target import AnswerStore

_COSTS: Final = (
    "what a session store cannot know lives in memory alone: ids of turns are unknown after a restart, where a session "
    "goes on by its key and from its newest turn; of several processes the last writer wins; and what a run used up "
    "before a crash can be used again"
)

_NOT_FINISHED: Final = (
    "The agent gave an answer that is not finished, with a continuation token to ask again with; but its run() takes "
    "neither options= nor continuation_token=. Let it take one of them, or let it finish its answers."
)
_UNBOUND: Final = nullcontext()


class AgentTarget:
    """Runs a `SupportsAgentRun` object."""

    is_well = True

    def __init__(self, agent: Any, *, stored: StoredSessions | None = None) -> None:
        self.served: Any = agent
        self._stored = stored
        self.accepts_options = _accepts(agent.run, "options")
        self._takes_tokens = _accepts(agent.run, "continuation_token", by_name=True)
        self._entered: Entered | None = None

    @property
    def name(self) -> str:
        """What to call the agent in logs and in answers."""
        return self.served.name or type(self.served).__name__

    @property
    def forkable(self) -> bool:
        """Whether all history lies in the session's own state."""
        return not any(
            isinstance(provider, HistoryProvider)
            and provider.load_messages
            and not isinstance(provider, InMemoryHistoryProvider)
            for provider in getattr(self.served, "context_providers", None) or ()
        )

    @property
    def notes(self) -> Sequence[str]:
        """See `Target`."""
        notes = () if self.forkable else ("the agent keeps history elsewhere, so only newest turns can be continued",)
        return notes if self._stored is None else (*notes, _COSTS)

    @property
    def needs_start(self) -> bool:
        """See `Target`."""
        return _has_something_to_enter(self.served)

    async def start(self) -> None:
        """See `Target`."""
        agent = self.served
        if isinstance(agent, AbstractAsyncContextManager):
            entered = Entered(cast("AbstractAsyncContextManager[Any]", agent))
            await entered.enter()
            self._entered = entered

    async def stop(self) -> None:
        """See `Target`."""
        entered, self._entered = self._entered, None
        if entered is not None:
            await entered.leave()

    async def fresh(self, name: SessionName, *, is_new: bool) -> AgentState:
        """See `Target`."""
        session: Any = None
        if self._stored is not None and not is_new:
            session = await self._stored.load(name.session_id)
        if session is None:
            session = self.served.create_session(session_id=name.session_id)
        if not isinstance(session, AgentSession):
            session = await settled(session)
        return AgentState(session, stored=self._stored)

    async def branch(self, name: SessionName, snapshot: Snapshot) -> AgentState:
        """See `Target`."""
        return AgentState(await self._session(name), snapshot=snapshot, stored=self._stored)

    async def resume(self, name: SessionName, snapshot: Snapshot) -> AgentState:
        """See `Target`."""
        return await self.branch(name, snapshot)

    def encode(self, snapshot: Snapshot) -> Encoded:
        """See `Target`."""
        from . import snapshot_codec

        return snapshot_codec.encode(snapshot)

    def decode(self, chain: Sequence[Encoded], rest: bytes | None) -> Snapshot:
        """See `Target`."""
        from . import snapshot_codec

        return snapshot_codec.decode(chain, rest)

    def can_branch(self, snapshot: Snapshot, head: Snapshot | None) -> bool:
        """See `Target`."""
        if snapshot.rest is None or not self.forkable:
            return False
        # A service that gives every turn a new id keeps each of them; one that keeps its id has a mutable conversation.
        service = snapshot.service_session_id
        return service is None or head is None or head is snapshot or head.service_session_id != service

    def check(self, request: ChannelRequest) -> None:
        """See `Target`; what an agent gets is looked at when it is made."""

    async def run(self, request: ChannelRequest, state: AgentState | None) -> AgentResponse[Any]:
        """Run to the end."""
        if state is not None:
            state.begin()
        with self._bound(request) or _UNBOUND:
            run = given = self.served.run(to_messages(request), **self._arguments(request.options, state))
            # What nearly all agents return is awaited without a coroutine of ours around it.
            response = await (run if isinstance(given, CoroutineType) else settled(run))
            # Agents of one's own may return something else; whoever has to show it says so.
            if getattr(response, "continuation_token", None) is None:
                return response
            return await self._finished(response, request.options, state)

    async def stream(self, request: ChannelRequest, state: AgentState | None) -> AgentStream:
        """Start a run whose updates come one by one."""
        if state is not None:
            state.begin()
        bound = self._bound(request)
        try:
            run = given = self.served.run(to_messages(request), stream=True, **self._arguments(request.options, state))
            source = run if isinstance(given, ResponseStream) else await opened(run)
            return AgentStream(source, target=self, options=request.options, state=state, bound=bound)
        except BaseException:
            if bound is not None:
                bound.__exit__(*sys.exc_info())
            raise

    async def again(
        self, options: Mapping[str, Any] | None, state: AgentState | None, token: ContinuationToken
    ) -> Source:
        """Take up a streamed run that was not finished, with the token that it gave instead of messages."""
        return await opened(self.served.run(None, stream=True, **self._arguments(options, state, token=token)))

    def apart(self, answers: AnswerStore) -> AgentTarget:  # noqa: ARG002 - the sessions have marked them
        """See `Target`."""
        return AgentTarget(self.served)

    async def _session(self, name: SessionName) -> AgentSession:
        session: Any = self.served.create_session(session_id=name.session_id)
        return session if isinstance(session, AgentSession) else await settled(session)

    async def _finished(
        self, response: AgentResponse[Any], options: Mapping[str, Any] | None, state: AgentState | None
    ) -> AgentResponse[Any]:
        if response.continuation_token is None:
            return response
        from .unfinished import finish

        async def again(token: ContinuationToken) -> AgentResponse[Any]:
            return await settled(self.served.run(None, **self._arguments(options, state, token=token)))

        return await finish(response, again=again, history=state)

    def _bound(self, request: ChannelRequest) -> ExitStack | None:
        """Let the agent's providers know which response is being made, until what is returned is closed."""
        response_id = request.attributes.get("response_id")
        if response_id is None:
            return None
        bindings: list[Callable[..., Any]] = []
        for provider in getattr(self.served, "context_providers", None) or ():
            bind = getattr(provider, "bind_request_context", None)
            if callable(bind):
                bindings.append(bind)
        if not bindings:
            return None
        previous = request.attributes.get("previous_response_id")
        with ExitStack() as stack:
            for bind in bindings:
                stack.enter_context(bind(response_id=response_id, previous_response_id=previous))
            return stack.pop_all()

    def _arguments(
        self, given: Mapping[str, Any] | None, state: AgentState | None, *, token: ContinuationToken | None = None
    ) -> dict[str, Any]:
        arguments: dict[str, Any] = {"session": state.session if state is not None else None}
        options = dict(given) if given and self.accepts_options else {}
        if token is not None:
            if self._takes_tokens:
                arguments["continuation_token"] = token
            elif self.accepts_options:
                options["continuation_token"] = token
            else:
                raise RunError(_NOT_FINISHED)
        if options:
            arguments["options"] = options
        return arguments


def _accepts(function: Callable[..., Any], name: str, *, by_name: bool = False) -> bool:
    try:
        parameters: Mapping[str, inspect.Parameter] = inspect.signature(function).parameters
    except (TypeError, ValueError):
        return False
    return name in parameters or (
        not by_name and any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters.values())
    )


def _has_something_to_enter(agent: Any) -> bool:
    enter: Any = getattr(cast("type[Any]", type(agent)), "__aenter__", None)
    if enter is None or enter is not getattr(RawAgent, "__aenter__", None):
        return isinstance(agent, AbstractAsyncContextManager)
    # Every agent of Agent Framework can be entered; those without anything to open run as well without it.
    parts: list[Any] = [agent.client, *agent.mcp_tools]
    return any(isinstance(part, AbstractAsyncContextManager) for part in parts)
