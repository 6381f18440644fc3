"""Keeps an async context manager entered, in a task of its own: some may only be left by the task that entered them."""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager
from typing import Any


class Entered:
    """One async context manager, entered between `enter` and `leave`."""

    def __init__(self, manager: AbstractAsyncContextManager[Any]) -> None:
        self._manager = manager
        self._wanted = asyncio.Event()
        self._ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._task = asyncio.create_task(self._hold())

    async def enter(self) -> None:
        """Wait until it is entered; raises what entering it raised."""
        try:
            await asyncio.shield(self._ready)
        except asyncio.CancelledError:
            self._task.cancel()
            await asyncio.wait({self._task})
            raise

    async def leave(self) -> None:
        """Leave it; raises what leaving it raised."""
        self._wanted.set()
        await self._task

    async def _hold(self) -> None:
        try:
            await self._manager.__aenter__()
        except BaseException as error:
            if isinstance(error, Exception):
                self._ready.set_exception(error)
                return
            self._ready.cancel()
            raise
        self._ready.set_result(None)
        try:
            await self._wanted.wait()
        finally:
            await self._manager.__aexit__(None, None, None)
