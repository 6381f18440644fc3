"""What a run says, gathered for a moment and stored together."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from .._state.events import Event, RunName
from ..errors import LeaseLost, ResponseTooLarge

if TYPE_CHECKING:
    from .._state.parts import EventLog

_PAUSE: Final = 0.05
"""Seconds for which events are gathered: a reader hardly sees it, and a store takes twenty batches where it would take
hundreds of events."""
_BATCH: Final = 64 * 1024
"""Bytes that are not gathered any longer."""


class Writer:
    """Takes the events of one attempt; see `channel.RunWriter`."""

    def __init__(
        self, log: EventLog, run: RunName, attempt: int, *, max_bytes: int, on_stored: Callable[[], None]
    ) -> None:
        self._log = log
        self._run = run
        self._attempt = attempt
        self._max_bytes = max_bytes
        self._on_stored = on_stored
        self._gathered: list[Event] = []
        self._gathered_bytes = self._bytes = self._count = 0
        self._storing = asyncio.Lock()
        self._later: asyncio.Task[None] | None = None

    async def write(self, data: bytes) -> None:
        """See `channel.RunWriter`."""
        if self._later is not None and self._later.done():
            later, self._later = self._later, None
            later.result()
        self._bytes += len(data)
        if self._bytes > self._max_bytes:
            raise ResponseTooLarge(f"The run has said more than {self._max_bytes} bytes, and is cut.")
        self._gathered.append(Event(self._attempt, self._count, data))
        self._count += 1
        self._gathered_bytes += len(data)
        if self._gathered_bytes >= _BATCH:
            await self.flush()
        elif self._later is None:
            self._later = asyncio.create_task(self._flush_later())

    async def flush(self) -> None:
        """Store what was gathered.

        Raises:
            LeaseLost: The run is another process's by now, or it was forgotten.
        """
        async with self._storing:
            gathered, self._gathered, self._gathered_bytes = self._gathered, [], 0
            if not gathered:
                return
            try:
                is_ours = await self._log.append(self._run, gathered)
            except BaseException:
                # Not known whether they were stored; those of this attempt must not have a gap.
                self._gathered[:0] = gathered
                raise
            if not is_ours:
                raise LeaseLost
            self._on_stored()

    async def close(self) -> None:
        """Store the rest."""
        later, self._later = self._later, None
        if later is not None:
            later.cancel()
            await asyncio.gather(later, return_exceptions=True)
        await self.flush()

    async def _flush_later(self) -> None:
        while self._gathered:
            await asyncio.sleep(_PAUSE)
            await self.flush()
        self._later = None
