"""A worker as its supervisor sees it: a process, its report, its end."""

from __future__ import annotations

import asyncio
import multiprocessing
import signal
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Final, TypeAlias

from .report import Report
from .worker import NAME, Share

Work: TypeAlias = Callable[[str, Share, Connection], None]
"""What a worker does; a function of a module, so that the new process can import it."""

_CONTEXT: Final = multiprocessing.get_context("spawn")


class WorkerProcess:
    """A process that has been started; `look` has to be called whenever a child of this process has ended."""

    def __init__(self, process: BaseProcess, reports: Connection) -> None:
        loop = asyncio.get_running_loop()
        self.pid = process.pid or 0
        self._process = process
        self._reports = reports
        self._report: asyncio.Future[Report | None] = loop.create_future()
        self._end: asyncio.Future[int] = loop.create_future()
        loop.add_reader(reports.fileno(), self._read)

    @classmethod
    def start(cls, number: int, *, work: Work, location: str, share: Share) -> WorkerProcess:
        """Start a process that does `work`."""
        reports, writer = _CONTEXT.Pipe(duplex=False)
        process = _CONTEXT.Process(target=work, args=(location, share, writer), name=f"{NAME} {number + 1}")
        # Inherited, so that Ctrl+C, which reaches every process of a terminal, does not break into the imports.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
            writer.close()
        return cls(process, reports)

    async def report(self) -> Report | None:
        """Wait for the report; `None` when the process ended without one."""
        return await asyncio.shield(self._report)

    async def end(self) -> int:
        """Wait for the end; returns the exit code, which is negative when a signal ended the process."""
        return await asyncio.shield(self._end)

    def look(self) -> None:
        """See whether the process has ended."""
        code = self._process.exitcode
        if code is None or self._end.done():
            return
        if not self._report.done():
            self._read()
        self._end.set_result(code)
        self._process.close()

    def terminate(self) -> None:
        """Ask the process to finish."""
        if not self._end.done():
            self._process.terminate()

    def kill(self) -> None:
        """End the process at once."""
        if not self._end.done():
            self._process.kill()

    def _read(self) -> None:
        report = None
        with suppress(EOFError, OSError):  # it ended without a word
            report = self._reports.recv() if self._reports.poll() else None
        asyncio.get_running_loop().remove_reader(self._reports.fileno())
        self._reports.close()
        self._report.set_result(report)
