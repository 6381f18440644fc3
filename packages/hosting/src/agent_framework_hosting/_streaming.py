"""A run whose updates come one by one: how it is stepped and stopped, and what is given back when nobody wants it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Generator
from typing import TYPE_CHECKING, Any, Final, Self

import msgspec
from agent_framework import AgentResponse, AgentResponseUpdate
from opentelemetry import context as otel

from ._admission import Run, StopReason
from ._admitted import Admitted, Bounds, Steps
from ._stepping import turn
from ._target.streams import without_token
from ._tracing import each_under, under, unless_current
from .errors import RunCancelled
from .hooks import returned, settled
from .logs import logger
from .types import ChannelRequest, HostedRunResult
from .workflows import as_agent_response

if TYPE_CHECKING:
    from ._target.target import SessionState, Target, TargetStream
    from ._telemetry.turns import WatchedTurn
    from .hooks import ChannelStreamUpdateHook

_HIDDEN_BEFORE_GIVING_WAY: Final = 64


class PipelineStream:
    """A run whose updates come one by one; see `channel.HostedStream`."""

    __slots__ = ("_admitted", "_updates")

    def __init__(self, target: Target, admitted: Streaming) -> None:
        self._admitted = admitted
        self._updates = _step(target, admitted)

    def __aiter__(self) -> AsyncIterator[AgentResponseUpdate]:
        return self._updates

    def __await__(self) -> Generator[Any, None, Self]:
        return self._itself().__await__()

    async def get_final_response(self) -> AgentResponse[Any]:
        """Return the final response as the response hook left it; pulls what is left first.

        Of a workflow it is what `workflows.as_agent_response` makes of its result.
        """
        async for _ in self._updates:
            pass
        if self._admitted.result is None:
            raise self._admitted.error or RunCancelled()
        return as_agent_response(self._admitted.result.result)

    async def stop(self, reason: StopReason) -> None:
        """Stop the run from any task, and wait until everything bound to it is released."""
        if self._admitted.is_over:
            return
        self._admitted.run.stop(reason)
        updates: Any = self._updates  # its type does not know that it tells whether it runs
        # Otherwise whoever pulls it ends it, or somebody who closes it already.
        if not updates.ag_running:
            await updates.aclose()
            await self._admitted.close()
        await self._admitted.until_over()

    async def aclose(self) -> None:
        """Stop the run; a turn that did not finish leaves no trace in the history. Idempotent."""
        await self.stop("closed")
        # It knows who pulled, who has this: they would keep each other.
        self._admitted.error = None

    async def _itself(self) -> Self:
        return self


class Streaming(Admitted):
    """A request that may run as a stream, and how that goes: what the stream and its generator both know.

    The generator must not hold the stream itself, or nobody would see that the stream was abandoned. Whoever drops it
    without closing it gives all back: a stream that nobody ever pulled must not block its session.
    """

    __slots__ = ("_hidden", "_over", "context", "error", "is_over", "result")

    def __init__(
        self, request: ChannelRequest, steps: Steps, run: Run, *, bounds: Bounds, watched: WatchedTurn | None
    ) -> None:
        super().__init__(request, steps, run, bounds=bounds, watched=watched)
        self.context: Final = otel.get_current() if watched is None else watched.context
        """The parent of whatever the turn does, whoever pulls."""
        self.result: HostedRunResult[Any] | None = None
        self.error: Exception | None = None
        self.is_over = False
        """Whether everything bound to the turn is released."""
        self._over: asyncio.Event | None = None
        self._hidden = 0

    def __del__(self) -> None:
        if not self._closed:
            self._closed = True
            # The garbage collector runs in whichever thread it is due, and lines belong to the loop's.
            self.run.call(self._abandon)

    def _abandon(self) -> None:
        if self._is_timed:
            self._bounds.deadlines.end(self.run)
        if self._turn is not None:
            self._turn.leave()
        self._leave()

    async def opened(self, target: Target, state: SessionState | None) -> TargetStream:
        """Return what the target streams; what was said to it is let go of, unless a hook will ask for it.

        It may be megabytes, and a stream may be long.
        """
        source = await target.stream(self.request, state)
        if self.steps.response_hook is None:
            del self.request
        return source

    async def rewritten(self, update: AgentResponseUpdate, hook: ChannelStreamUpdateHook) -> AgentResponseUpdate | None:
        """Return an update as the hook leaves it; nothing when it hides it."""
        shown = await settled(hook(update))
        if shown is not None:
            return returned(shown, AgentResponseUpdate, "stream update hook")
        self._hidden += 1
        if not self._hidden % _HIDDEN_BEFORE_GIVING_WAY:
            # Nobody gives way by sending what nobody is shown.
            await turn()
        return None

    async def until_over(self) -> None:
        """Return once everything bound to the turn is released."""
        if not self.is_over:
            # Few turns are ever waited for, and an event takes as much memory as all else of a turn's progress.
            self._over = self._over or asyncio.Event()
            await self._over.wait()

    def _leave(self) -> None:
        try:
            super()._leave()
        finally:
            self.is_over = True
            if self._over is not None:
                self._over.set()

    def failed(self, error: BaseException) -> None:
        """Take notice that the turn does not finish: it failed, or nobody wants it any more."""
        self.error = error if isinstance(error, Exception) else None
        reason = self.error or RunCancelled(reason=self.run.cause or "closed")
        if self.watched is not None:
            self.watched.failed(reason)
        self._give_up(reason)

    def _give_up(self, error: Exception) -> None:
        """Fold what had been sent into the record of a turn that does not finish; `close` stores it."""
        fold = self.steps.seal_unfinished
        if fold is not None and self._turn is not None and not self._closed:
            try:
                remains = fold(error)
                self._remains = None if remains is None else msgspec.json.encode(remains)
            except Exception:  # noqa: BLE001 - the turn's own error is on its way, and must not be hidden by this one
                logger.exception("What a turn had sent could not be folded; nothing of it can be read later.")


async def _step(target: Target, admitted: Streaming) -> AsyncGenerator[AgentResponseUpdate, None]:
    run, hook, parent = admitted.run, admitted.steps.stream_update_hook, unless_current(admitted.context)
    # Each block that is entered here takes up memory for as long as the stream is open.
    try:
        with run:
            state = await admitted.state(is_streamed=True)
            source = await under(parent, admitted.opened(target, state))
            try:
                updates: AsyncIterator[AgentResponseUpdate] | None = source.updates
                while updates is not None:
                    async for update in each_under(parent, admitted.seen(updates)):
                        known = update if update.continuation_token is None else without_token(update)
                        shown = known if hook is None else await admitted.rewritten(known, hook)
                        if shown is not None:
                            run.stepped_by = None
                            yield shown
                            run.resume()
                    updates = await under(parent, source.more())
            finally:
                await source.close()
            # Last of all: what fails after the commit would be told to the client as the failure of a stored turn.
            admitted.result = await admitted.finish(source.final, state)
    except BaseException as error:
        admitted.failed(error)
        raise
    finally:
        await admitted.close()
