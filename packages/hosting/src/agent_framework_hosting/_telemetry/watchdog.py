"""Notices when the event loop stands still, and says where.

The loop beats ten times a second; a thread looks whether it does. When it does not, the thread logs what the loop's
thread is doing, once for each time that it stands still.
"""

from __future__ import annotations

import asyncio
import sys
import threading
import time
import traceback
from typing import Final

from ..logs import logger
from .telemetry import Telemetry

_BEAT: Final = 0.1
"""Seconds between two beats, and between two looks."""


class Watchdog:
    """Watches one loop, from `start` to `stop`; both are called in the loop's thread.

    Args:
        telemetry: Where the lag is told.
        after: Seconds of standing still from which on it is logged.
    """

    def __init__(self, telemetry: Telemetry, *, after: float) -> None:
        self._telemetry = telemetry
        self._after = after
        self._beat_at = 0.0
        self._is_told = False
        self._timer: asyncio.TimerHandle | None = None
        self._over = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Watch the running loop."""
        loop = asyncio.get_running_loop()
        self._over = threading.Event()
        self._beat_at, self._is_told = time.monotonic(), False
        self._telemetry.lag = 0.0
        self._timer = loop.call_later(_BEAT, self._beat, loop)
        arguments = (self._over, threading.get_ident())
        self._thread = threading.Thread(target=self._look, args=arguments, name="af-hosting watchdog", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Watch no longer; idempotent."""
        self._over.set()
        if self._thread is not None:
            # It is woken at once, unless it is just about to say something.
            self._thread.join(_BEAT)
            self._thread = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._telemetry.lag = None

    def _beat(self, loop: asyncio.AbstractEventLoop) -> None:
        now = time.monotonic()
        lag = now - self._beat_at - _BEAT
        self._beat_at = now
        self._telemetry.lag = max(self._telemetry.lag or 0.0, lag)
        if lag > self._after:
            # Its thread may have had no chance to look: something held the interpreter all the time.
            where = "" if self._is_told else " Where cannot be said: it let no other thread run."
            logger.warning("The event loop stood still for %.2f s.%s", lag, where)
        self._is_told = False
        self._timer = loop.call_later(_BEAT, self._beat, loop)

    def _look(self, over: threading.Event, thread: int) -> None:
        looked_at = time.monotonic()
        while not over.wait(_BEAT):
            now = time.monotonic()
            # A thread that is late itself knows nothing of the loop: the whole process may have stood still.
            is_late = now - looked_at > _BEAT + self._after
            looked_at = now
            lag = now - self._beat_at - _BEAT
            if lag > self._after and not self._is_told and not is_late:
                self._is_told = True
                self._tell(thread, lag)

    def _tell(self, thread: int, lag: float) -> None:
        frame = sys._current_frames().get(thread)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] - documented, and the one way to see another thread's stack
        logger.warning(
            "The event loop has stood still for %.2f s; nothing else is answered meanwhile. What it does:",
            lag,
            extra={"frames": "".join(traceback.format_stack(frame)) if frame is not None else ""},
        )
