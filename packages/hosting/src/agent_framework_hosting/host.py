"""`AgentFrameworkHost`: one agent, every channel."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Any, Self

from agent_framework import AgentResponse, SupportsAgentRun
from starlette.applications import Starlette

from . import _lifespan, _server
from ._admission import Admission
from ._app import build_app, mounted
from ._context import HostContext
from ._guard import platform_is_trusted
from ._lifespan import NamedContribution
from ._mount import contribution_of, normal_path, refuse_clashes, refuse_strangers
from ._pipeline import Pipeline, Steps
from ._sessions.sessions import Sessions
from ._state.memory import MemoryAliases, MemoryTurns
from ._target.agent import AgentTarget
from ._target.target import Target
from .channel import Channel
from .errors import ConfigurationError
from .limits import Limits
from .logs import logger
from .types import DEFAULT_TENANT, ChannelRequest, HostedRunResult


class AgentFrameworkHost:
    """Serves one agent through one or more channels.

    Args:
        target: The agent: any object with Agent Framework's `SupportsAgentRun` shape.
        channels: The ways in; an empty list serves the readiness probe alone.
        debug: Log at DEBUG level. Never shows anything more to callers.
        limits: All bounds in one object.
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

    def __init__(
        self,
        target: SupportsAgentRun | Any,
        *,
        channels: Sequence[Channel],
        debug: bool = False,
        limits: Limits | None = None,
        trust_isolation_headers: bool | None = None,
    ) -> None:
        self._target: Target = AgentTarget(target)
        self._channels = tuple(channels)
        refuse_strangers(self._channels)
        refuse_clashes(self._channels)
        self._limits = limits or Limits()
        self._trusts_headers = platform_is_trusted() if trust_isolation_headers is None else trust_isolation_headers
        self._admission = Admission()
        self._sessions = Sessions(
            target=self._target,
            turns=MemoryTurns(max_turns=self._limits.max_turns),
            aliases=MemoryAliases(max_aliases=self._limits.max_turns),
            limits=self._limits,
        )
        self._pipeline = Pipeline(target=self._target, sessions=self._sessions, admission=self._admission)
        self._contributions = self._contributed()
        self._app: Starlette | None = None
        self._bind: str | None = None
        self._entered = 0
        if debug:
            logger.setLevel(logging.DEBUG)

    @property
    def target(self) -> Any:
        """The agent that is served."""
        return self._target.served

    @property
    def channels(self) -> Sequence[Channel]:
        """The channels, in the order in which they start."""
        return self._channels

    @property
    def app(self) -> Starlette:
        """The Starlette application; built on first use."""
        if self._app is None:
            self._app = build_app(
                self._contributions,
                admission=self._admission,
                lifespan=self.lifespan,
                trust_isolation_headers=self._trusts_headers,
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
            try:
                await self._start()
            except BaseException:
                self._entered -= 1
                raise
            self._admission.start()
            logger.info("%s", self._described())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        self._entered -= 1
        if self._entered == 0:
            await self._drain()
            try:
                await _lifespan.stop(self._contributions)
            finally:
                self._admission.stop()
                await self._target.stop()

    async def run(self, request: ChannelRequest) -> HostedRunResult[AgentResponse[Any]]:
        """Run a request without any channel, through the same pipeline.

        Raises:
            RequestError: The request cannot be served as it is.
            Unavailable: The host was not started, or drains.

        Example:
            >>> import asyncio
            >>> from agent_framework_hosting.testing import ScriptedAgent
            >>> host = AgentFrameworkHost(ScriptedAgent(), channels=[])
            >>> request = ChannelRequest(channel="script", operation="message", input="hello")
            >>> isinstance(asyncio.run(host.run(request)).result, AgentResponse)
            True
        """
        return await self._pipeline.run(request, Steps())

    def reset_session(self, isolation_key: str, *, tenant: str = DEFAULT_TENANT) -> None:
        """Start a fresh session under this key with the next request; a run in progress ends in the old one."""
        self._sessions.reset(tenant, isolation_key)

    def begin_drain(self) -> None:
        """Take no new work and say so on the readiness probe; what runs goes on. For servers other than `serve`."""
        self._admission.begin_drain()

    def serve(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 8000,
        workers: int = 1,
        allow_unauthenticated: bool = False,
        **server_options: Any,
    ) -> None:
        """Serve on Hypercorn until the process is told to stop; then finish or tell what runs, and return.

        Args:
            host: The address to bind, or `unix:` and a path.
            port: The port to bind.
            workers: More than one is refused for now, because sessions live in this process.
            allow_unauthenticated: Serve on an address that others can reach, although nothing says who is calling.
            server_options: Names of Hypercorn's configuration, for example `keyfile` or `accesslog`.

        Raises:
            ConfigurationError: Hypercorn is missing, an option is unknown, or strangers could use the agent.
        """
        if workers != 1:
            raise ConfigurationError(
                f"serve(workers={workers}) is not offered yet: sessions live in one process's memory, and another one "
                "would not know them. Serve with workers=1."
            )
        _server.refuse_running_loop()
        config = _server.configuration(bind=_server.address_of(host, port), options=server_options)
        _server.refuse_open_door(
            config, authenticated=self._trusts_headers, allow_unauthenticated=allow_unauthenticated
        )
        self._bind = ", ".join(config.bind)
        _server.show_logs()
        asyncio.run(_server.serve(self.app, config, drain=self._drain))

    async def _start(self) -> None:
        await self._target.start()
        try:
            await _lifespan.start(self._contributions)
        except BaseException:
            await self._target.stop()
            raise

    async def _drain(self) -> None:
        await self._admission.drain(timeout=self._limits.drain_timeout)

    def _contributed(self) -> list[NamedContribution]:
        context = HostContext(
            target=self._target, limits=self._limits, pipeline=self._pipeline, sessions=self._sessions
        )
        contributions = [
            NamedContribution(channel.name, normal_path(channel), contribution_of(channel, context))
            for channel in self._channels
        ]
        context.commands = tuple(command for each in contributions for command in each.contribution.commands)
        mounted(contributions)
        if self._target.needs_start or any(each.contribution.on_startup for each in contributions):
            self._admission.require_start()
        return contributions

    def _described(self) -> str:
        channels = ", ".join(f"{each.name} at {each.path or '/'}" for each in self._contributions) or "no channels"
        where = f" on {self._bind}" if self._bind else ""
        notes = "".join(f"; {note}" for note in self._target.notes)
        return (
            f"Serving {self._target.name}{where}: {channels}. State: memory only, at most {self._limits.max_sessions} "
            f"sessions, lost when the process ends{notes}."
        )
