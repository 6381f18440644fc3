"""A channel that does nothing but hand its context to the test."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
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
