"""Keeps several workers running until it is told to stop.

Rules of this file:
1. The first worker goes ahead; the others follow once it serves. When it cannot start, nothing can, and its error is
   shown once.
2. A worker that ends is replaced, after a pause that grows while workers live short.
3. When so many starts in a row have failed, one more will not help: all end, with the last error.
"""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

from .._server import told_by_signals
from ..errors import StartFailed
from ..logs import logger
from .process import WorkerProcess
from .report import Report

OnUp: TypeAlias = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pacing:
    """How patient a supervisor is; times are seconds."""

    failed_starts: int = 5
    """Starts that may fail in a row before all ends."""
    first_pause: float = 0.5
    longest_pause: float = 30.0
    long_life: float = 60.0
    """A worker that lived longer is replaced as if it were the first that ended."""

    def pause(self, short_lives: int) -> float:
        """Return how long to wait before the next start, after so many short lives in a row."""
        return min(self.first_pause * 2.0 ** min(short_lives - 1, 16), self.longest_pause)


DEFAULT_PACING: Final = Pacing()


class Supervisor:
    """Starts workers, replaces those that end, and stops them all.

    Args:
        start: Starts the worker of a number.
        count: How many there are to be.
        on_up: Called once, with the description that the first worker gives when it serves.
        patience: Seconds that workers get to finish once they have been told to.
        on_stop: Called when no worker will be started any more, before all are told to finish.
        pacing: How patient it is with workers that end.
    """

    def __init__(
        self,
        start: Callable[[int], WorkerProcess],
        *,
        count: int,
        on_up: OnUp,
        patience: float,
        on_stop: Callable[[], None],
        pacing: Pacing = DEFAULT_PACING,
    ) -> None:
        self._start = start
        self._count = count
        self._on_up = on_up
        self._patience = patience
        self._on_stop = on_stop
        self._pacing = pacing
        self._workers: dict[int, WorkerProcess] = {}
        self._is_first_up = asyncio.Event()
        self._is_stopping = asyncio.Event()
        self._failures = 0

    async def run(self) -> None:
        """Keep the workers running until SIGTERM or SIGINT; a second signal ends all processes at once.

        Raises:
            StartFailed: No worker could be started.
        """
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGCHLD, self._look)
        try:
            with told_by_signals(self._is_stopping.set, at_once=self._kill):
                await self._keep_all()
        finally:
            loop.remove_signal_handler(signal.SIGCHLD)

    async def _keep_all(self) -> None:
        keepers = [asyncio.create_task(self._keep(number)) for number in range(self._count)]
        stopping = asyncio.create_task(self._is_stopping.wait())
        await asyncio.wait([*keepers, stopping], return_when=asyncio.FIRST_COMPLETED)
        self._is_stopping.set()
        # Held any longer, the sockets would take connections when no worker does, and close them without an answer.
        self._on_stop()
        for worker in self._workers.values():
            worker.terminate()
        _, late = await asyncio.wait(keepers, timeout=self._patience)
        if late:
            logger.warning("%d workers did not end in time: they are killed.", len(late))
            self._kill()
            await asyncio.wait(late)
        for keeper in keepers:
            keeper.result()

    async def _keep(self, number: int) -> None:
        if number and not await self._unless_stopping(self._is_first_up):
            return
        short_lives = 0
        while not self._is_stopping.is_set():
            born = time.monotonic()
            worker = self._workers[number] = self._start(number)
            report = await worker.report()
            if report is not None and report.is_up:
                self._note_up(report)
            code = await worker.end()
            del self._workers[number]
            if self._is_stopping.is_set():
                return
            if report is None or not report.is_up:
                self._note_failure(report, worker.pid, code)
            short_lives = 1 if time.monotonic() - born > self._pacing.long_life else short_lives + 1
            pause = self._pacing.pause(short_lives)
            logger.warning(
                "Worker %d (process %d) %s; it is replaced in %g s.", number + 1, worker.pid, _how(code), pause
            )
            await self._unless_stopping(asyncio.Event(), timeout=pause)

    async def _unless_stopping(self, event: asyncio.Event, *, timeout: float | None = None) -> bool:
        """Wait for an event, or until all is to stop; returns whether the event came."""
        waiting = [asyncio.create_task(each.wait()) for each in (event, self._is_stopping)]
        await asyncio.wait(waiting, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
        for task in waiting:
            task.cancel()
        return event.is_set()

    def _note_up(self, report: Report) -> None:
        self._failures = 0
        if not self._is_first_up.is_set():
            self._is_first_up.set()
            self._on_up(report.text)

    def _note_failure(self, report: Report | None, pid: int, code: int) -> None:
        self._failures += 1
        said = (
            report.text
            if report is not None
            else f"Worker process {pid} {_how(code)} before it could say why; see above."
        )
        if not self._is_first_up.is_set() and code >= 0:
            raise StartFailed(said)
        if self._failures >= self._pacing.failed_starts:
            raise StartFailed(f"Workers could not be started {self._failures} times in a row. The last one: {said}")

    def _look(self) -> None:
        for worker in list(self._workers.values()):
            worker.look()

    def _kill(self) -> None:
        for worker in list(self._workers.values()):
            worker.kill()


def _how(code: int) -> str:
    if code >= 0:
        return f"ended with exit code {code}"
    try:
        return f"was ended by {signal.Signals(-code).name}"
    except ValueError:
        return f"was ended by signal {-code}"
