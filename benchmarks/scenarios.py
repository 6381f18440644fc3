"""What is measured."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final


@dataclass(frozen=True, slots=True)
class Scenario:
    """One kind of load on one kind of agent.

    `seconds` is how long connections go on asking; with 0 every one of them asks once.
    """

    name: str
    target: str
    stream: bool
    concurrency: int
    seconds: float
    pause: float = 0.0

    @property
    def unit(self) -> str:
        """What is counted."""
        return "deltas/s" if self.stream else "requests/s"


BURSTS: Final = tuple(
    Scenario(f"{kind}, {title}, c={concurrency}", target, kind == "stream", concurrency, seconds=1.0)
    for target, title in (("raw", "raw stub"), ("agent", "real Agent"))
    for kind in ("stream", "JSON")
    for concurrency in (1, 16)
)
"""Agents that answer at once."""

LIVE: Final = Scenario("stream, raw stub, 20 ms between chunks, c=100", "raw", True, 100, seconds=0.0, pause=0.02)
"""Streams at a real model's pace, all at once."""


def quick(scenario: Scenario) -> Scenario:
    """Return the scenario at figures that prove that it works, and nothing more."""
    return replace(scenario, seconds=0.05, concurrency=min(scenario.concurrency, 4), pause=min(scenario.pause, 1e-4))
