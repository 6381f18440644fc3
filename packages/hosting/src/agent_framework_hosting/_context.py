"""What the host gives to its channels; see `channel.ChannelContext`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from types import CoroutineType
from typing import TYPE_CHECKING, Any

from ._admitted import Steps
from ._pipeline import Pipeline
from ._sessions.sessions import Sessions
from ._state.records import record_of
from ._streaming import PipelineStream
from .channel import ChannelCommand
from .errors import UnknownId
from .isolation import current_principal
from .limits import Limits
from .types import JSON, BeginTurn, ChannelRequest, HostedRunResult, IdempotencyKey, Principal, Seal, SealUnfinished
from .web.events import Buffers

if TYPE_CHECKING:
    from ._kept import Kept, OwnClaims, OwnDocuments, OwnRecords
    from ._sessions.apart import ApartSessions, Budget
    from ._target.target import Target
    from .channel import Runs, Tasks
    from .hooks import ChannelResponseHook, ChannelRunHook, ChannelStreamUpdateHook


class HostContext:
    """The one `ChannelContext` of a host, shared by its channels."""

    def __init__(
        self, *, target: Target, limits: Limits, pipeline: Pipeline, sessions: Sessions, runs: Runs, tasks: Tasks
    ) -> None:
        self.runs = runs
        self.tasks = tasks
        self.limits = limits
        self.buffers = Buffers(max_bytes=limits.max_buffered_bytes)
        self.commands: Sequence[ChannelCommand] = ()
        self._target = target
        self._pipeline = pipeline
        self._sessions = sessions
        self._turns: Sessions | ApartSessions = sessions
        self._apart: ApartSessions | None = None

    @cached_property
    def _kept(self) -> Kept:
        # Few channels look.
        from ._kept import Kept

        return Kept(self._sessions.store)

    @property
    def claims(self) -> OwnClaims:
        """What was answered without a turn."""
        return self._kept.claims

    @property
    def documents(self) -> OwnDocuments:
        """What channels keep beside turns."""
        return self._kept.documents

    @property
    def records(self) -> OwnRecords:
        """The records of turns."""
        return self._kept.records

    @property
    def target(self) -> Any:
        """What is served; a factory until the host has started."""
        return self._target.served

    @property
    def accepts_options(self) -> bool:
        """Whether the target takes options for a run."""
        return self._target.accepts_options

    @property
    def principal(self) -> Principal:
        """Who makes the request that is being handled."""
        return current_principal()

    def run(
        self,
        request: ChannelRequest,
        *,
        run_hook: ChannelRunHook | None = None,
        protocol_request: Any = None,
        response_hook: ChannelResponseHook | None = None,
        channel_name: str | None = None,
        seal: Seal | None = None,
        begin: BeginTurn | None = None,
        idempotency: IdempotencyKey | None = None,
    ) -> CoroutineType[Any, Any, HostedRunResult[Any]]:
        """Run the target to its end and commit the turn."""
        steps = Steps(
            run_hook=run_hook,
            # Nobody else looks at it: a body need not be kept for as long as its run takes.
            protocol_request=protocol_request if run_hook is not None else None,
            response_hook=response_hook,
            channel_name=channel_name,
            seal=seal,
            begin=begin,
            idempotency=idempotency,
            apart=self._apart,
        )
        return self._pipeline.run(request, steps)

    def run_stream(
        self,
        request: ChannelRequest,
        *,
        run_hook: ChannelRunHook | None = None,
        protocol_request: Any = None,
        stream_update_hook: ChannelStreamUpdateHook | None = None,
        response_hook: ChannelResponseHook | None = None,
        channel_name: str | None = None,
        seal: Seal | None = None,
        seal_unfinished: SealUnfinished | None = None,
        begin: BeginTurn | None = None,
        idempotency: IdempotencyKey | None = None,
    ) -> CoroutineType[Any, Any, PipelineStream]:
        """Admit the request and return its stream."""
        steps = Steps(
            run_hook=run_hook,
            # Nobody else looks at it: a body need not be kept for as long as its run takes.
            protocol_request=protocol_request if run_hook is not None else None,
            stream_update_hook=stream_update_hook,
            response_hook=response_hook,
            channel_name=channel_name,
            seal=seal,
            begin=begin,
            seal_unfinished=seal_unfinished,
            idempotency=idempotency,
            apart=self._apart,
        )
        return self._pipeline.run_stream(request, steps)

    async def check(self, request: ChannelRequest) -> None:
        """Raise what is wrong with a request, as far as that is known before it runs."""
        await self._pipeline.check(request, apart=self._apart)

    async def read_record(self, turn_id: str, *, principal: Principal | None = None) -> JSON:
        """Return the record that was sealed under this id for this principal."""
        turn = await self._turns.turn(principal or self.principal, turn_id)
        if turn is None:
            raise UnknownId(f"There is nothing with the id {turn_id!r}: it is unknown or has expired.")
        return record_of(turn)

    async def read_records(self, turn_ids: Sequence[str], *, principal: Principal | None = None) -> Mapping[str, JSON]:
        """Return the records that were sealed under these ids for this principal."""
        turns = await self._turns.turns(principal or self.principal, turn_ids)
        return {turn_id: record_of(turn) for turn_id, turn in turns.items()}

    def reset_session(self, isolation_key: str) -> None:
        """Start a fresh session under this key with the next request."""
        self._sessions.reset(self.principal.tenant, isolation_key)

    async def areset_session(self, isolation_key: str) -> None:
        """Do the same without holding up others while the disk is written."""
        await self._sessions.areset(self.principal.tenant, isolation_key)

    async def cancel(self, isolation_key: str) -> bool:
        """Stop what runs in this session, in whichever process, and what waits for it."""
        return await self._sessions.cancel(self.principal.tenant, isolation_key)

    async def session_id(self, isolation_key: str) -> str:
        """Return the id of the session that this key stands for now."""
        return await self._sessions.session_id(self.principal.tenant, isolation_key)

    @cached_property
    def _budget(self) -> Budget:
        from ._sessions.apart import Budget

        return Budget(max_bytes=self.limits.max_buffered_bytes)

    def connection(self) -> HostConnection:
        """Return a context for one connection."""
        connection = HostConnection(
            target=self._target,
            limits=self.limits,
            pipeline=self._pipeline,
            sessions=self._sessions,
            runs=self.runs,
            tasks=self.tasks,
            budget=self._budget,
        )
        connection.buffers, connection.commands = self.buffers, self.commands
        return connection


class HostConnection(HostContext):
    """See `ConnectionContext`."""

    def __init__(self, *, sessions: Sessions, limits: Limits, budget: Budget, **parts: Any) -> None:
        # Few hosts have WebSockets open.
        from ._sessions.apart import ApartSessions

        super().__init__(sessions=sessions, limits=limits, **parts)
        self._own = ApartSessions(sessions, limits=limits, budget=budget)
        self._turns = self._apart = self._own

    async def holds(self, turn_id: str) -> bool:
        """Whether this is a turn that nobody else can continue."""
        return await self._own.held(self.principal, turn_id) is not None

    async def forget(self, turn_id: str) -> None:
        """Let such a turn be unknown from now on."""
        await self._own.forget(self.principal, turn_id)

    async def until_drain(self) -> None:
        """Return once the host takes no new work any more."""
        await self._pipeline.until_drain()

    def close(self) -> None:
        """Forget all such turns."""
        self._own.close()
