"""A driver that tells how long its transactions take, when somebody wants to know."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import TypeVar

from ..._telemetry.store import timed, timed_now
from .driver import Driver, Transaction
from .lanes import Wake

ResultT = TypeVar("ResultT")


class TimedDriver:
    """Another driver, watched; see `Driver`."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver

    @property
    def address(self) -> str:
        """See `Driver`."""
        return self._driver.address

    async def start(self, on_wake: Callable[[], None]) -> None:
        """See `Driver`."""
        await self._driver.start(on_wake)

    async def stop(self) -> None:
        """See `Driver`."""
        await self._driver.stop()

    async def run(self, transaction: Transaction[ResultT], *, durable: bool, ahead: bool = False) -> ResultT:
        """See `Driver`."""
        return await timed(transaction, partial(self._driver.run, transaction, durable=durable, ahead=ahead))

    async def read(self, transaction: Transaction[ResultT], *, ahead: bool = False) -> ResultT:
        """See `Driver`."""
        return await timed(transaction, partial(self._driver.read, transaction, ahead=ahead))

    def run_now(self, transaction: Transaction[ResultT]) -> ResultT:
        """See `Driver`."""
        return timed_now(transaction, partial(self._driver.run_now, transaction))

    def wake(self, wakes: Sequence[Wake]) -> Awaitable[None] | None:
        """See `Driver`."""
        return self._driver.wake(wakes)
