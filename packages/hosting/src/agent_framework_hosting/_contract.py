"""What the host gives to a channel, and what a channel is; see `channel`.

Who writes a channel, and who checks its types, needs these classes; no host calls anything by them. So they are loaded
by those who ask `channel` for one of them.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Generator, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

from agent_framework import AgentResponse, AgentResponseUpdate

from ._contribution import ChannelCommand, ChannelContribution
from ._hook_types import ChannelResponseHook, ChannelRunHook, ChannelStreamUpdateHook
from .kept import ChannelClaims, ChannelDocuments, ChannelRecords
from .limits import Limits
from .runs import Runs
from .tasks import Tasks
from .types import JSON, BeginTurn, ChannelRequest, HostedRunResult, IdempotencyKey, Principal, Seal, SealUnfinished
from .web.events import Buffers


class HostedStream(Protocol):
    """A run whose updates come one by one.

    Waiting for the session's turn happens at the first pull. When the iteration has ended, the turn is committed.
    Closing or abandoning the stream stops the run and releases everything bound to it.
    """

    def __aiter__(self) -> AsyncIterator[AgentResponseUpdate]: ...

    def __await__(self) -> Generator[Any, None, HostedStream]: ...

    async def get_final_response(self) -> AgentResponse[Any]:
        """Return the final response, as the response hook left it; pulls what is left first.

        Raises:
            RunCancelled: The run was stopped, or was closed before it was asked what went wrong in it.
        """
        ...

    async def aclose(self) -> None:
        """Stop the run; a turn that did not finish leaves no trace in the history. Idempotent."""
        ...


class ChannelContext(Protocol):
    """What the host gives to a channel."""

    @property
    def runs(self) -> Runs:
        """Background runs, and what they say."""
        ...

    @property
    def tasks(self) -> Tasks:
        """Work that outlives the request in which it was accepted."""
        ...

    @property
    def target(self) -> Any:
        """The agent or workflow that is served."""
        ...

    @property
    def accepts_options(self) -> bool:
        """Whether the target takes options for a run; a request's options are dropped otherwise."""
        ...

    @property
    def limits(self) -> Limits:
        """The host's bounds."""
        ...

    @property
    def buffers(self) -> Buffers:
        """What all event streams of the host share."""
        ...

    @property
    def commands(self) -> Sequence[ChannelCommand]:
        """The commands of all channels; complete once all have contributed."""
        ...

    @property
    def principal(self) -> Principal:
        """Who makes the request that is being handled."""
        ...

    @property
    def claims(self) -> ChannelClaims:
        """Idempotency keys of requests that are answered without running anything."""
        ...

    @property
    def documents(self) -> ChannelDocuments:
        """What channels keep beside turns."""
        ...

    @property
    def records(self) -> ChannelRecords:
        """What conversations have told."""
        ...

    async def run(
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
    ) -> HostedRunResult[Any]:
        """Run the target to its end and commit the turn.

        Args:
            request: What to run.
            run_hook: Called before the run.
            protocol_request: Handed to the run hook.
            response_hook: Called after the run.
            channel_name: Handed to the response hook; the request's channel when left out.
            seal: Folds what the channel will send into a record that is committed with the turn.
            begin: Has the last word on the request once the session is its turn's alone.
            idempotency: What the caller names this request by; the request is run once under it.

        Raises:
            Replayed: The request was run before under its idempotency key; carries what was sealed then.
            RequestError: The request cannot be served as it is.
            Unavailable: The host has not started, or drains.
        """
        ...

    async def run_stream(
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
    ) -> HostedStream:
        """Admit the request and return its stream; raises as `run` does, before anything is sent.

        `seal_unfinished` is called before the error of a turn that does not finish comes out of the stream.
        """
        ...

    async def check(self, request: ChannelRequest) -> None:
        """Raise what `run` would raise of a request before anything runs, as far as that is known by now.

        For requests that are accepted now and run later. Nothing is claimed or kept; by the time of the run things may
        have changed, and a run hook may have changed the request.

        Raises:
            RequestError: It cannot be served as it is.
            Unavailable: The host has not started, or drains.
        """
        ...

    async def read_record(self, turn_id: str, *, principal: Principal | None = None) -> JSON:
        """Return the record that was sealed under this id for this principal.

        Raises:
            UnknownId: The id is unknown, expired, or another principal's.
        """
        ...

    async def read_records(self, turn_ids: Sequence[str], *, principal: Principal | None = None) -> Mapping[str, JSON]:
        """Return the records that were sealed under these ids for this principal, with one question to the database.

        Ids that are unknown, expired, or another principal's are left out.
        """
        ...

    def reset_session(self, isolation_key: str) -> None:
        """Start a fresh session under this key with the next request; with a `state_dir` it waits for the disk.

        Raises:
            Unavailable: The reset could not be written; the session goes on as it is.
        """
        ...

    async def areset_session(self, isolation_key: str) -> None:
        """Do the same without holding up others while the disk is written."""
        ...

    async def cancel(self, isolation_key: str) -> bool:
        """Stop what runs in the session of this key, from whichever channel and in whichever process.

        Those that wait for it are dropped. All of them end with `RunCancelled`, and leave nothing in the history. Turns
        that run side by side (`concurrency="concurrent"`) are no session's, and are not found.

        Returns:
            Whether there was anything to stop.
        """
        ...

    async def session_id(self, isolation_key: str) -> str:
        """Return the id of the session that this key stands for now; another one after each reset."""
        ...

    def connection(self) -> ConnectionContext:
        """Return a context for one connection, whose turns nobody else can continue."""
        ...


class ConnectionContext(ChannelContext, Protocol):
    """The same for one connection: what is run in it is kept with it alone, in memory, and gone with it.

    That concerns turns without an isolation key. Their ids and records are known here and nowhere else; they may
    continue turns of the connection, and stored ones. A turn with a key, as a run hook may give it, is its session's as
    everywhere, and has no id. How much is kept is bounded: `Limits.max_response_bytes` for a connection,
    `Limits.max_buffered_bytes` for all; beyond it a connection forgets its turns.
    """

    async def holds(self, turn_id: str) -> bool:
        """Whether this is one of the turns that are known here alone."""
        ...

    async def forget(self, turn_id: str) -> None:
        """Let such a turn be unknown from now on; a stored one stays what it is."""
        ...

    async def until_drain(self) -> None:
        """Return once the host takes no new work, so that an idle connection had better end."""
        ...

    def close(self) -> None:
        """Forget all such turns; to be called when the connection ends. Idempotent."""
        ...


@runtime_checkable
class Channel(Protocol):
    """One way in: a name, a path, and what it contributes to the app."""

    name: str
    path: str

    def contribute(self, context: ChannelContext, /) -> ChannelContribution:
        """Return routes, commands and start-up work; called once, when the host is made."""
        ...
