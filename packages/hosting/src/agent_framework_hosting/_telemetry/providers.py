"""Who takes what is told, asked at every request: OpenTelemetry itself looks into the environment each time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

_KEPT: Final = ("_METER_PROVIDER", "_TRACER_PROVIDER")
_standing_in: Final[dict[Callable[[], Any], tuple[dict[str, Any], str, object]]] = {}


def current_provider(ask: Callable[[], Any]) -> Any:
    """Return what `ask` returns, which is `trace.get_tracer_provider` or `metrics.get_meter_provider`.

    As long as none is set it returns the one that stood in for it before, without looking into the environment again.
    Where OpenTelemetry keeps its providers under other names than today's, it is asked every time.
    """
    known = _standing_in.get(ask)
    if known is not None:
        kept, name, stand_in = known
        if kept.get(name, stand_in) is None:
            return stand_in
    provider = ask()
    kept = getattr(ask, "__globals__", {})
    for name in _KEPT:
        if name in kept and kept[name] is None:
            _standing_in[ask] = kept, name, provider
    return provider
