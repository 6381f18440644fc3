"""Which turns are watched: those of a process that has somebody to tell of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..types import ChannelRequest
from .instruments import instruments
from .telemetry import Telemetry, tracer

if TYPE_CHECKING:
    from .turns import WatchedTurn


def watch(telemetry: Telemetry, request: ChannelRequest) -> WatchedTurn | None:
    """Return what says how a turn goes; `None` when nobody takes what it would say."""
    if instruments() is None and tracer() is None:
        return None
    from .turns import WatchedTurn

    return WatchedTurn(telemetry, request)
