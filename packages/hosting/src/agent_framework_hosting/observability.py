"""How a host is watched: its metrics, and what notices that its event loop stands still."""

from __future__ import annotations

from dataclasses import dataclass

from ._alike import alike
from .errors import ConfigurationError


@alike
@dataclass(frozen=True, slots=True, kw_only=True)
class Observability:
    """What a host tells of itself beyond what it always does.

    Spans and metrics go to whatever OpenTelemetry providers the program has set; without any they cost nothing.

    Args:
        watchdog: Whether a thread looks that the event loop does not stand still, and logs where it does. Left out,
            one does under `serve`.
        watchdog_after: Seconds of standing still that are worth a line in the log.
        callers_in_metrics: Whether the metric of tokens tells callers apart by tenant and id. Every caller is a series
            of its own then, which many metric systems do not bear; and the ids leave the host.

    Raises:
        ConfigurationError: A time is none.

    Example:
        >>> Observability(watchdog=True, watchdog_after=0.5).callers_in_metrics
        False
    """

    watchdog: bool | None = None
    watchdog_after: float = 0.25
    callers_in_metrics: bool = False

    def __post_init__(self) -> None:
        if self.watchdog_after <= 0:
            raise ConfigurationError("Observability.watchdog_after must be greater than 0.")
