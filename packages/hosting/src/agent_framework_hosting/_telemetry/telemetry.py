"""What one host tells of itself: the levels of its work, and how its turns and requests are watched."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import INVALID_SPAN, Span, SpanKind, Tracer
from opentelemetry.util.types import AttributeValue

from . import names
from .instruments import observe
from .providers import Provided


class Telemetry:
    """The levels of one host, and where its spans come from.

    Args:
        levels: Say how high metrics stand that are counted elsewhere, by their names.
        names_callers: Whether metrics tell callers apart by tenant and id; every caller is a series of its own then.
    """

    def __init__(
        self, levels: Mapping[str, Callable[[], int]] = MappingProxyType({}), *, names_callers: bool = False
    ) -> None:
        self.names_callers: Final = names_callers
        self.waiting = 0
        self.running = 0
        self.streams = 0
        self.lag: float | None = None
        self._levels = levels
        observe(self)

    def level(self, name: str) -> float | None:
        """See `Levels`."""
        if name in self._levels:
            return self._levels[name]()
        if name == names.LOOP_LAG:
            # What was the longest until now begins anew.
            lag, self.lag = self.lag, None if self.lag is None else 0.0
            return lag
        levels = {
            names.OPEN_STREAMS: self.streams,
            names.TURNS_WAITING: self.waiting,
            names.TURNS_RUNNING: self.running,
        }
        return levels.get(name)


def _tracer_of(provider: Any) -> Tracer:
    return provider.get_tracer(names.SCOPE)


tracer: Final = Provided(trace.get_tracer_provider, api="opentelemetry.trace", make=_tracer_of).current
"""Return where spans come from; `None` when nobody takes any."""


def begin_span(
    name: str,
    *,
    context: Context | None = None,
    kind: SpanKind = SpanKind.INTERNAL,
    attributes: dict[str, AttributeValue] | None = None,
) -> Span:
    """Begin a span; whoever does ends it. It records no exception by itself, since its message would go along."""
    source = tracer()
    if source is None:
        return INVALID_SPAN
    return source.start_span(name, context, kind, attributes, record_exception=False, set_status_on_exception=False)
