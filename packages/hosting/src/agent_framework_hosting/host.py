"""`AgentFrameworkHost`: one agent or workflow, every channel."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from multiprocessing.connection import Connection
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self

from agent_framework import CheckpointStorage, SupportsAgentRun, Workflow
from starlette.applications import Starlette

from . import _lifespan, _server
from ._admission import Admission
from ._app import build_app, mounted, readiness_probe
from ._authentication import who_says
from ._context import HostContext
from ._guard import platform_is_trusted
from ._lifespan import Channels, NamedContribution
from ._mount import contribution_of, listed, normal_path, refuse_clashes, refuse_strangers
from ._pipeline import Pipeline, Steps
from ._sessions.sessions import Sessions
from ._state.database import Migrate, described, open_store
from ._state.folders import StateFolders
from ._state.memorystore import MemoryStore
from ._state.paths import StateDir, StatePaths, resolve
from ._state.store import Concurrency, StateStore
from ._target.accepted import Checkpoints, accept, has_checkpoints, refuse_concurrent_turns
from ._target.session_store import SessionStore, StoredSessions
from ._target.target import Target
from ._workers import location
from ._workers.report import reporting
from ._workers.serving import check_options, silence_addresses, supervise
from ._workers.worker import Share, is_worker, leave_interrupts_to_the_supervisor, told_by_supervisor
from .auth.authenticator import Authenticator, authenticate_with
from .channel import Channel
from .entrances import Entrance
from .errors import ConfigurationError, Draining
from .limits import Limits
from .logs import logger
from .types import DEFAULT_TENANT, ChannelRequest, HostedRunResult

if TYPE_CHECKING:
    from hypercorn.config import Config


class AgentFrameworkHost:
    """Serves one agent or workflow through one or more channels.

    Args:
        target: The agent (any object with Agent Framework's `SupportsAgentRun` shape), a `Workflow`, a workflow
            function (`agent_framework.workflow`), or a function without arguments, plain or async, that makes one of
            them. Such a function is called when the host starts, and for a workflow once more for every session.
        channels: The ways in; an empty list serves the readiness probe alone.
        debug: Log at DEBUG level. Never shows anything more to callers.
        checkpoint_location: Where the checkpoints of a workflow's sessions are kept, so that they outlive the
            process: a path, where each session has a folder of its own, or a `CheckpointStorage`, used as it is.
        checkpoint_key: The secret that checkpoints in a path are sealed with, at least 32 characters. Left out, it is
            taken from the environment variable `AF_HOSTING_CHECKPOINT_KEY`, or else made and kept in the user's data
            folder; the start line says where.
        state_dir: Where to keep which session a key stands for after resets, and a workflow's checkpoints: a folder,
            or a mapping as `HostStatePaths` is one. One host at a time has it; another one waits at its start. What was
            said is kept by the agent's own history provider, never there. Left out, all is kept in memory.
        limits: All bounds in one object.
        database: Where sessions and turns are kept: `sqlite:///./state/host.db`, `postgresql://…`, or a store. In
            memory when left out: bounded, and gone with the process.
        session_store: Instead of a database: where an agent's sessions are kept, whole, after every run: a
            `SessionStore` of Agent Framework, or an object with its async `get`, `set` and `delete`. What it cannot
            promise is named in the start line.
        migrate: Bring the database's schema up to date at start (`"auto"`), or refuse an older one (`"check"`).
        concurrency: What a turn does when its session is busy: `"queue"`, `"reject"` (409), or `"interrupt"` what runs.
            `"concurrent"`, for agents that need no memory of the session, lets all run at once: each turn gets a
            session object of its own under the session's id, and finds nothing of the others in it. A turn that is
            named by its id is continued as that turn left it, as often as one likes; a key alone continues nothing.
            What an agent keeps elsewhere under the session's id is the agent's own affair.
        failing_channels: What becomes of the others when a channel fails to start: the host does not start (`"stop"`),
            or they serve without it (`"disable"`): its paths answer 503, and the start line names it.
        auth: Says who is calling: `ApiKeys`, a Starlette `AuthenticationBackend`, or a function
            `(request) -> Principal | None`; see `agent_framework_hosting.auth`. Who is nobody gets 401. Left out, the
            user of the app around the host is calling (`request.user`), else an anonymous one.
        trust_isolation_headers: Believe the isolation headers of whatever sits in front. Left out, they are believed
            when the environment says that a trusted platform is there, and taken out of every request otherwise.

    Raises:
        ConfigurationError: The parts do not fit together; the message says how to mend it.

    Example:
        >>> from agent_framework_hosting.testing import ScriptedAgent
        >>> host = AgentFrameworkHost(ScriptedAgent(), channels=[])
        >>> host.app is host.app
        True
    """

    _app: Starlette | None = None
    _bind: str | None = None
    _entered = 0
    _failure: Exception | None = None
    _addresses: Sequence[str] = ()

    def __init__(
        self,
        target: SupportsAgentRun | Workflow | Callable[[], Any] | Any,
        *,
        channels: Sequence[Channel],
        debug: bool = False,
        checkpoint_location: str | os.PathLike[str] | CheckpointStorage | None = None,
        checkpoint_key: str | bytes | None = None,
        state_dir: StateDir | None = None,
        limits: Limits | None = None,
        auth: Authenticator | None = None,
        trust_isolation_headers: bool | None = None,
        database: str | StateStore | None = None,
        session_store: SessionStore | None = None,
        migrate: Migrate = "auto",
        concurrency: Concurrency | Literal["concurrent"] = "queue",
        failing_channels: Literal["stop", "disable"] = "stop",
    ) -> None:
        self._limits = limits or Limits()
        self._concurrency = _known(concurrency)
        self._database = database
        store = open_store(database, limits=self._limits, migrate=migrate) if database is not None else None
        checkpoints = Checkpoints(location=checkpoint_location, key=checkpoint_key, store=store)
        paths = self._placed(state_dir, checkpoints, target)
        self._session_store = _stored(session_store, database)
        self._target: Target = accept(
            target, checkpoints=replace(checkpoints, derived=paths.checkpoints), stored=self._session_store
        )
        self._refuse_concurrent_turns()
        self._channels = listed(channels)
        refuse_strangers(self._channels)
        refuse_clashes(self._channels)
        self._auth = auth
        self._authenticate = None if auth is None else authenticate_with(auth)
        self._trusts_headers = platform_is_trusted() if trust_isolation_headers is None else trust_isolation_headers
        self._admission = Admission()
        self._state = StateFolders(paths, limits=self._limits)
        self._store = store or MemoryStore(
            aliases=self._state.aliases,
            max_turns=self._limits.max_turns,
            max_waiting=self._limits.max_waiting,
            claim_ttl=self._limits.idempotency_ttl,
            document_ttl=self._limits.session_ttl,
        )
        self._sessions = Sessions(
            target=self._target,
            store=self._store,
            limits=self._limits,
            concurrency=self._concurrency,
        )
        self._pipeline = Pipeline(target=self._target, sessions=self._sessions, admission=self._admission)
        self._started = Channels(self._contributed(), may_fail=_may_fail(failing_channels))
        self._entrances = (
            readiness_probe(
                self._admission,
                is_well=lambda: self._target.is_well,
                stores_well=lambda: self._store.is_well,
            ),
            *mounted(self._started.contributions),
        )
        self._say = _say
        if debug:
            logger.setLevel(logging.DEBUG)

    @property
    def target(self) -> Any:
        """What is served; a factory until the host has started."""
        return self._target.served

    @property
    def channels(self) -> Sequence[Channel]:
        """The channels, in the order in which they start."""
        return self._channels

    @property
    def entrances(self) -> Sequence[Entrance]:
        """Every route of the app, and who says there who is calling."""
        return self._entrances

    @property
    def app(self) -> Starlette:
        """The Starlette application; built on first use."""
        if self._app is None:
            self._app = build_app(
                self._entrances,
                lifespan=self.lifespan,
                authenticate=self._authenticate,
                authentication_timeout=self._limits.authentication_timeout,
                trust_isolation_headers=self._trusts_headers,
                disabled=self._started.disabled,
            )
        return self._app

    @asynccontextmanager
    async def lifespan(self, _app: object) -> AsyncGenerator[None]:
        """Start the host for as long as the context lasts; for an app of yours that mounts `host.app`.

        Example:
            >>> from fastapi import FastAPI
            >>> from agent_framework_hosting.testing import ScriptedAgent
            >>> host = AgentFrameworkHost(ScriptedAgent(), channels=[])
            >>> app = FastAPI(lifespan=host.lifespan)
            >>> app.mount("/agent", host.app)
        """
        async with self:
            yield

    async def __aenter__(self) -> Self:
        # An app of the user's and `host.app` may both run this: the first one in starts, the last one out stops.
        self._entered += 1
        if self._entered == 1:
            self._failure = None
            try:
                await self._start()
            except BaseException as error:
                self._entered -= 1
                self._failure = error if isinstance(error, Exception) else None
                raise
            self._admission.start()
            self._say(self._described())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        self._entered -= 1
        if self._entered == 0:
            await _lifespan.undo(
                (
                    self._drain,
                    self._started.stop,
                    self._admission.stop,
                    self._target.stop,
                    self._store.stop,
                    self._state.stop,
                )
            )

    async def run(self, request: ChannelRequest) -> HostedRunResult[Any]:
        """Run a request without any channel, through the same pipeline.

        Raises:
            RequestError: The request cannot be served as it is.
            Unavailable: The host was not started, or drains.

        Example:
            >>> import asyncio
            >>> from agent_framework_hosting.testing import ScriptedAgent
            >>> host = AgentFrameworkHost(ScriptedAgent(), channels=[])
            >>> request = ChannelRequest(channel="script", operation="message", input="hello")
            >>> asyncio.run(host.run(request)).result.text
            'echo: hello'
        """
        return await self._pipeline.run(request, Steps())

    def reset_session(self, isolation_key: str, *, tenant: str = DEFAULT_TENANT) -> None:
        """Start a fresh session under this key with the next request; a run in progress ends in the old one.

        With a `state_dir` the reset has reached the disk when this returns. A host that does not run takes its folder
        for the moment; when another one has it, that one is to be asked.

        Raises:
            Unavailable: The reset could not be written; the session goes on as it is.
            ConfigurationError: The host does not run, and its folder is another one's or cannot be used.
        """
        self._sessions.reset(tenant, isolation_key)

    async def areset_session(self, isolation_key: str, *, tenant: str = DEFAULT_TENANT) -> None:
        """Do what `reset_session` does without holding up the event loop while the disk is written."""
        await self._sessions.areset(tenant, isolation_key)

    def begin_drain(self) -> None:
        """Take no new work and say so on the readiness probe; what runs goes on. For servers other than `serve`."""
        self._admission.begin_drain()

    def serve(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 8000,
        workers: int = 1,
        import_path: str | None = None,
        allow_unauthenticated: bool = False,
        **server_options: Any,
    ) -> None:
        """Serve on Hypercorn until the process is told to stop; then finish or tell what runs, and return.

        Args:
            host: The address to bind, or `unix:` and a path.
            port: The port to bind.
            workers: How many processes serve. More than one need a `database=`, which they share, and import the host:
                it has to be a variable of a module, made above `if __name__ == "__main__":`. One that dies is replaced.
            import_path: Where the processes find the host, as `"package.module:host"`; may name a function without
                arguments that makes it. Left out, it is looked for in the modules that this process has imported.
            allow_unauthenticated: Serve on an address that others can reach, although nothing says who is calling.
            server_options: Names of Hypercorn's configuration, for example `keyfile` or `accesslog`.

        Raises:
            ConfigurationError: Hypercorn is missing, an option is unknown, strangers could use the agent, the
                address is taken, or several processes cannot serve this host.
            StartFailed: None of several processes could start.
        """
        _server.refuse_running_loop()
        config = _server.configuration(
            bind=_server.address_of(host, port), options=server_options, patience=self._state.patience
        )
        authenticated = self._authenticate is not None or self._trusts_headers
        _server.refuse_open_door(config, authenticated=authenticated, allow_unauthenticated=allow_unauthenticated)
        _server.show_logs()
        if workers == 1:
            self._bind = ", ".join(config.bind)
            self._addresses = config.bind
            self._serve(config)
            return
        location = self._shared_location(workers, import_path)
        check_options(server_options, config)
        options = {**server_options, "startup_timeout": config.startup_timeout}
        supervise(
            config,
            options,
            work=_work,
            location=location,
            count=workers,
            on_up=lambda description: _say(f"{description} Workers: {workers}."),
            drain=self._limits.drain_timeout,
        )

    def serve_share(self, share: Share, *, on_up: Callable[[str], None]) -> None:
        """Serve as one of several processes; for `serve(workers=2)`, which starts them."""
        self._require_shared_state()
        self._bind = share.bind
        self._say = on_up
        _server.show_logs()
        silence_addresses()
        self._serve(_server.configuration(bind="", options=share.taken()), told=told_by_supervisor)

    def _serve(self, config: Config, *, told: _server.Told = _server.told_by_signals) -> None:
        try:
            asyncio.run(_server.serve(self.app, config, told=told, on_told=self.begin_drain, drain=self._drain))
        except Exception:
            # Hypercorn makes one text of a failed start, traceback and all; whoever serves is told what was wrong.
            failure = self._failed_start()
            if failure is None:
                raise
            if not isinstance(failure, Draining):
                raise failure from None
            logger.info("%s", failure)

    def _failed_start(self) -> Exception | None:
        return self._failure

    def _shared_location(self, workers: int, import_path: str | None) -> str:
        if workers < 1:
            raise ConfigurationError(f"serve(workers={workers}) cannot serve anything. Use 1 or more.")
        if is_worker():
            raise ConfigurationError(
                f"serve(workers={workers}) was called while one of the workers imported the program. Call it under "
                "`if __name__ == '__main__':`."
            )
        self._require_shared_state()
        return import_path or location.find(self)

    def _require_shared_state(self) -> None:
        if not self._store.encodes:
            raise ConfigurationError(
                "Several workers need database=: without one, sessions live in one process's memory, and the others "
                "would not know them. Give the host one, for example database='sqlite:///./state/host.db', or serve "
                "with workers=1."
            )

    async def _start(self) -> None:
        started: list[Callable[[], Awaitable[None] | None]] = []
        try:
            await self._state.start(is_called_off=lambda: self._admission.draining)
            started.append(self._state.stop)
            # Not sooner: a host that gives its state up gives its port up before.
            _server.refuse_taken(self._addresses)
            await self._store.start()
            started.append(self._store.stop)
            await self._target.start()
            started.append(self._target.stop)
            self._refuse_concurrent_turns()
            await self._started.start()
        except BaseException as error:
            await _lifespan.undo(started[::-1], because=error)
            raise

    def _refuse_concurrent_turns(self) -> None:
        if self._concurrency == "concurrent":
            refuse_concurrent_turns(self._target.served)

    def _placed(self, state_dir: StateDir | None, checkpoints: Checkpoints, target: Any) -> StatePaths:
        paths = resolve(state_dir, has_checkpoints=has_checkpoints(target))
        if self._database is None:
            return checkpoints.placed(paths)
        if state_dir is not None:
            logger.warning("state_dir is not used: resets and checkpoints are kept in the database.")
        return StatePaths()

    async def _drain(self) -> bool:
        return await self._admission.drain(timeout=self._limits.drain_timeout)

    def _contributed(self) -> list[NamedContribution]:
        context = HostContext(
            target=self._target, limits=self._limits, pipeline=self._pipeline, sessions=self._sessions
        )
        contributions = [
            NamedContribution(channel.name, normal_path(channel), contribution_of(channel, context))
            for channel in self._channels
        ]
        context.commands = tuple(command for each in contributions for command in each.contribution.commands)
        if (
            self._database is not None
            or self._state.needs_start
            or self._target.needs_start
            or any(each.contribution.on_startup for each in contributions)
        ):
            self._admission.require_start()
        return contributions

    def _described(self) -> str:
        channels = (
            ", ".join(f"{each.name} at {each.path or '/'}" for each in self._started.contributions) or "no channels"
        )
        if self._started.disabled:
            channels += f" (disabled, since they failed to start: {', '.join(sorted(self._started.disabled))})"
        where = f" on {self._bind}" if self._bind else ""
        beside = ("turns of one session run side by side, and none remembers another",)
        told = (*self._target.notes, *(beside if self._concurrency == "concurrent" else ()))
        notes = "".join(f"; {note}" for note in told)
        return (
            f"Serving {self._target.name}{where}: {channels}. State: {self._described_state()}{notes}. "
            f"Callers: {who_says(self._auth, trusts_headers=self._trusts_headers)}."
        )

    def _described_state(self) -> str:
        if self._database is not None:
            return described(self._database) if isinstance(self._database, str) else type(self._database).__name__
        sessions = f"at most {self._limits.max_sessions} sessions"
        if self._session_store is not None:
            kept = f"sessions in {self._session_store.name}"
            return f"{kept}, {self._state.description}" if self._state.needs_start else kept
        if self._state.needs_start:
            return f"{self._state.description}; the rest in memory, {sessions}, lost when the process ends"
        return f"memory only, {sessions}, lost when the process ends"


def _stored(session_store: SessionStore | None, database: str | StateStore | None) -> StoredSessions | None:
    if session_store is None:
        return None
    if database is not None:
        raise ConfigurationError(
            "session_store and database say two places for one thing: where sessions are kept. Give one of them; a "
            "database promises more."
        )
    return StoredSessions(session_store)


def _say(description: str) -> None:
    logger.info("%s", description)


def _work(import_path: str, share: Share, reports: Connection) -> None:
    """Be one of the processes of `serve(workers=2)`."""
    with reporting(reports) as on_up:
        leave_interrupts_to_the_supervisor()
        location.load(import_path, kind=AgentFrameworkHost).serve_share(share, on_up=on_up)


def _known(concurrency: Concurrency | Literal["concurrent"]) -> Concurrency | Literal["concurrent"]:
    if concurrency not in ("queue", "reject", "interrupt", "concurrent"):
        raise ConfigurationError(
            f"concurrency={concurrency!r} is unknown. Use 'queue', 'reject', 'interrupt' or 'concurrent'."
        )
    return concurrency


def _may_fail(failing_channels: Literal["stop", "disable"]) -> bool:
    if failing_channels not in ("stop", "disable"):
        raise ConfigurationError(f"failing_channels={failing_channels!r} is unknown. Use 'stop' or 'disable'.")
    return failing_channels == "disable"
