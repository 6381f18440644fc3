"""The one way from a request to its result, and the only caller of hooks and targets.

    room → run hook → authorise → claim (the session's line) → session → begin → run → response hook → seal → commit
    → release

What is stored is what was sent: the channel's sealed record is committed with the turn, before the channel can send the
end of its answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Generator
from dataclasses import replace
from typing import Any, Final, Self, TypeVar, cast

import msgspec
from agent_framework import AgentResponse, AgentResponseUpdate
from opentelemetry import context as otel

from ._admission import Admission, Run, StopReason
from ._capacity import Capacity
from ._deadlines import Deadlines
from ._quotas import Meter, Quotas
from ._seen import Seen
from ._sessions.answers import answer_ids
from ._sessions.apart import ApartSessions
from ._sessions.sessions import Repeated, Sessions
from ._sessions.turn import OpenTurn
from ._state import records
from ._state.store import Claim
from ._target.streams import without_token
from ._target.target import SessionState, Target, TargetStream
from ._telemetry.telemetry import Telemetry
from ._telemetry.turns import WatchedTurn, watch
from ._tracing import each_under, under, unless_current
from .channel import Replayed
from .errors import HookError, RunCancelled
from .hooks import ChannelResponseHook, ChannelRunHook, ChannelStreamUpdateHook, settled
from .isolation import current_principal
from .limits import Limits
from .logs import logger
from .types import (
    BeginTurn,
    ChannelRequest,
    ChannelSession,
    HostedRunResult,
    IdempotencyKey,
    Owner,
    Seal,
    SealUnfinished,
)
from .workflows import as_agent_response

ReturnedT = TypeVar("ReturnedT")

_NO_SESSION: Final = ChannelSession()


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
        quotas = Quotas(limits)
        self.quotas = quotas if quotas.are_granted else None
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
            commit = self._turn.commit(msgspec.json.encode(record))
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
        return _returned(shaped, cast("type[HostedRunResult[Any]]", HostedRunResult), "response hook")


class Pipeline:
    """Runs requests against one target."""

    def __init__(
        self, *, target: Target, sessions: Sessions, admission: Admission, limits: Limits, telemetry: Telemetry
    ) -> None:
        self._target = target
        self._sessions = sessions
        self._admission = admission
        self._telemetry = telemetry
        self._bounds = Bounds(limits)

    async def run(self, request: ChannelRequest, steps: Steps) -> HostedRunResult[Any]:
        """Run the target to its end and commit the turn."""
        run = self._admission.enter()
        watched = watch(self._telemetry, request)
        entered = Admitted(request, steps, run, bounds=self._bounds, watched=watched)
        try:
            with run:
                await self._admit(entered)
                state = await entered.state(is_streamed=False)
                work = self._target.run(entered.request, state)
                # Without a span of the turn's own, its context is the one that it began in, which is here.
                response = await (work if watched is None else under(watched.own_context, work))
                return await entered.finish(response, state)
        except BaseException as error:
            if watched is not None:
                watched.failed(error)
            raise
        finally:
            await entered.close()

    async def run_stream(self, request: ChannelRequest, steps: Steps) -> PipelineStream:
        """Admit the request; its stream does the rest."""
        run = self._admission.enter()
        watched = watch(self._telemetry, request)
        entered = Streaming(request, steps, run, bounds=self._bounds, watched=watched)
        try:
            with run:
                await self._admit(entered)
        except BaseException as error:
            if watched is not None:
                watched.failed(error)
            await entered.close()
            raise
        return PipelineStream(self._target, entered)

    async def check(self, request: ChannelRequest, *, apart: ApartSessions | None = None) -> None:
        """Raise what a request would be refused for if it were admitted now; no hook is called, nothing is claimed."""
        principal = current_principal() if request.principal is None else request.principal
        if self._bounds.quotas is not None:
            self._bounds.quotas.check(principal.owner)
        self._target.check(request)
        wanted = _wanted_session(request)
        if wanted is not None:
            await (apart or self._sessions).check(principal, wanted, answers=answer_ids(request.input))

    async def until_drain(self) -> None:
        """Return once the host takes no new work any more."""
        await self._admission.until_drain()

    async def _admit(self, entered: Admitted) -> None:
        request, steps = entered.request, entered.steps
        principal = request.principal
        if principal is None:
            principal = current_principal()
            request = replace(request, principal=principal)
        entered.let_in(principal.owner)
        if steps.run_hook is not None:
            with self._bounds.deadlines.limited(entered.run):
                request = await _hooked(request, steps, steps.run_hook, target=self._target.served)
            # It may be a body of megabytes, a run may be long, and nobody asks for it any more.
            entered.steps = msgspec.structs.replace(steps, protocol_request=None)
        self._target.check(request)
        wanted, named, turn = _wanted_session(request), steps.idempotency, None
        if wanted is not None or named is not None:
            claim = None if named is None else Claim(request.channel, named.key, named.fingerprint)
            answers, sessions = answer_ids(request.input), steps.apart or self._sessions
            try:
                turn = await sessions.open(principal, wanted or _NO_SESSION, answers=answers, claim=claim)
            except Repeated as repeated:
                place = f"the column record of af_claim, channel {request.channel!r}, owner {principal.owner!r}"
                raise Replayed(records.read(repeated.record, place=place)) from None
            if named is not None:
                request = _attempted(request, turn)
        entered.admitted(request, turn)


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
        run = self._admitted.run
        run.stop(reason)
        if run.is_stepping:
            await self._admitted.until_over()
        else:
            await self._updates.aclose()
            await self._admitted.close()

    async def aclose(self) -> None:
        """Stop the run; a turn that did not finish leaves no trace in the history. Idempotent."""
        await self.stop("closed")

    async def _itself(self) -> Self:
        return self


class Streaming(Admitted):
    """A request that may run as a stream, and how that goes: what the stream and its generator both know.

    The generator must not hold the stream itself, or nobody would see that the stream was abandoned. Whoever drops it
    without closing it gives all back: a stream that nobody ever pulled must not block its session.
    """

    __slots__ = ("_is_over", "_over", "context", "error", "result")

    def __init__(
        self, request: ChannelRequest, steps: Steps, run: Run, *, bounds: Bounds, watched: WatchedTurn | None
    ) -> None:
        super().__init__(request, steps, run, bounds=bounds, watched=watched)
        self.context: Final = otel.get_current() if watched is None else watched.context
        """The parent of whatever the turn does, whoever pulls."""
        self.result: HostedRunResult[Any] | None = None
        self.error: Exception | None = None
        self._is_over = False
        self._over: asyncio.Event | None = None

    def __del__(self) -> None:
        if not self._closed:
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

    async def until_over(self) -> None:
        """Return once everything bound to the turn is released."""
        if not self._is_over:
            # Few turns are ever waited for, and an event takes as much memory as all else of a turn's progress.
            self._over = self._over or asyncio.Event()
            await self._over.wait()

    def _leave(self) -> None:
        try:
            super()._leave()
        finally:
            self._is_over = True
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
                        shown = known if hook is None else await _rewritten(known, hook)
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


async def _hooked(request: ChannelRequest, steps: Steps, hook: ChannelRunHook, *, target: Any) -> ChannelRequest:
    wanted = request.session
    hooked = await settled(hook(request, target=target, protocol_request=steps.protocol_request))
    hooked = _returned(hooked, ChannelRequest, "run hook")
    if hooked.principal is None:
        # A hook may make a new request instead of replacing parts of the one that it got.
        hooked = replace(hooked, principal=request.principal)
    elif hooked.principal != request.principal:
        raise HookError("The run hook changed the principal; who is calling is not a hook's to say.")
    if wanted is not None and hooked.session is not None and hooked.session.commit_as is None:
        # A hook that only chooses the key still wants the outcome to be found under the id that the caller is told.
        hooked = replace(hooked, session=replace(hooked.session, commit_as=wanted.commit_as))
    return hooked


async def _rewritten(update: AgentResponseUpdate, hook: ChannelStreamUpdateHook) -> AgentResponseUpdate | None:
    shown = await settled(hook(update))
    return None if shown is None else _returned(shown, AgentResponseUpdate, "stream update hook")


def _returned(value: Any, kind: type[ReturnedT], hook: str) -> ReturnedT:
    # Hooks are written without a type checker in sight often enough to say here what went wrong.
    if not isinstance(value, kind):
        raise HookError(f"The {hook} returned {type(value).__name__} instead of {kind.__name__}.")
    return value


def _attempted(request: ChannelRequest, turn: OpenTurn) -> ChannelRequest:
    # A history provider that has stored the messages of an earlier attempt knows them again by their ids.
    return replace(request, attributes={**request.attributes, "attempt": turn.attempt, "turn_name": turn.name})


def _wanted_session(request: ChannelRequest) -> ChannelSession | None:
    session = request.session
    if session is None or request.session_mode == "disabled":
        return None
    is_none = session.isolation_key is None and session.parent is None and session.commit_as is None
    return None if is_none else session
