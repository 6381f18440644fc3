"""The instruments of a meter of the user's."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final, Protocol

from opentelemetry import metrics
from opentelemetry.metrics import CallbackOptions, Meter, Observation

from . import names

_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600)


class Levels(Protocol):
    """What stands at some height now; a host has one."""

    def level(self, name: str) -> float | None:
        """Return how high the metric of that name stands; `None` when it is not known here."""
        ...


class Instruments:
    """All instruments of one meter.

    Args:
        meter: The user's.
        hosts: Those whose levels are told; asked each time.
    """

    def __init__(self, meter: Meter, *, hosts: Iterable[Levels]) -> None:
        self.request_duration = _histogram(
            meter, names.REQUEST_DURATION, "Time from a request to the end of its answer."
        )
        self.turn_wait = _histogram(meter, names.TURN_WAIT, "Time that a turn waits for those before it.")
        self.first_update = _histogram(meter, names.FIRST_UPDATE, "Time from a turn's request to its first update.")
        self.turn_duration = _histogram(meter, names.TURN_DURATION, "Time from a turn's request to its end.")
        self.store_duration = _histogram(meter, names.STORE_DURATION, "Time of one transaction of the database.")
        self.tokens = meter.create_counter(names.TOKENS, "{token}", "Tokens that turns have used.")
        self.errors = meter.create_counter(
            names.ERRORS, "{error}", "Turns that failed, and requests that were refused."
        )
        self.tasks_ended = meter.create_counter(
            names.TASKS_ENDED, "{task}", "Attempts at accepted work that have ended."
        )
        for name, unit, description in _LEVELS:
            meter.create_observable_gauge(name, [_observing(name, hosts)], unit, description)


_LEVELS: Final = (
    (names.OPEN_STREAMS, "{stream}", "Answers that are being streamed."),
    (names.TURNS_WAITING, "{turn}", "Turns that were admitted and wait."),
    (names.TURNS_RUNNING, "{turn}", "Turns that run."),
    (names.CACHED_SESSIONS, "{session}", "Idle sessions in memory."),
    (names.TASKS_RUNNING, "{task}", "Accepted work that is being done."),
    (names.LOOP_LAG, "s", "The longest time for which the event loop stood still since the last collection."),
)


def _observing(name: str, hosts: Iterable[Levels]) -> Callable[[CallbackOptions], Iterable[Observation]]:
    def observed(_: CallbackOptions) -> Iterable[Observation]:
        levels = [level for host in list(hosts) if (level := host.level(name)) is not None]
        if levels:
            yield Observation(max(levels) if name == names.LOOP_LAG else sum(levels))

    return observed


def _histogram(meter: Meter, name: str, description: str) -> metrics.Histogram:
    return meter.create_histogram(name, "s", description, explicit_bucket_boundaries_advisory=_SECONDS)
