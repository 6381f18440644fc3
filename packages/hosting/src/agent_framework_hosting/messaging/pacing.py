"""The one way to an address: one call at a time, and silence when the platform wants it.

Whatever is sent to an address goes through its `Gate`. What must arrive waits there and is tried again; what is only
shown for the moment (typing, unfinished answers) is left out while the gate is closed.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from ..clock import SYSTEM_CLOCK, Clock
from ..logs import logger
from .outlet import OutletError, RetryAfter, Unreachable

ResultT = TypeVar("ResultT")

PATIENCE: Final = 60.0
"""Seconds for which something that must arrive is tried before whoever sends it has to come again."""
_FIRST_PAUSE: Final = 1.0
_LONGEST_PAUSE: Final = 60.0
_MARGIN: Final = 0.05
"""Seconds beyond what the platform asks for: its clock is another one."""


class GateClosed(OutletError):
    """Nothing was sent: the platform wants silence, and this was not worth waiting for."""


class Gate:
    """Lets calls to one address through, one at a time.

    Args:
        clock: Tells the time and waits.
        patience: Seconds for which something that must arrive is tried.
    """

    def __init__(self, *, clock: Clock = SYSTEM_CLOCK, patience: float = PATIENCE) -> None:
        self.clock = clock
        self._patience = patience
        self._lock = asyncio.Lock()
        self._opens_at = self._shown_at = float("-inf")

    def until_open(self, *, interval: float = 0.0) -> float:
        """Return the seconds until something may be shown that comes at most every `interval` seconds."""
        return max(max(self._opens_at, self._shown_at + interval) - self.clock.monotonic(), 0.0)

    async def show(self, call: Callable[[], Awaitable[ResultT]], *, counts: bool = True) -> ResultT:
        """Make a call that need not arrive.

        Args:
            call: The call.
            counts: Whether the next one has to wait for its interval from now on.

        Raises:
            GateClosed: It was not made.
            OutletError: It went wrong.
        """
        if self.until_open() or self._lock.locked():
            raise GateClosed("The address wants silence, or something that must arrive is on its way.")
        async with self._lock:
            try:
                return await self._made(call)
            finally:
                if counts:
                    self._shown_at = self.clock.monotonic()

    async def deliver(self, call: Callable[[], Awaitable[ResultT]]) -> ResultT:
        """Make a call that must arrive: it waits for as long as the platform wants, and is tried again.

        Raises:
            OutletError: It went wrong for good, or for longer than there is patience.
        """
        gives_up_at, pause = self.clock.monotonic() + self._patience, _FIRST_PAUSE
        while True:
            # The lock is had only while a call is made: whoever waits for the same silence waits beside this one.
            while (closed := self.until_open()) > 0:
                await self.clock.sleep(closed)
            try:
                async with self._lock:
                    return await self._made(call)
            except RetryAfter as error:
                if self.clock.monotonic() + error.seconds > gives_up_at:
                    raise
                logger.info("An address wants %g seconds of silence; what is to be sent there waits.", error.seconds)
            except Unreachable:
                if self.clock.monotonic() + pause > gives_up_at:
                    raise
                await self.clock.sleep(pause)
                pause = min(pause * 2, _LONGEST_PAUSE)

    async def _made(self, call: Callable[[], Awaitable[ResultT]]) -> ResultT:
        try:
            return await call()
        except RetryAfter as error:
            self._opens_at = max(self._opens_at, self.clock.monotonic() + error.seconds + _MARGIN)
            raise


class Gates:
    """The gates of all addresses, to a bound: beyond it the one that was used longest ago is forgotten."""

    def __init__(self, *, clock: Clock = SYSTEM_CLOCK, patience: float = PATIENCE, max_gates: int = 10_000) -> None:
        self._clock = clock
        self._patience = patience
        self._max = max_gates
        self._gates: OrderedDict[str, Gate] = OrderedDict()

    def at(self, address: str) -> Gate:
        """Return the gate of an address."""
        gate = self._gates.pop(address, None) or Gate(clock=self._clock, patience=self._patience)
        self._gates[address] = gate
        while len(self._gates) > self._max:
            self._gates.popitem(last=False)
        return gate

    def clear(self) -> None:
        """Forget all: a gate belongs to the event loop that it was used in."""
        self._gates.clear()
