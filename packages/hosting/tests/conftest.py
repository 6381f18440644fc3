"""A channel that does nothing but hand its context to the test."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from starlette.routing import BaseRoute

from agent_framework_hosting.channel import (
    ChannelCommand,
    ChannelContext,
    ChannelContribution,
    ErrorRenderer,
    SiblingRoute,
    VerifiedRoute,
)
from agent_framework_hosting.host import AgentFrameworkHost

from .databases import postgres_schema, postgres_server

# Lets the tests of this folder import the modules beside them.
sys.path.insert(0, str(Path(__file__).parent))


@dataclass
class Probe:
    """A channel whose contribution the test chooses and whose context the test uses."""

    name: str = "probe"
    path: str = "/probe"
    routes: Sequence[BaseRoute] = ()
    commands: Sequence[ChannelCommand] = ()
    on_startup: Sequence[Callable[[], Any]] = ()
    on_shutdown: Sequence[Callable[[], Any]] = ()
    siblings: Sequence[SiblingRoute] = ()
    verified_routes: Sequence[VerifiedRoute] = ()
    render_error: ErrorRenderer | None = None
    exclusive: Sequence[str] = ()
    context: ChannelContext = field(init=False)

    def contribute(self, context: ChannelContext) -> ChannelContribution:
        self.context = context
        return ChannelContribution(
            self.routes,
            self.commands,
            self.on_startup,
            self.on_shutdown,
            siblings=self.siblings,
            verified_routes=self.verified_routes,
            render_error=self.render_error,
            exclusive=self.exclusive,
        )


@pytest.fixture
def make_probe() -> type[Probe]:
    """Return the class of channels that do what the test says."""
    return Probe


@pytest.fixture
def connect() -> Callable[..., ChannelContext]:
    """Return a function that hosts an agent and returns the context that its channel got."""

    def connect(agent: Any, **host_options: Any) -> ChannelContext:
        probe = Probe()
        AgentFrameworkHost(agent, channels=[probe], **host_options)
        return probe.context

    return connect


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Generator[str]:
    """Return the URL of a PostgreSQL server that all test processes share."""
    shared = tmp_path_factory.getbasetemp()
    with postgres_server(shared.parent if "PYTEST_XDIST_WORKER" in os.environ else shared) as url:
        yield url


@pytest.fixture
def make_database(request: pytest.FixtureRequest, tmp_path: Path) -> Generator[Callable[[str], str]]:
    """Return a function that makes an empty database of a kind, `sqlite` or `postgres`, and returns its URL."""
    with ExitStack() as stack:

        def make_database(kind: str) -> str:
            if kind == "sqlite":
                return f"sqlite:///{tmp_path}/state/host.db"
            return stack.enter_context(postgres_schema(request.getfixturevalue("postgres")))

        yield make_database


@pytest.fixture(params=["sqlite", "postgres"])
def database(request: pytest.FixtureRequest, make_database: Callable[[str], str]) -> str:
    """Return the URL of an empty database of each kind."""
    return make_database(request.param)
