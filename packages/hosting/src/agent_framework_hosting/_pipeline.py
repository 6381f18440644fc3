"""The one way from a request to its result, and the only caller of hooks and targets.

    room → run hook → authorise → claim (the session's line) → session → begin → run → response hook → seal → commit
    → release

What is stored is what was sent: the channel's sealed record is committed with the turn, before the channel can send the
end of its answer.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import msgspec

from ._admission import Admission
from ._admitted import Admitted, Bounds, Steps
from ._sessions.answers import answer_ids
from ._sessions.sessions import Repeated, Sessions
from ._sessions.turn import OpenTurn
from ._state import records
from ._state.store import Claim
from ._streaming import PipelineStream, Streaming
from ._telemetry.telemetry import Telemetry
from ._telemetry.watching import watch
from ._tracing import under
from .channel import Replayed
from .errors import HookError
from .hooks import returned, settled
from .isolation import current_principal
from .limits import Limits
from .types import ChannelRequest, ChannelSession, HostedRunResult

if TYPE_CHECKING:
    from ._sessions.apart import ApartSessions
    from ._target.target import Target
    from .hooks import ChannelRunHook

_NO_SESSION: Final = ChannelSession()


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


async def _hooked(request: ChannelRequest, steps: Steps, hook: ChannelRunHook, *, target: Any) -> ChannelRequest:
    wanted = request.session
    hooked = await settled(hook(request, target=target, protocol_request=steps.protocol_request))
    hooked = returned(hooked, ChannelRequest, "run hook")
    if hooked.principal is None:
        # A hook may make a new request instead of replacing parts of the one that it got.
        hooked = replace(hooked, principal=request.principal)
    elif hooked.principal != request.principal:
        raise HookError("The run hook changed the principal; who is calling is not a hook's to say.")
    if wanted is not None and hooked.session is not None and hooked.session.commit_as is None:
        # A hook that only chooses the key still wants the outcome to be found under the id that the caller is told.
        hooked = replace(hooked, session=replace(hooked.session, commit_as=wanted.commit_as))
    return hooked


def _attempted(request: ChannelRequest, turn: OpenTurn) -> ChannelRequest:
    # A history provider that has stored the messages of an earlier attempt knows them again by their ids.
    return replace(request, attributes={**request.attributes, "attempt": turn.attempt, "turn_name": turn.name})


def _wanted_session(request: ChannelRequest) -> ChannelSession | None:
    session = request.session
    if session is None or request.session_mode == "disabled":
        return None
    is_none = session.isolation_key is None and session.parent is None and session.commit_as is None
    return None if is_none else session
