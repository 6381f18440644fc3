"""An agent's stream as the pipeline sees it: one, whatever shape its parts have and however often it is resumed."""

from __future__ import annotations

import copy
import sys
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Iterable, Mapping, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Protocol, cast

from agent_framework import AgentResponse, AgentResponseUpdate, ContinuationToken, Message, ResponseStream

from ..errors import RunError
from ..hooks import settled
from .agent_state import AgentState

if TYPE_CHECKING:
    from .unfinished import History


if TYPE_CHECKING:

    class Source(Protocol):
        """What one run of an agent streams: what of Agent Framework's `ResponseStream` is used here."""

        @property
        def updates(self) -> Sequence[AgentResponseUpdate]:
            """Those that were pulled so far."""
            ...

        def __aiter__(self) -> AsyncIterator[AgentResponseUpdate]: ...

        async def get_final_response(self) -> AgentResponse[Any]: ...

        async def close(self) -> None: ...

    class Again(Protocol):
        """What can take up a run that its provider ended unfinished; see `AgentTarget`."""

        async def again(
            self, options: Mapping[str, Any] | None, state: AgentState | None, token: ContinuationToken
        ) -> Source: ...


async def opened(run: Any) -> Source:
    """Return what an agent's `run(stream=True)` gave as a source, awaited when need be.

    Raises:
        RunError: It is nothing that streams.
    """
    # Agent Framework's own stream is asked for first: whether something else can be iterated takes a while to say.
    if isinstance(run, ResponseStream):
        return cast("Source", run)
    source: Any = cast("Any", run) if isinstance(run, AsyncIterable) else await settled(run)
    if isinstance(source, ResponseStream):
        return cast("Source", source)
    if isinstance(source, AsyncIterable):
        return _Collected(cast("AsyncIterable[AgentResponseUpdate]", source))
    raise RunError("The agent's run(stream=True) returned something that cannot be iterated.")


class AgentStream:
    """The stream of one turn; see `TargetStream`. Where the provider ends it unfinished, it is resumed.

    Args:
        source: The first run.
        target: What is run again where that one was not finished.
        options: With which it is run.
        state: What the session remembers of the turn.
        bound: What is closed with it.
    """

    __slots__ = ("_bound", "_options", "_rest", "_source", "_state", "_target", "final")

    def __init__(
        self,
        source: Source,
        *,
        target: Again,
        options: Mapping[str, Any] | None,
        state: AgentState | None,
        bound: ExitStack | None,
    ) -> None:
        self._bound = bound
        self._source = source
        self._target = target
        self._options = options
        self._state = state
        self.final: AgentResponse[Any] | None = None
        self._rest: AsyncGenerator[AgentResponseUpdate, None] | None = None

    @property
    def updates(self) -> AsyncIterator[AgentResponseUpdate]:
        """See `TargetStream`. Not wrapped: what stands between a model and its reader is paid for with every update."""
        return aiter(self._source)

    async def more(self) -> AsyncIterator[AgentResponseUpdate] | None:
        """See `TargetStream`."""
        if self.final is None:
            self.final = await self._source.get_final_response()
            if (token := self.final.continuation_token) is not None:
                self._rest = self._resumed(self.final, token)
                return self._rest
        return None

    async def close(self) -> None:
        """See `TargetStream`."""
        try:
            if self._rest is not None:
                await self._rest.aclose()
            await self._source.close()
        finally:
            if self._bound is not None:
                # As a block around the run would be told what has ended it, if anything has.
                self._bound.__exit__(*sys.exc_info())

    async def _resumed(
        self, final: AgentResponse[Any], token: ContinuationToken | None
    ) -> AsyncGenerator[AgentResponseUpdate, None]:
        # Only a run that its provider does in the background ends so.
        from .replay import Replay
        from .unfinished import Patience

        patience, given, history = Patience(), list(self._source.updates), _Remembered(self._state, final)
        while token is not None:
            history.forget()
            await self._source.close()
            await patience.wait()
            self._source = await self._target.again(self._options, self._state, token)
            replay, known = Replay(_open_part(given)), len(given)
            async for update in self._source:
                for new in replay.feed(update):
                    given.append(new)
                    yield new
            final = await self._source.get_final_response()
            token = final.continuation_token
            for new in replay.end(is_finished=token is None):
                given.append(new)
                yield new
            if len(given) > known:
                patience.take_heart()
            history.take(final, is_whole=replay.began_anew)
        self.final = final if history.is_final_whole else _collected(given)


class _Remembered:
    """Keeps the session's history as if the provider had answered at once."""

    def __init__(self, history: History | None, first: AgentResponse[Any]) -> None:
        self._history = history
        self._messages: list[Message] = list(first.messages)
        self._open: list[Message] = []
        self._has_rounds = False
        self.is_final_whole = False
        """Whether the last run's own final response is that of the whole turn."""

    def forget(self) -> None:
        """Take out what the next run may say again."""
        from .unfinished import parted

        done, self._open = parted(self._messages)
        self._has_rounds = self._has_rounds or bool(done)
        self._exchange(self._open, by=())

    def take(self, final: AgentResponse[Any], *, is_whole: bool) -> None:
        """Put back what the run did not say again."""
        self.is_final_whole = (is_whole or not self._open) and not self._has_rounds
        self._messages = list(final.messages)
        if not is_whole:
            self._messages = [*self._open, *self._messages]
            self._exchange(final.messages, by=self._messages)

    def _exchange(self, old: Sequence[Message], *, by: Sequence[Message]) -> None:
        if self._history is not None:
            self._history.exchange(old, by=by)


class _Collected:
    """Any other async iterable of updates; the final response is made of what it gave."""

    def __init__(self, source: AsyncIterable[AgentResponseUpdate]) -> None:
        self._source = aiter(source)
        self._recorded = self._record()
        self.updates: list[AgentResponseUpdate] = []

    def __aiter__(self) -> AsyncIterator[AgentResponseUpdate]:
        return self._recorded

    async def _record(self) -> AsyncIterator[AgentResponseUpdate]:
        async for update in self._source:
            self.updates.append(update)
            yield update

    async def get_final_response(self) -> AgentResponse[Any]:
        return AgentResponse.from_updates(self.updates)

    async def close(self) -> None:
        for iterator in (self._recorded, self._source):
            close = getattr(iterator, "aclose", None)
            if close is not None:
                await close()


def without_token(update: AgentResponseUpdate) -> AgentResponseUpdate:
    """Return an update without the token with which its run goes on, which is nobody's business but the host's.

    A copy: the source makes its final response of its own updates, and has to find the token in them. What the
    provider's client had made the update of holds the token, too.
    """
    shown = copy.copy(update)
    shown.continuation_token = shown.raw_representation = None
    return shown


def _collected(updates: Sequence[AgentResponseUpdate]) -> AgentResponse[Any]:
    response: AgentResponse[Any] = AgentResponse.from_updates(updates)
    response.continuation_token = None
    return response


def _open_part(given: Sequence[AgentResponseUpdate]) -> Iterable[AgentResponseUpdate]:
    end = max((at for at, update in enumerate(given, 1) if update.role == "tool"), default=0)
    return given[end:]
