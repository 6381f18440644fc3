"""The contract for channel authors: what a channel gives to the host, and what the host gives to a channel."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, TypeAlias, runtime_checkable

from agent_framework import AgentResponse, AgentResponseUpdate
from starlette.responses import Response
from starlette.routing import BaseRoute

from .hooks import ChannelResponseHook, ChannelRunHook, ChannelStreamUpdateHook
from .kept import ChannelDocuments, ChannelRecords
from .limits import Limits
from .types import JSON, BeginTurn, ChannelRequest, HostedRunResult, IdempotencyKey, Principal, Seal, SealUnfinished
from .web.errors import ErrorDescription
from .web.events import Buffers


@dataclass(frozen=True, slots=True)
class ChannelCommandContext:
    """What a command's handler gets: the request that called it, and a way to answer."""

    request: ChannelRequest
    reply: Callable[[str], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class ChannelCommand:
    """A command of a channel or an app (`/new`), offered by every channel that knows commands."""

    name: str
    description: str
    handle: Callable[[ChannelCommandContext], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class SiblingRoute:
    """A route beside a channel's own path, absolute below the app's root.

    Args:
        route: The Starlette route, with its full path.
        shared_as: Siblings that several channels declare under one key at one path are mounted once, the first one
            winning; without a key a second route at the same path is a clash.
        verifier: See `VerifiedRoute`; the host authenticates when it is left out.
    """

    route: BaseRoute
    shared_as: str | None = None
    verifier: str | None = field(default=None, kw_only=True)


@dataclass(frozen=True, slots=True)
class VerifiedRoute:
    """A route whose requests the channel verifies itself, as webhooks of a platform are: the host asks nobody.

    Args:
        route: The Starlette route, relative to the channel's path.
        verifier: How the channel tells a genuine request, in words for the operator (`"signature of the platform"`).
    """

    route: BaseRoute
    verifier: str


ErrorRenderer: TypeAlias = Callable[[ErrorDescription], Response]
"""Says an error in a channel's protocol."""


@dataclass(frozen=True, slots=True)
class ChannelContribution:
    """All that a channel adds to the app.

    `routes` are relative to the channel's path, `siblings` absolute. `on_startup` and `on_shutdown` take no argument
    and may be plain or async. The host authenticates the callers of all routes but those that name a verifier of the
    channel's: `verified_routes`, and siblings with one. `render_error` says in the channel's protocol what the host
    refuses at its routes, before the channel sees the request.
    """

    routes: Sequence[BaseRoute] = ()
    commands: Sequence[ChannelCommand] = ()
    on_startup: Sequence[Callable[[], Awaitable[None] | None]] = ()
    on_shutdown: Sequence[Callable[[], Awaitable[None] | None]] = ()
    siblings: Sequence[SiblingRoute] = field(default=(), kw_only=True)
    verified_routes: Sequence[VerifiedRoute] = field(default=(), kw_only=True)
    render_error: ErrorRenderer | None = field(default=None, kw_only=True)


class Replayed(Exception):
    """The request was run before, under the same idempotency key; `record` is what was sealed then."""

    def __init__(self, record: JSON) -> None:
        super().__init__("The request was run before under its idempotency key.")
        self.record = record


class HostedStream(Protocol):
    """A run whose updates come one by one.

    Waiting for the session's turn happens at the first pull. When the iteration has ended, the turn is committed.
    Closing or abandoning the stream stops the run and releases everything bound to it.
    """

    def __aiter__(self) -> AsyncIterator[AgentResponseUpdate]: ...

    def __await__(self) -> Generator[Any, None, HostedStream]: ...

    async def get_final_response(self) -> AgentResponse[Any]:
        """Return the final response, as the response hook left it; pulls what is left first."""
        ...

    async def aclose(self) -> None:
        """Stop the run; a turn that did not finish leaves no trace in the history. Idempotent."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A piece of accepted work, as its handler gets it.

    Args:
        kind: Which handler it is for.
        id: What the one who asked for it names it by, unique among the principal's tasks of its kind.
        line: The line that it stands in.
        payload: What is to be done, in the channel's words; JSON.
        attempt: Counts from 1; above 1 the same task was begun before, by this process or by one that died.
        principal: Who asked for it.
    """

    kind: str
    id: str
    line: str
    payload: Any
    attempt: int
    principal: Principal


TaskHandler: TypeAlias = Callable[[Task], Awaitable[None]]
"""Does a task. Whatever it raises is a failure, but for `TryAgain`."""


class TryAgain(Exception):
    """A handler wants its task to be tried again in `after` seconds, without that counting as a failure.

    The task keeps its place, so that its line waits meanwhile.
    """

    def __init__(self, *, after: float) -> None:
        super().__init__(f"The task is to be tried again in {after} seconds.")
        self.after = after


class Tasks(Protocol):
    """Work that is done once it was accepted: also when its caller goes away or, with a database, this process dies.

    The tasks of one line run one at a time, in the order in which they were accepted, over all processes. Lines are a
    tenant's and shared by all kinds; they have nothing to do with the sessions of that name. A task runs at least once:
    a handler that died before its task was settled is run again, so that it has to know what it has done already. What
    the agent did is known by itself when the handler names its run by the task (`idempotency=` of `run_stream`): a turn
    that was committed before the crash comes back as `Replayed`.

    A task that fails is tried again in its place, later each time, and given up after `Limits.task_failures`.
    """

    @property
    def is_durable(self) -> bool:
        """Whether accepted tasks outlive this process."""
        ...

    def handle(
        self, kind: str, handler: TaskHandler, *, on_give_up: TaskHandler | None = None, needs_start: bool = True
    ) -> None:
        """Let tasks of a kind be done by `handler`; call it in `contribute`.

        The handler runs as the principal who asked, in the trace and under the isolation keys of the request in which
        the task was accepted. It is cancelled where it waits when the task is (`cancel`), when another process has
        taken it over, and when the host has drained for long enough; then the task goes to another process. The tasks
        of a channel that is disabled, because it failed to start, wait for a process in which it has started.

        Args:
            kind: Names the work; tasks outlive releases, so that it has to stay the same. Put the channel's name in.
            handler: Does it.
            on_give_up: Called with a task that is given up, before it is forgotten; what it raises is logged.
            needs_start: Whether a host takes no request at all before it was started; without it only tasks of this
                kind are refused until then.

        Raises:
            ConfigurationError: The kind has a handler already.
        """
        ...

    async def accept(self, *, kind: str, id: str, line: str, payload: JSON, principal: Principal | None = None) -> bool:
        """Keep a task; with a database it has reached the disk when this returns, so that it can be acknowledged.

        Args:
            kind: Which handler it is for.
            id: Names it: one that is known already, running or done within `Limits.idempotency_ttl`, is not kept again.
            line: Where it stands in line.
            payload: What is to be done.
            principal: Who asks for it; whoever makes the request that is being handled when left out.

        Returns:
            Whether it is new; `False` when a task of that id is known.

        Raises:
            QueueFull: Too many wait in its line, or in all.
            InvalidRequest: Its id or line is one that cannot be kept.
            RequestTooLarge: The payload is larger than `Limits.max_request_bytes`.
            Unavailable: The host drains, has not started, or cannot reach its database. Then it is not known whether
                the task was kept; asking again with the same id is safe.
        """
        ...

    async def cancel(self, *, kind: str, id: str, principal: Principal | None = None) -> bool:
        """End a task that waits, and stop one that runs, wherever; `False` when it is unknown, not yours, or done."""
        ...

    async def cancel_line(self, line: str, *, principal: Principal | None = None) -> int:
        """Do the same with all tasks of a line in the principal's tenant, whoever asked for them; returns how many."""
        ...


@dataclass(frozen=True, slots=True)
class RunEvent:
    """One event of a background run.

    Args:
        attempt: Which attempt at the run said it; where it grows, what was said before counts no more.
        sequence: Its number in the attempt, from 0.
        data: What it says, in the channel's words.
    """

    attempt: int
    sequence: int
    data: bytes

    @property
    def position(self) -> tuple[int, int]:
        """Where it stands, to read on from."""
        return (self.attempt, self.sequence)


@dataclass(frozen=True, slots=True)
class RunStatus:
    """Where a background run is, and how many attempts it has taken."""

    status: Literal["waiting", "running", "done", "failed", "cancelled"]
    attempt: int

    @property
    def has_ended(self) -> bool:
        """Whether nothing more will become of it."""
        return self.status not in ("waiting", "running")


class RunWriter(Protocol):
    """Takes what a background run says."""

    async def write(self, data: bytes) -> None:
        """Add an event; it is kept, and shown to those who read, a moment later and in any case before the run ends.

        Raises:
            ResponseTooLarge: The run has said more than `Limits.max_response_bytes`.
            RunCancelled: Another process has taken the run over, or it was forgotten.
        """
        ...


RunHandler: TypeAlias = Callable[[Task, RunWriter], Awaitable[None]]
"""Does a background run; see `TaskHandler`."""


class Runs(Protocol):
    """Background runs: tasks that say something while they run, which can be read from any point, by any process.

    A run is its principal's: an id that is unknown, forgotten or another principal's is the same `UnknownId`. What a
    run said is kept for `Limits.record_ttl`; without a database it is bounded by `Limits.max_buffered_bytes` together,
    and gone with the process.
    """

    def handle(
        self,
        kind: str,
        handler: RunHandler,
        *,
        on_give_up: TaskHandler | None = None,
        needs_start: bool = True,
        keeps_log: bool = True,
    ) -> None:
        """Let runs of a kind be done by `handler`; see `Tasks.handle`.

        Without `keeps_log` what a run said is forgotten as soon as it is done, or cancelled while it runs: for handlers
        that keep it elsewhere. Who reads then may be told less than all.
        """
        ...

    async def start(
        self, *, kind: str, line: str, payload: JSON, id: str | None = None, principal: Principal | None = None
    ) -> str:
        """Accept a run, and return its id: one of its own that nobody can guess when left out; see `Tasks.accept`.

        Whoever may ask a second time names the run, so that it is begun once.
        """
        ...

    async def status(self, id: str, *, kind: str, principal: Principal | None = None) -> RunStatus:
        """Return where a run is.

        Raises:
            UnknownId: There is no such run of this principal.
        """
        ...

    async def events(
        self, id: str, *, kind: str, after: tuple[int, int] | None = None, principal: Principal | None = None
    ) -> AsyncGenerator[RunEvent]:
        """Return what a run says until it has ended: behind a position, or from the start of its newest attempt.

        It ends early when this host drains and the run goes on elsewhere.

        Raises:
            UnknownId: There is no such run of this principal.
        """
        ...

    async def last(self, id: str, *, kind: str, principal: Principal | None = None) -> RunEvent | None:
        """Return what a run said last; nothing when it has said nothing, it is forgotten, or there is no such run."""
        ...

    async def forget(self, id: str, *, kind: str, principal: Principal | None = None) -> None:
        """Forget what a run said; its outcome stays known for a time."""
        ...

    async def cancel(self, id: str, *, kind: str, principal: Principal | None = None) -> bool:
        """Stop a run, wherever it runs or waits; `False` when it has ended.

        Raises:
            UnknownId: There is no such run of this principal.
        """
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
