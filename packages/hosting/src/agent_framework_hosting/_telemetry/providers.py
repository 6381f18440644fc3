"""Who takes what is told, asked at every request: OpenTelemetry itself looks into the environment each time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Generic, TypeVar

T = TypeVar("T")

_KEPT: Final = ("_METER_PROVIDER", "_TRACER_PROVIDER")
_NOWHERE: Final = ""


class Provided(Generic[T]):
    """What is had of the provider of the user's, made once for each.

    As long as OpenTelemetry keeps what it kept when it was last asked, that is what there is, without looking into the
    environment again. Where it keeps its providers under other names than today's, it is asked every time.

    Args:
        ask: `trace.get_tracer_provider` or `metrics.get_meter_provider`.
        api: The package of OpenTelemetry's API. It has providers of its own, for when there is none: they do nothing.
        make: Makes it of a provider.
    """

    __slots__ = ("_api", "_ask", "_found", "_kept", "_make", "_name", "_place", "_provider")

    def __init__(self, ask: Callable[[], Any], *, api: str, make: Callable[[Any], T]) -> None:
        self._ask = ask
        self._api = api
        self._make = make
        self._place: dict[str, Any] = getattr(ask, "__globals__", {})
        self._name: str = next((name for name in _KEPT if name in self._place), _NOWHERE)
        self._kept: object = self
        self._provider: object = None
        self._found: T | None = None

    def current(self) -> T | None:
        """Return it; `None` when nobody takes anything."""
        # Without a place nothing is kept there, and `None` is not what was kept.
        if self._place.get(self._name, self._ask) is not self._kept:
            self._look()
        return self._found

    def _look(self) -> None:
        # To ask may be what sets it.
        provider, kept = self._ask(), self._place.get(self._name, self)
        if provider is not self._provider:
            is_on = not type(provider).__module__.startswith(self._api)
            self._found = self._make(provider) if is_on else None
            self._provider = provider
        # Last of all: whoever asks meanwhile, in another thread, looks by itself.
        self._kept = kept if kept is None or kept is provider else self
