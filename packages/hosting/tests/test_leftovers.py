"""What is left of a request when it has been answered: nothing, and so nothing for the garbage collector to find."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import contextmanager
from typing import Any
from weakref import ref

from agent_framework_hosting.limits import Limits
from agent_framework_hosting.testing import Gate
from agent_framework_hosting.web.events import EventStream
from agent_framework_hosting.web.watch import PATIENCE, run_while_connected

from .timers import rings

Later = Callable[[float], None]


@contextmanager
def nobody_collecting() -> Generator[None]:
    """Leave what is kept in circles where it is."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


class Client:
    """Stays for as long as it is asked."""

    def __init__(self) -> None:
        self.is_watched = Gate()

    async def receive(self) -> Any:
        self.is_watched.open()
        return await asyncio.Event().wait()

    async def send(self, message: Any) -> None:
        """Take whatever comes."""


async def test_a_stream_whose_client_was_watched_leaves_nothing_behind(later: Later) -> None:
    gate = Gate()

    async def events() -> AsyncGenerator[bytes, None]:
        yield b"said"
        await gate.wait()

    async def answer() -> ref[Client]:
        client = Client()
        answering = asyncio.create_task(EventStream(events(), limits=Limits())({}, client.receive, client.send))
        await asyncio.sleep(0)
        later(PATIENCE + 1)
        await client.is_watched.wait()
        gate.open()
        await answering
        return ref(client)

    with nobody_collecting():
        client = await answer()
        await rings()
        assert client() is None


async def test_a_whole_answer_whose_client_was_watched_leaves_nothing_behind(later: Later) -> None:
    gate = Gate()

    async def answer() -> ref[Client]:
        client = Client()
        answering = asyncio.create_task(run_while_connected(gate.wait(), client.receive))
        await asyncio.sleep(0)
        later(PATIENCE + 1)
        await client.is_watched.wait()
        gate.open()
        await answering
        return ref(client)

    with nobody_collecting():
        client = await answer()
        await rings()
        assert client() is None
