"""Hearing the signals that end a process, besides the server that handles them."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Awaitable, Callable
from types import FrameType
from typing import Any, Final

from .errors import ConfigurationError
from .logs import logger

_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)
_FLUSH: Final = 5.0
"""Seconds for a server to write what was said last, where nobody but the host ends the process."""


class ChainedSignals:
    """Hears SIGTERM and SIGINT besides whoever handles them.

    Servers close their listeners at a signal and wait for the answers under way before they tell the app that all is
    over; the app hears of it here when it still matters.

    Args:
        on_told: Called in the handler, at the first signal.
        then: Called in the event loop after it, once; what it returns is awaited there.
    """

    def __init__(self, *, on_told: Callable[[], None], then: Callable[[], Awaitable[Any]]) -> None:
        self._on_told = on_told
        self._then = then
        self._before: dict[int, Any] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._draining: asyncio.Task[Any] | None = None

    def install(self) -> None:
        """Stand before the handlers that are there; called in the event loop.

        Raises:
            ConfigurationError: This is not the main thread, which alone may handle signals.
        """
        if threading.current_thread() is not threading.main_thread():
            raise ConfigurationError(
                "drain_on_signals=True needs the host to be started in the main thread, where signals are handled. "
                "Call host.begin_drain() yourself, or start the server in the main thread."
            )
        self._loop = asyncio.get_running_loop()
        for number in _SIGNALS:
            self._before[number] = signal.signal(number, self._on_signal)

    def remove(self) -> None:
        """Leave the signals to those that handled them before; idempotent."""
        for number, before in self._before.items():
            # Somebody may have stood before us since.
            if signal.getsignal(number) == self._on_signal:
                signal.signal(number, before if before is not None else signal.SIG_DFL)
        self._before = {}

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        before = self._before.get(number)
        # Nobody else would end the process, and the signal at once, with all that runs.
        is_last = before == signal.SIG_DFL
        if self._loop is not None and not self._loop.is_closed():
            self._on_told()
            self._loop.call_soon_threadsafe(self._begin, number if is_last else None)
        elif is_last:
            _end_by(number)
        if callable(before):
            before(number, frame)
        elif is_last:
            # The next one ends it at once.
            signal.signal(number, signal.SIG_DFL)

    def _begin(self, ends_by: int | None) -> None:
        if self._draining is None:
            logger.info("Told to stop: no new work is taken, and what runs is finished or told.")
            self._draining = asyncio.ensure_future(self._drain(ends_by))

    async def _drain(self, ends_by: int | None) -> None:
        await self._then()
        if ends_by is not None:
            await asyncio.sleep(_FLUSH)
            _end_by(ends_by)


def _end_by(number: int) -> None:
    signal.signal(number, signal.SIG_DFL)
    signal.raise_signal(number)
