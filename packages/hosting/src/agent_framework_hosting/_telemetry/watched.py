"""A host's telemetry and its watchdog, as the host has them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from . import names
from .telemetry import Telemetry

if TYPE_CHECKING:
    from ..observability import Observability
    from .watchdog import Watchdog


class WatchedHost:
    """What a host tells of itself, and when it is watched.

    Args:
        observability: What the developer wants.
        cached_sessions: Says how many idle sessions are in memory.
        running_tasks: Says how many tasks are being done.
    """

    def __init__(
        self,
        observability: Observability | None,
        *,
        cached_sessions: Callable[[], int],
        running_tasks: Callable[[], int],
    ) -> None:
        self.telemetry = Telemetry(
            {names.CACHED_SESSIONS: cached_sessions, names.TASKS_RUNNING: running_tasks},
            names_callers=observability is not None and observability.callers_in_metrics,
        )
        self.is_serving = False
        """Whether the host is served by itself, in a process of its own."""
        self._observability = observability
        self._watchdog: Watchdog | None = None

    def start(self) -> None:
        """Watch the running loop, when that is wanted."""
        wanted = self._observability
        is_wanted = None if wanted is None else wanted.watchdog
        if self.is_serving if is_wanted is None else is_wanted:
            from ..observability import Observability
            from .watchdog import Watchdog

            self._watchdog = Watchdog(self.telemetry, after=(wanted or Observability()).watchdog_after)
            self._watchdog.start()

    def stop(self) -> None:
        """Watch no longer; idempotent."""
        if self._watchdog is not None:
            self._watchdog.stop()
