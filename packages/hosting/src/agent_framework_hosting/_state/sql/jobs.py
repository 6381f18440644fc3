"""What a thread of a SQLite file is to do: any thread brings it, and that one takes all that is there at once."""

from __future__ import annotations

import asyncio
import queue
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Final

from .driver import Transaction

_MOST: Final = 256
"""Transactions of one commit at the most."""


@dataclass(slots=True)
class Job:
    """A transaction, and who waits for it: a task of the `loop`, or a thread when there is none."""

    transaction: Transaction[Any]
    durable: bool
    future: asyncio.Future[Any] | Future[Any]
    loop: asyncio.AbstractEventLoop | None = None


class Jobs:
    """Jobs in the order in which they came, and whether more will come."""

    def __init__(self) -> None:
        self._waiting: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._returned: list[Job] = []
        self._is_over = False

    def open(self) -> None:
        """Say that some will come, at first or again."""
        self._is_over = False

    def add(self, job: Job) -> None:
        """Add a job; none may come behind `close`."""
        self._waiting.put(job)

    def close(self) -> None:
        """Say that no more will come."""
        self._waiting.put(None)

    def group(self) -> list[Job]:
        """Wait for a job, and take all that are there; none are left, and none will come, when this is empty."""
        group, self._returned = self._returned, []
        self.join(group)
        while not group and not self._is_over:
            self._let_in(group, self._waiting.get())
            self.join(group)
        return group

    def join(self, group: list[Job]) -> None:
        """Let those join a group that have come meanwhile."""
        while len(group) < _MOST and not self._is_over and not self._waiting.empty():
            self._let_in(group, self._waiting.get())

    def give_back(self, jobs: Sequence[Job]) -> None:
        """Let jobs be the first ones of the next group."""
        self._returned = [*jobs]

    def _let_in(self, group: list[Job], job: Job | None) -> None:
        if job is None:
            self._is_over = True
        # Whoever gives up later than this finds that it took place.
        elif not job.future.cancelled():
            group.append(job)
