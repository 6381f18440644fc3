"""The three hooks. The host calls them; each may be a plain or an async function."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from types import GeneratorType
from typing import TYPE_CHECKING, Any, Final, TypeVar

from ._late import late, listed
from .errors import ConfigurationError, HookError

if TYPE_CHECKING:
    from ._hook_types import ChannelResponseHook, ChannelRunHook, ChannelStreamUpdateHook

__all__ = [
    "ChannelResponseHook",
    "ChannelRunHook",
    "ChannelStreamUpdateHook",
    "refuse_unfit",
    "returned",
    "settled",
]

T = TypeVar("T")

_LATE: Final = dict.fromkeys(("ChannelResponseHook", "ChannelRunHook", "ChannelStreamUpdateHook"), "_hook_types")

if not TYPE_CHECKING:
    __getattr__ = late(globals(), _LATE)
    __dir__ = listed(globals(), _LATE)


def refuse_unfit(
    *,
    run_hook: Callable[..., Any] | None,
    response_hook: Callable[..., Any] | None,
    stream_update_hook: Callable[..., Any] | None,
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
