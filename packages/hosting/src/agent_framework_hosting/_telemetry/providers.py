"""Who takes what is told, asked at every request: OpenTelemetry itself looks into the environment each time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Generic, TypeVar

MadeT = TypeVar("MadeT")

_KEPT: Final = ("_METER_PROVIDER", "_TRACER_PROVIDER")
_NOWHERE: Final = object()


class OfProvider(Generic[MadeT]):
    """What is made of the provider that is set, once for each.

    As long as the same one is set, or none, OpenTelemetry is not asked again. Where it keeps its providers under other
    names than today's, it is asked every time.

    Args:
        ask: `trace.get_tracer_provider` or `metrics.get_meter_provider`.
        make: Makes it; also of the provider that stands in for one as long as none is set.
    """

    __slots__ = ("_ask", "_kept", "_made", "_make", "_name", "_place", "_provider")

    def __init__(self, ask: Callable[[], Any], make: Callable[[Any], MadeT | None]) -> None:
        self._ask = ask
        self._make = make
        self._place: dict[str, Any] = getattr(ask, "__globals__", {})
        self._name = next((name for name in _KEPT if name in self._place), "")
        self._kept: object = _NOWHERE
        self._provider: object = None
        self._made: MadeT | None = None

    def get(self) -> MadeT | None:
        """Return it."""
        if self._place.get(self._name, self) is not self._kept:
            self._look()
        return self._made

    def _look(self) -> None:
        provider, kept = self._ask(), self._place.get(self._name, self)
        if provider is not self._provider:
            self._made = self._make(provider)
            self._provider = provider
        # Last of all: whoever asks meanwhile, in another thread, looks by itself.
        self._kept = kept if kept is None or kept is provider else _NOWHERE
