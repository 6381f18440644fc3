"""Accepted work in the database; see `TaskStore`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from ...types import Owner
from ..tasks import NewTask, Outcome, StopCause, TakenTask, TaskState
from . import tasks
from .driver import Driver
from .lanes import Wake
from .worker import Worker


class SqlTasks:
    """Keeps tasks in one database, for any number of processes."""

    def __init__(self, driver: Driver, worker: Worker) -> None:
        self._driver = driver
        self._worker = worker
        self.wake: Callable[[], None] = lambda: None
        """Says that it is time to look."""

    @property
    def is_durable(self) -> bool:
        """See `TaskStore`."""
        return True

    def watch(self, on_wake: Callable[[], None]) -> None:
        """See `TaskStore`."""
        self.wake = on_wake

    async def accept(self, new: NewTask) -> bool:
        """See `TaskStore`."""
        is_new = await self._driver.run(partial(tasks.accept, new), durable=True)
        self.wake()
        return is_new

    async def take(self, kinds: Sequence[str], *, most: int, suspects: bool = False) -> Sequence[TakenTask]:
        """See `TaskStore`."""
        await self._worker.be_alive()
        looking = partial(tasks.is_due, tuple(kinds), worker=self._worker.id, suspects=suspects)
        # Most looks find nothing, and one that could write would wait for all who do, here and elsewhere.
        if not await self._driver.read(looking):
            return []
        taking = partial(tasks.take, tuple(kinds), worker=self._worker.id, most=most, suspects=suspects)
        return await self._driver.run(taking, durable=False)

    async def look(self, held: Sequence[TakenTask]) -> Mapping[int, StopCause]:
        """See `TaskStore`."""
        looking = partial(tasks.look, {each.number: each.attempt for each in held}, worker=self._worker.id)
        stops, strays = await self._driver.read(looking, ahead=True)
        if strays:
            await self._driver.run(partial(tasks.give_back, strays, worker=self._worker.id), durable=False, ahead=True)
        return stops

    async def open_kinds(self) -> Mapping[str, int]:
        """See `TaskStore`."""
        return await self._driver.read(tasks.open_kinds)

    async def settle(self, taken: TakenTask, outcome: Outcome) -> bool:
        """See `TaskStore`."""
        settling = partial(tasks.settle, taken, worker=self._worker.id, outcome=outcome)
        return await self._driver.run(settling, durable=True, ahead=True)

    async def put_back(self, taken: TakenTask, *, after: float, has_failed: bool) -> bool:
        """See `TaskStore`."""
        putting = partial(tasks.put_back, taken, worker=self._worker.id, after=after, has_failed=has_failed)
        is_back = await self._driver.run(putting, durable=False, ahead=True)
        self.wake()
        if not after:
            # It may be that this process takes nothing more.
            telling = partial(tasks.others, worker=self._worker.id)
            await self._tell(await self._driver.run(telling, durable=False, ahead=True))
        return is_back

    async def find(self, owner: Owner, kind: str, task_id: str) -> TaskState | None:
        """See `TaskStore`."""
        return await self._driver.read(partial(tasks.find, owner, kind, task_id))

    async def cancel(self, owner: Owner, kind: str, task_id: str) -> bool:
        """See `TaskStore`."""
        count, wakes = await self._driver.run(partial(tasks.cancel, owner, kind, task_id), durable=True)
        await self._tell(wakes)
        return bool(count)

    async def cancel_line(self, tenant: str, line: str) -> int:
        """See `TaskStore`."""
        count, wakes = await self._driver.run(partial(tasks.cancel_line, tenant, line), durable=True)
        await self._tell(wakes)
        return count

    async def _tell(self, wakes: Sequence[Wake]) -> None:
        self.wake()
        elsewhere = [wake for wake in wakes if wake.worker != self._worker.id]
        if elsewhere and (sent := self._driver.wake(elsewhere)) is not None:
            await sent
