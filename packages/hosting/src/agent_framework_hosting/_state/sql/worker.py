"""This process among those that share a database: its lease, and the tickets that it holds or waits with.

Rules of this file:
1. A lease is this worker being alive on the database's clock. It is renewed three times in its length.
2. Whether a ticket has its turn is read in the database; a wake only says that it is time to look.
3. While tickets wait this process looks by itself, too, in case that a wake was lost or a holder died.
4. Nothing is entered and nothing looked at under a lease that may have run out: it is renewed first, or this process
   would take its own lines for a dead one's. The database's clock goes on while this machine sleeps, and may be set
   forward, of which the monotonic clock knows nothing: so both clocks are asked.
5. A ticket that may have entered a line although nobody here holds it (its caller has gone, or the answer to its
   transaction was lost) is given back as soon as it is seen there. That may be late: a server that stood still, or
   waited for a row, commits what it was sent although nobody is connected any more.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

from ...errors import LeaseLost, RunCancelled, StateUnavailable
from ...ids import mint
from ...logs import logger
from ..refusals import STOPPED
from ..store import LossReason
from . import accept, lanes
from .driver import Driver
from .lanes import Wake

LEASE: Final = 15.0
"""Seconds for which a process may be silent before its sessions are taken over."""
_LOOK: Final = 1.0
"""Seconds between two looks while a ticket waits, and between two tries when the database does not answer."""
_DOUBT: Final = 4.0
"""Leases for which a ticket is looked for that nobody here holds. Each who has a line's row is cut off within one."""


class Held:
    """A ticket of this process: it waits, has its turn, or has lost it."""

    __slots__ = ("_lost", "_turn", "fence", "id", "is_entered", "on_loss")

    def __init__(self, ticket: str) -> None:
        self.id = ticket
        self.is_entered = False
        self.fence: int | None = None
        self.on_loss: Callable[[LossReason], None] | None = None
        self._turn: asyncio.Future[None] | None = None
        self._lost: LossReason | None = None

    async def turn(self) -> None:
        """Wait for the turn.

        Raises:
            RunCancelled: Another turn has interrupted this one, or somebody has cancelled it.
        """
        if self._lost is not None:
            raise _lost(self._lost)
        if self.fence is None:
            self._turn = asyncio.get_running_loop().create_future()
            await self._turn

    def give(self, fence: int) -> None:
        """Say that it is this ticket's turn."""
        self.fence = fence
        if self._turn is not None and not self._turn.done():
            self._turn.set_result(None)

    def lose(self, reason: LossReason) -> None:
        """Say that the turn has been, or has to be, given up; only the first time counts."""
        if self._lost is not None:
            return
        self._lost = reason
        if self._turn is not None and not self._turn.done():
            self._turn.set_exception(_lost(reason))
        elif self.fence is not None and self.on_loss is not None:
            self.on_loss(reason)


class Worker:
    """Keeps the lease, and gives tickets their turns."""

    def __init__(self, driver: Driver, *, lease: float = LEASE) -> None:
        self.id = mint("worker_")
        self._driver = driver
        self._lease = lease
        self._held: dict[str, Held] = {}
        self._doubted: dict[str, float | None] = {}
        self._wanted = asyncio.Event()
        self._has_overlooked = False
        self._tasks: list[asyncio.Task[None]] = []
        self._alive_until = self._alive_until_by_date = self._moves_on_at = 0.0
        self.is_well = True
        """Whether the database answered when the lease was to be renewed last."""

    async def start(self) -> None:
        """Be alive from now on."""
        await self._register()
        self._tasks = [asyncio.create_task(self._renew()), asyncio.create_task(self._watch())]

    async def stop(self) -> None:
        """Let others have whatever is still held."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []
        try:
            await self._driver.run(partial(lanes.unregister, worker=self.id), durable=False, ahead=True)
        except StateUnavailable:
            logger.warning("The database does not answer; what this process held is free once its lease has run out.")

    def wake(self) -> None:
        """Look into the database soon."""
        self._wanted.set()

    def add(self, held: Held) -> None:
        """Know a ticket that is about to enter a line."""
        self._held[held.id] = held

    async def be_alive(self) -> None:
        """Make sure that the lease has not run out.

        Raises:
            StateUnavailable: The database does not answer.
        """
        if time.monotonic() > self._alive_until or time.time() > self._alive_until_by_date:
            await self._register()

    def entered(self, held: Held, fence: int | None) -> None:
        """Keep a ticket in view that is in the database now; with its `fence` when it has its turn at once."""
        held.is_entered = True
        if fence is not None:
            held.give(fence)
        elif self._has_overlooked:
            # Its turn may have come before anybody looked for it.
            self.wake()

    def remove(self, held: Held) -> None:
        """Lose sight of a ticket."""
        self._held.pop(held.id, None)

    def doubt(self, held: Held) -> None:
        """Lose sight of a ticket that never ran, and may have entered a line although nobody holds it now."""
        self.remove(held)
        self._doubted[held.id] = None
        self.wake()

    async def tell(self, wakes: Sequence[Wake]) -> None:
        """Tell those whose turn it is: here at once, elsewhere by a wake."""
        others = [wake for wake in wakes if not self._tell_here(wake)]
        if others and (sent := self._driver.wake(others)) is not None:
            await sent

    def _tell_here(self, wake: Wake) -> bool:
        if wake.worker != self.id:
            return False
        held = self._held.get(wake.ticket)
        if held is not None:
            held.give(wake.fence)
        else:
            # Something has to stop, or the ticket is so new that its own transaction has not returned yet.
            self.wake()
        return True

    async def _register(self) -> None:
        # Counted from before the transaction, so that this process never believes in a lease longer than it has it.
        asked_at, date = time.monotonic(), time.time()
        registering = partial(lanes.register, worker=self.id, address=self._driver.address, lease=self._lease)
        if await self._driver.run(registering, durable=False, ahead=True):
            logger.warning("The lease of this process had run out; sessions that others took over are stopped.")
        self._alive_until, self._alive_until_by_date = asked_at + self._lease / 2, date + self._lease / 2

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(self._lease / 3 if self.is_well else min(_LOOK, self._lease / 3))
            try:
                await self._register()
            except StateUnavailable:
                if self.is_well:
                    logger.warning("The lease of this process could not be renewed; it is tried until it can be.")
                self.is_well = False
            except Exception:  # noqa: BLE001 - a lease that nobody renews any more would stop the whole process
                logger.exception("The lease of this process could not be renewed; it is tried until it can be.")
                self.is_well = False
            else:
                self.is_well = True
            self.wake()

    async def _watch(self) -> None:
        while True:
            await self._woken()
            try:
                await self._move_on()
                await self._look()
            except StateUnavailable:
                # The next look comes by itself, and the driver has said what is wrong.
                await asyncio.sleep(_LOOK)
            except Exception:  # noqa: BLE001 - nobody would ever get a turn here again because one look went wrong
                logger.exception("It could not be looked whose turn it is; it is tried again.")
                await asyncio.sleep(_LOOK)

    async def _move_on(self) -> None:
        # By the clock, not when nobody has woken this process: on a busy host somebody always has.
        if self._held and time.monotonic() >= self._moves_on_at:
            self._moves_on_at = time.monotonic() + min(_LOOK, self._lease / 3)
            await self.be_alive()
            await self.tell(await self._driver.run(partial(lanes.move_on, worker=self.id), durable=False, ahead=True))

    async def _woken(self) -> None:
        """Wait until it is time to look."""
        is_waiting = bool(self._doubted) or any(held.fence is None for held in self._held.values())
        try:
            async with asyncio.timeout(_LOOK if is_waiting else self._lease / 3):
                await self._wanted.wait()
        except TimeoutError:
            pass
        self._wanted.clear()

    async def _look(self) -> None:
        # Those whose own transaction is still under way may not be in the database yet.
        seen = [held for held in self._held.values() if held.is_entered]
        self._has_overlooked = len(seen) < len(self._held)
        if not seen and not self._doubted:
            return
        found = await self._driver.read(partial(lanes.look, worker=self.id), ahead=True)
        for held in seen:
            if self._held.get(held.id) is not held:
                continue  # it has left meanwhile
            if held.id not in found:
                held.lose("lease_lost" if held.fence is not None else "interrupted")
            elif (turn := found[held.id]) is not None:
                fence, is_stopped = turn
                held.give(fence)
                if is_stopped:
                    held.lose("interrupted")
        for ticket in self._doubted.keys() & found.keys():
            giving_back = partial(accept.give_back, ticket=ticket, worker=self.id)
            await self.tell(await self._driver.run(giving_back, durable=False, ahead=True))
        # Counted from the first look, since until then the database may have been away.
        now = time.monotonic()
        until = {ticket: end or now + _DOUBT * self._lease for ticket, end in self._doubted.items()}
        self._doubted = {ticket: end for ticket, end in until.items() if end > now}


def _lost(reason: LossReason) -> RunCancelled:
    if reason == "lease_lost":
        return LeaseLost()
    return RunCancelled(STOPPED, reason=reason)
