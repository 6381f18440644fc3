"""`AgentFrameworkHost`: one agent or workflow, every channel."""

from __future__ import annotations

import logging
import os
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Literal, Self

# The types that Agent Framework loads only when somebody asks for them stand by their full names.
import agent_framework
from agent_framework import SupportsAgentRun
from msgspec.structs import replace
from starlette.applications import Starlette

from . import _lifespan, _named_types, channel
from ._admission import Admission
from ._admitted import Steps
from ._app import build_app, contributions_of, liveness_probe, mounted, readiness_probe
from ._context import HostContext
from ._doorway import Doorway
from ._drain import Drain
from ._lifespan import Channels, NamedContribution
from ._mount import checked_channels
from ._pipeline import Pipeline
from ._runs.late import LateRuns
from ._sessions.sessions import Sessions
from ._setup import (
    Order,
    checked_limits,
    checked_order,
    may_fail,
    memory_store,
    placed,
    refuse_unfit,
    refuse_unordered,
    stored_sessions,
)
from ._spared import spared
from ._start_line import StartLine
from ._state.folders import StateFolders
from ._state.paths import StateDir
from ._target.accepted import Checkpoints, accept
from ._tasks.accepted import AcceptedWork
from ._telemetry.watched import WatchedHost
from .door import Door
from .entrances import HOST, Entrance
from .limits import Limits
from .logs import LogFormat, logger, show_logs
from .types import DEFAULT_TENANT, ChannelRequest, HostedRunResult

if TYPE_CHECKING:
    from . import _server
    from ._connections import BoundedConfig
    from ._state.database import Migrate
    from ._state.port import StateStore
    from ._target.target import Target
    from ._workers.worker import Share

_OPEN: Final = "allow_unauthenticated"


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
        limits: All bounds in one object. What it does not name is taken from the environment (`AF_HOSTING_RUN_TIMEOUT`
            and so on), and else the default.
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
        door: Which hosts, pages, proxies and scopes may come in; see `agent_framework_hosting.door`.
        observability: Which metrics and warnings there are beyond the usual; see `Observability`.
        drain_on_signals: Hear SIGTERM and SIGINT besides the server that runs the app, and drain at once, so that
            streams are finished or told. `serve` does so by itself; it is for uvicorn and others.

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
        target: SupportsAgentRun | agent_framework.Workflow | Callable[[], Any] | Any,
        *,
        channels: Sequence[channel.Channel],
        debug: bool = False,
        checkpoint_location: str | os.PathLike[str] | agent_framework.CheckpointStorage | None = None,
        checkpoint_key: str | bytes | None = None,
        state_dir: StateDir | None = None,
        limits: Limits | None = None,
        auth: _named_types.Authenticator | None = None,
        trust_isolation_headers: bool | None = None,
        database: str | _named_types.StateStore | None = None,
        session_store: _named_types.SessionStore | None = None,
        migrate: _named_types.Migrate = "auto",
        concurrency: Order = "queue",
        failing_channels: Literal["stop", "disable"] = "stop",
        observability: _named_types.Observability | None = None,
        drain_on_signals: bool = False,
        door: Door | None = None,
    ) -> None:
        self._limits = checked_limits(limits)
        self._concurrency: Order = checked_order(concurrency, session_store=session_store)
        self._database = database
        store = None if database is None else _opened(database, limits=self._limits, migrate=migrate)
        checkpoints = Checkpoints(location=checkpoint_location, key=checkpoint_key, store=store)
        paths = placed(state_dir, checkpoints, target, database=database)
        stored = stored_sessions(session_store, database=database)
        self._target: Target = accept(
            target, checkpoints=replace(checkpoints, derived=paths.checkpoints), stored=stored
        )
        refuse_unordered(self._concurrency, self._target.served)
        self._channels = checked_channels(channels)
        self._doorway = Doorway(
            auth=auth,
            door=door,
            trust_isolation_headers=trust_isolation_headers,
            channels=[channel.name for channel in self._channels],
        )
        self._admission = Admission()
        self._state = StateFolders(paths, limits=self._limits, guarded=checkpoints.guarded(target))
        self._store = store or memory_store(self._state.aliases, limits=self._limits)
        self._sessions = Sessions(
            target=self._target, store=self._store, limits=self._limits, concurrency=self._concurrency
        )
        self._watched = WatchedHost(
            observability,
            cached_sessions=lambda: self._sessions.cached,
            running_tasks=lambda: self._tasks.running,
        )
        self._drain = Drain(self._admission, timeout=self._limits.drain_timeout, on_signals=drain_on_signals)
        self._pipeline = Pipeline(
            target=self._target,
            sessions=self._sessions,
            admission=self._admission,
            limits=self._limits,
            telemetry=self._watched.telemetry,
        )
        self._tasks = AcceptedWork(
            store=self._store, admission=self._admission, limits=self._limits, is_in_memory=database is None
        )
        self._started = Channels(self._contributed(), may_fail=may_fail(failing_channels))
        self._entrances = (
            readiness_probe(
                self._admission,
                is_well=lambda: self._target.is_well,
                stores_well=lambda: self._store.is_well,
            ),
            liveness_probe(),
            *mounted(self._started.contributions),
        )
        self._line = StartLine(
            target=self._target,
            channels=self._started,
            database=database,
            session_store=stored,
            folders=self._state,
            max_sessions=self._limits.max_sessions,
            is_concurrent=self._concurrency == "concurrent",
            tasks=self._tasks,
            doorway=self._doorway,
        )
        self._say: Callable[[str], None] = partial(logger.info, "%s")
        logger.setLevel(logging.DEBUG if debug else logger.level)

    @property
    def target(self) -> Any:
        """What is served; a factory until the host has started."""
        return self._target.served

    @property
    def channels(self) -> Sequence[channel.Channel]:
        """The channels, in the order in which they start."""
        return self._channels

    @property
    def entrances(self) -> Sequence[Entrance]:
        """Every route of the app, and who says there who is calling."""
        return self._entrances

    @property
    def _is_verified(self) -> bool:
        """Whether the channels verify all that comes to them, as those of chat platforms do."""
        others = [each for each in self._entrances if each.channel is not None]
        return bool(self._channels) and all(each.authenticated_by != HOST for each in others)

    @property
    def app(self) -> Starlette:
        """The Starlette application; built on first use."""
        if self._app is None:
            self._app = build_app(
                self._entrances,
                lifespan=self._serving,
                doorway=self._doorway,
                limits=self._limits,
                disabled=self._started.disabled,
                telemetry=self._watched.telemetry,
                sockets=self._drain.sockets,
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

    @asynccontextmanager
    async def _serving(self, _app: object) -> AsyncGenerator[None]:
        # Whoever runs `host.app` by itself serves nothing else; of an app of the user's nothing is known.
        async with self:
            with spared():
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
            self._tasks.start(without=self._started.disabled)
            self._say(self._line.said(bind=self._bind))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        self._entered -= 1
        if self._entered == 0:
            await _lifespan.undo(
                (
                    self.drain,
                    self._watched.stop,
                    self._drain.stop,
                    self._tasks.stop,
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
            TypeError: It is no request.

        Example:
            >>> import asyncio
            >>> from agent_framework_hosting.testing import ScriptedAgent
            >>> host = AgentFrameworkHost(ScriptedAgent(), channels=[])
            >>> request = ChannelRequest(channel="script", operation="message", input="hello")
            >>> asyncio.run(host.run(request)).result.text
            'echo: hello'
        """
        refuse_unfit(request)
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

    async def drain(self) -> bool:
        """Take no new work, let what runs finish for `Limits.drain_timeout`, then tell it and close all WebSockets.

        Returns:
            Whether nothing runs any more. What holds on to its task against a cancellation cannot be stopped.
        """
        return await self._drain.drain()

    def serve(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 8000,
        workers: int = 1,
        import_path: str | None = None,
        allow_unauthenticated: bool = False,
        log_format: LogFormat | None = None,
        access_log: bool = True,
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
            log_format: How the log is said: `"console"` or `"json"`. Left out, the environment variable
                `AF_HOSTING_LOG_FORMAT` says so, and without it a program's own logging stays as it is.
            access_log: Say a line about each request.
            server_options: Names of Hypercorn's configuration, for example `keyfile` or `accesslog`.

        Raises:
            ConfigurationError: Hypercorn is missing, an option is unknown, strangers could use the agent, the
                address is taken, or several processes cannot serve this host.
            StartFailed: None of several processes could start.
        """
        from . import _server

        _server.refuse_running_loop()
        config = _server.configuration(
            bind=_server.address_of(host, port),
            options=server_options,
            limits=self._limits,
            patience=self._state.patience,
        )
        self._doorway.lets_strangers_in |= allow_unauthenticated
        _server.refuse_open_door(
            config,
            authenticated=self._doorway.names_callers or self._is_verified,
            allow_unauthenticated=self._doorway.lets_strangers_in,
        )
        show_logs(log_format, access=access_log)
        if workers == 1:
            self._bind = ", ".join(config.bind)
            self._addresses = config.bind
            self._serve(config)
            return
        # What several processes need is loaded by those that are several.
        from ._several import shared_location, work
        from ._workers.serving import check_options, supervise

        location = shared_location(self, workers=workers, import_path=import_path, store=self._store)
        check_options(server_options, config)
        options = {**server_options, "startup_timeout": config.startup_timeout, _OPEN: self._doorway.lets_strangers_in}
        supervise(
            config,
            options,
            work=partial(work, AgentFrameworkHost, AgentFrameworkHost._serve_share),
            location=location,
            count=workers,
            on_up=lambda description: self._say(f"{description} Workers: {workers}."),
            drain=self._limits.drain_timeout,
            log_format=log_format,
            access_log=access_log,
        )

    def _serve_share(self, share: Share, on_up: Callable[[str], None]) -> None:
        # As one of several processes, which `serve(workers=2)` has started.
        from ._several import require_shared_state
        from ._workers.serving import silence_addresses
        from ._workers.worker import told_by_supervisor

        require_shared_state(self._store)
        self._bind = share.bind
        self._say = on_up
        show_logs(share.log_format, access=share.access_log)
        silence_addresses()
        options = share.taken()
        self._doorway.lets_strangers_in = options.pop(_OPEN)
        from . import _server

        config = _server.configuration(bind="", options=options, limits=self._limits, is_shared=True)
        self._serve(config, told=told_by_supervisor)

    def _serve(self, config: BoundedConfig, *, told: _server.Told | None = None) -> None:
        from . import _server

        self._watched.is_serving = True
        serving = _server.serve(
            self.app,
            config,
            limits=self._limits,
            told=told or _server.told_by_signals,
            on_told=self.begin_drain,
            drain=self.drain,
        )
        _server.run(serving, failure=lambda: self._failure)

    async def _start(self) -> None:
        started: list[Callable[[], Awaitable[None] | None]] = []
        try:
            await self._state.start(is_called_off=lambda: self._admission.draining)
            started.append(self._state.stop)
            # Not sooner: a host that gives its state up gives its port up before.
            if self._addresses:
                from . import _server

                _server.refuse_taken(self._addresses)
            await self._store.start()
            started.append(self._store.stop)
            await self._target.start()
            started.append(self._target.stop)
            refuse_unordered(self._concurrency, self._target.served)
            self._drain.start()
            started.append(self._drain.stop)
            await self._started.start()
            started.append(self._started.stop)
            await self._tasks.warn_of_strays()
            self._watched.start()
        except BaseException as error:
            await _lifespan.undo(started[::-1], because=error)
            raise

    def _contributed(self) -> list[NamedContribution]:
        context = HostContext(
            target=self._target,
            limits=self._limits,
            pipeline=self._pipeline,
            sessions=self._sessions,
            runs=LateRuns(work=self._tasks, store=self._store, limits=self._limits),
            tasks=self._tasks,
        )
        contributions = contributions_of(self._channels, context, handled_by=self._tasks.handled_by)
        context.commands = tuple(command for each in contributions for command in each.contribution.commands)
        has_steps = self._tasks.is_used or any(each.contribution.on_startup for each in contributions)
        if has_steps or self._database is not None or self._state.needs_start or self._target.needs_start:
            self._admission.require_start()
        return contributions


def _opened(database: str | StateStore, *, limits: Limits, migrate: Migrate) -> StateStore:
    from ._state.database import open_store

    return open_store(database, limits=limits, migrate=migrate)
