"""The host with its Responses channel, as its README sets it up."""

from __future__ import annotations

from typing import Any

from starlette.types import ASGIApp

from agent_framework_hosting.host import AgentFrameworkHost
from agent_framework_hosting_responses.channel import ResponsesChannel


def hosted_app(agent: Any) -> ASGIApp:
    """Return the host's app."""
    return AgentFrameworkHost(agent, channels=[ResponsesChannel()]).app
