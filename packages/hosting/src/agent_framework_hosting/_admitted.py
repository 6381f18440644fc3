"""A request that may run: what its channel adds to it, and what it is held to until its turn is committed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any, Final, cast

import msgspec
from agent_framework import AgentResponseUpdate

from ._admission import Run
from ._capacity import Capacity
from ._deadlines import Deadlines
from ._seen import Seen
from ._sessions.turn import OpenTurn
from .hooks import returned, settled
from .limits import Limits
from .rendering.text import clean_json
from .types import BeginTurn, ChannelRequest, HostedRunResult, IdempotencyKey, Owner, Seal, SealUnfinished

if TYPE_CHECKING:
    from ._quotas import Meter, Quotas
    from ._sessions.apart import ApartSessions
    from ._target.target import SessionState
    from ._telemetry.turns import WatchedTurn
    from .hooks import ChannelResponseHook, ChannelRunHook, ChannelStreamUpdateHook

_encode: Final = msgspec.json.Encoder().encode


class Steps(msgspec.Struct, frozen=True, kw_only=True):
    """What a channel adds to one run: its hooks and its seal; and where its turns are kept, if apart from others'."""

    run_hook: ChannelRunHook | None = None
    protocol_request: Any = None
    stream_update_hook: ChannelStreamUpdateHook | None = None
    response_hook: ChannelResponseHook | None = None
    channel_name: str | None = None
    seal: Seal | None = None
    seal_unfinished: SealUnfinished | None = None
    begin: BeginTurn | None = None
    idempotency: IdempotencyKey | None = None
    apart: ApartSessions | None = None


class Bounds:
    """What every run of a host is held to: how much may be used and be under way, and for how long."""

    __slots__ = ("capacity", "deadlines", "quotas")

    def __init__(self, limits: Limits) -> None:
        self.quotas: Quotas | None = None
        if limits.tokens_per_minute is not None or limits.tokens_per_day is not None:
            from ._quotas import Quotas

            self.quotas = Quotas(limits)
        self.capacity = Capacity(
            what="runs", most=limits.max_concurrent_runs, most_of_one=limits.max_runs_per_principal
        )
        self.deadlines = Deadlines(limits)


class Admitted:
    """A request that may run: counted, and once it is `admitted` with its place in the line.

    It is `watched` when somebody takes what is told of turns.
    """

    __slots__ = (
        "_bounds",
        "_closed",
        "_is_timed",
        "_owner",
        "_remains",
        "_turn",
        "meter",
        "request",
        "run",
        "steps",
        "watched",
    )

    def __init__(
        self, request: ChannelRequest, steps: Steps, run: Run, *, bounds: Bounds, watched: WatchedTurn | None
    ) -> None:
        self.request = request
        self.steps = steps
        self.run = run
        self.watched = watched
        self.meter: Meter | None = None
        self._bounds = bounds
        self._owner: Owner | None = None
        self._turn: OpenTurn | None = None
        self._remains: bytes | None = None
        self._closed = self._is_timed = False

    def let_in(self, owner: Owner) -> None:
        """Count it among those of its principal, who may have no more left to use, or too many under way."""
        bounds = self._bounds
        if bounds.quotas is not None:
            bounds.quotas.check(owner)
            self.meter = bounds.quotas.meter(owner)
        bounds.capacity.enter(owner)
        self._owner = owner

    def admitted(self, request: ChannelRequest, turn: OpenTurn | None) -> None:
        """Take notice that it may run as this request."""
        self.request = request
        self._turn = turn
        if self.watched is not None:
            self.watched.admitted(request)

    async def state(self, *, is_streamed: bool) -> SessionState | None:
        """Wait for the turn and return the state of the session to run in; from then on the run's time is counted.

        The channel has its last word on the request then, with the session this turn's alone.
        """
        state = await self._turn.start(self.run.stop) if self._turn is not None else None
        self._is_timed = True
        self._bounds.deadlines.begin(self.run, is_streamed=is_streamed)
        if self.steps.begin is not None:
            try:
                self.request = await self.steps.begin(self.request)
            except BaseException:
                if self._turn is not None:
                    self._turn.has_not_run()
                raise
        if self.watched is not None:
            self.watched.started()
        return state

    async def finish(self, response: Any, state: SessionState | None) -> HostedRunResult[Any]:
        """Shape, seal and commit what the target returned."""
        watched = self.watched
        if watched is not None:
            watched.used(response)
        if self.meter is not None:
            self.meter.finish(response)
        result = HostedRunResult(response, session=state.session if state is not None else None)
        if self.steps.response_hook is not None:
            result = await self._shaped(result, self.steps.response_hook)
        # What is committed has not failed.
        self._bounds.deadlines.end(self.run)
        self._is_timed = False
        record = self.steps.seal(result) if self.steps.seal is not None else None
        if self._turn is not None:
            try:
                sealed = _encode(record)
            except UnicodeEncodeError:
                sealed = _encode(clean_json(record))
            # Cut in the middle it would be told as one that did not finish, and be stored all the same.
            self.run.settle()
            commit = self._turn.commit(sealed)
            await (commit if watched is None else watched.committed(commit))
            self._turn = None
        return result

    async def close(self) -> None:
        """Let the next turn start; idempotent."""
        if self._closed:
            return
        self._closed = True
        if self._is_timed:
            self._bounds.deadlines.end(self.run)
        try:
            if self._turn is not None:
                await self._turn.close(self._remains)
        finally:
            self._leave()

    def _leave(self) -> None:
        if self._owner is not None:
            self._bounds.capacity.leave(self._owner)
        self.run.end()
        if self.watched is not None:
            self.watched.ended()

    def seen(self, updates: AsyncIterator[AgentResponseUpdate]) -> AsyncIterator[AgentResponseUpdate]:
        """Return the updates of the run, each of them seen by whoever has to; mostly that is nobody."""
        if self.watched is not None:
            updates = self.watched.seen(updates)
        if self.meter is None and not self._bounds.deadlines.awaits_update:
            return updates
        return Seen(updates, self._see)

    def _see(self, update: AgentResponseUpdate) -> None:
        self._bounds.deadlines.updated(self.run)
        if self.meter is not None:
            self.meter.read(update)

    async def _shaped(self, result: HostedRunResult[Any], hook: ChannelResponseHook) -> HostedRunResult[Any]:
        channel_name = self.steps.channel_name or self.request.channel
        shaped = await settled(hook(result, request=self.request, channel_name=channel_name))
        return returned(shaped, cast("type[HostedRunResult[Any]]", HostedRunResult), "response hook")
