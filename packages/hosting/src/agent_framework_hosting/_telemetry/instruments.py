"""The metrics of this process, as long as somebody collects any; free otherwise.

Whoever has something to count asks for the instruments first. Without a meter provider of the user's there are none,
and the question costs a comparison.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from weakref import WeakSet

from opentelemetry import metrics

from . import names
from .providers import Provided

if TYPE_CHECKING:
    from .meters import Instruments, Levels

_hosts: Final[WeakSet[Any]] = WeakSet()


def _instruments_of(provider: Any) -> Instruments:
    from .meters import Instruments

    return Instruments(provider.get_meter(names.SCOPE), hosts=_hosts)


instruments: Final = Provided(metrics.get_meter_provider, api="opentelemetry.metrics", make=_instruments_of).current
"""Return where to count; `None` when nobody collects."""


def observe(host: Levels) -> None:
    """Count a host's levels among those of the process, for as long as the host is there."""
    _hosts.add(host)
