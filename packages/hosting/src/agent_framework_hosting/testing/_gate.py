"""Waiting without sleeping: a gate that holds a fake back, and the bell that wakes whoever waits for something.

Both work across threads and event loops, so a test can hold back an agent that runs in a server's own thread.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Final

TIMEOUT: Final = 30.0
"""Seconds after which a wait in a test gives up; a guard against hanging, never a pause."""


class Bell:
    """Wakes everybody who waits for a condition, in whichever event loop they wait."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: set[asyncio.Future[None]] = set()

    def ring(self) -> None:
        """Make every waiter look at its condition again; callable from any thread."""
        with self._lock:
            woken, self._waiting = self._waiting, set()
        for future in woken:
            loop = future.get_loop()
            if not loop.is_closed():
                loop.call_soon_threadsafe(_wake, future)

    async def until(self, met: Callable[[], bool], *, waiting_for: str, timeout: float | None = TIMEOUT) -> None:
        """Wait until `met()` is true; what it looks at has to change before the bell is rung.

        Raises:
            TimeoutError: It did not come true in time; the message names `waiting_for`.
        """
        try:
            async with asyncio.timeout(timeout):
                while not met():
                    await self._rung(met)
        except TimeoutError:
            raise TimeoutError(f"Waited {timeout:g} s for {waiting_for}, in vain.") from None

    async def _rung(self, met: Callable[[], bool]) -> None:
        future = asyncio.get_running_loop().create_future()
        with self._lock:
            self._waiting.add(future)
        try:
            # Another thread may have rung between the look before and the entry in the list.
            if not met():
                await future
        finally:
            with self._lock:
                self._waiting.discard(future)


def _wake(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


class Gate:
    """A point in a script where a fake waits until the test lets it go on.

    A test sees when somebody stands before the gate, and opens it, from any thread. An open gate stays open.

    Example:
        >>> import asyncio
        >>> from agent_framework_hosting.testing import Gate, ScriptedAgent
        >>> async def main() -> None:
        ...     middle = Gate("middle")
        ...     agent = ScriptedAgent(["one ", middle, "two"])
        ...     answer = asyncio.ensure_future(agent.run("hi"))
        ...     await middle.wait_reached()
        ...     print(agent.runs[0].text, middle)
        ...     middle.open()
        ...     print((await answer).text)
        >>> asyncio.run(main())
        one  <Gate 'middle' shut, reached 1 time(s)>
        one two
    """

    def __init__(self, name: str = "gate") -> None:
        self.name = name
        self.is_open: bool = False
        self.reached: int = 0
        """How many have come to the gate so far, whether or not it was open."""
        self._bell = Bell()

    def __repr__(self) -> str:
        return f"<Gate {self.name!r} {'open' if self.is_open else 'shut'}, reached {self.reached} time(s)>"

    def open(self) -> None:
        """Let everybody through, now and later."""
        self.is_open = True
        self._bell.ring()

    async def wait(self) -> None:
        """Wait until the gate is open, for as long as it takes."""
        self.reached += 1
        self._bell.ring()
        await self._bell.until(lambda: self.is_open, waiting_for=f"{self!r} to be opened", timeout=None)

    async def wait_reached(self, times: int = 1, *, timeout: float = TIMEOUT) -> None:
        """Wait until so many have come to the gate."""
        await self._bell.until(
            lambda: self.reached >= times,
            waiting_for=f"gate {self.name!r} to be reached {times} time(s)",
            timeout=timeout,
        )
