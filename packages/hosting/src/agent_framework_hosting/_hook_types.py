"""What the three hooks are, for signatures and those who check types: a host calls them as the functions they are."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any, Protocol

from agent_framework import AgentResponseUpdate

from .types import ChannelRequest, HostedRunResult


class ChannelRunHook(Protocol):
    """Runs after parsing and before the run; returns the request that is really run.

    `protocol_request` is what the channel parsed (for HTTP channels the decoded body). The agent gets copies of the
    messages, with the fields that Agent Framework's have: what a hook wants to tell it more goes into their
    `additional_properties`.
    """

    def __call__(
        self, request: ChannelRequest, /, *, target: Any, protocol_request: Any
    ) -> ChannelRequest | Awaitable[ChannelRequest]: ...


class ChannelResponseHook(Protocol):
    """Runs after the run and before rendering; for a stream it shapes the final response."""

    def __call__(
        self, result: HostedRunResult[Any], /, *, request: ChannelRequest, channel_name: str
    ) -> HostedRunResult[Any] | Awaitable[HostedRunResult[Any]]: ...


class ChannelStreamUpdateHook(Protocol):
    """Rewrites one streamed update, or drops it by returning `None`.

    It is no redaction of the final response: `get_final_response()`, the session's history and runs that do not
    stream never see it. Use a response hook for those.
    """

    def __call__(
        self, update: AgentResponseUpdate, /
    ) -> AgentResponseUpdate | None | Awaitable[AgentResponseUpdate | None]: ...
