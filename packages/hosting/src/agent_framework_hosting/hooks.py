"""The three hooks. The host calls them; each may be a plain or an async function."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from types import GeneratorType
from typing import Any, Protocol, TypeVar

from agent_framework import AgentResponseUpdate

from .errors import ConfigurationError, HookError
from .types import ChannelRequest, HostedRunResult

T = TypeVar("T")


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


def refuse_unfit(
    *,
    run_hook: ChannelRunHook | None,
    response_hook: ChannelResponseHook | None,
    stream_update_hook: ChannelStreamUpdateHook | None,
) -> None:
    """Raise when a hook could not be called, before the first request finds out.

    Raises:
        ConfigurationError: It is no function, or does not take what hooks are given.
    """
    _refuse_unfit("run_hook", run_hook, "(request, *, target, protocol_request)", "target", "protocol_request")
    _refuse_unfit("response_hook", response_hook, "(result, *, request, channel_name)", "request", "channel_name")
    _refuse_unfit("stream_update_hook", stream_update_hook, "(update)")


def _refuse_unfit(name: str, hook: object, form: str, *keywords: str) -> None:
    if hook is None:
        return
    mend = f"Give a plain or async function that takes {form}."
    if not callable(hook) or isinstance(hook, type):
        raise ConfigurationError(f"{name}={hook!r} is no function. {mend}")
    signature = _signature(hook)
    if signature is None:
        return
    try:
        signature.bind(object(), **dict.fromkeys(keywords))
    except TypeError as error:
        raise ConfigurationError(f"{name} cannot be called as hooks are: {error}. {mend}") from error


def _signature(hook: Callable[..., object]) -> inspect.Signature | None:
    """Return what a hook itself can be called with; nothing when that is not known.

    What a decorator wraps may take something else, and what a hook says of itself may be about that.
    """
    try:
        if getattr(hook, "__signature__", None) is not None:
            return None
        return inspect.signature(hook, follow_wrapped=False)
    except (TypeError, ValueError):  # of some that are written in C, Python does not know
        return None


async def settled(value: T | Awaitable[T]) -> T:
    """Return what a hook gave, awaited when the hook is async."""
    given: Any = value
    kind: Any = type(given)  # pyright: ignore[reportUnknownVariableType] - whatever a hook gave
    # What `inspect.isawaitable` says at several times the cost. Generators can be awaited when they are marked so.
    if hasattr(kind, "__await__") or (kind is GeneratorType and inspect.isawaitable(given)):
        return await given
    return given


def returned(value: Any, kind: type[T], hook: str) -> T:
    """Return what a hook has returned.

    Raises:
        HookError: It is of another kind.
    """
    # Hooks are written without a type checker in sight often enough to say here what went wrong.
    if not isinstance(value, kind):
        raise HookError(f"The {hook} returned {type(value).__name__} instead of {kind.__name__}.")
    return value
