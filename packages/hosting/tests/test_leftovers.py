"""What is left of a request when it has been answered: nothing, and so nothing for the garbage collector to find."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator
from contextlib import contextmanager, suppress
from typing import Any
from weakref import ref

import pytest

from agent_framework_hosting._stepping import within
from agent_framework_hosting.channel import ChannelContext
from agent_framework_hosting.errors import RunError
from agent_framework_hosting.limits import Limits
from agent_framework_hosting.testing import Gate, ScriptedAgent
from agent_framework_hosting.types import ChannelRequest
from agent_framework_hosting.web.body import ClientGone
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
    """Leaves once that is said."""

    def __init__(self) -> None:
        self.is_watched = Gate()
        self.leaves = Gate()

    async def receive(self) -> Any:
        self.is_watched.open()
        await self.leaves.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        """Take whatever comes."""


async def streamed(client: Client, gate: Gate) -> None:
    async def events() -> AsyncGenerator[bytes, None]:
        yield b"said"
        await gate.wait()

    await EventStream(events(), limits=Limits())({}, client.receive, client.send)


async def whole(client: Client, gate: Gate) -> None:
    with suppress(ClientGone):
        await run_while_connected(gate.wait(), client.receive)


@pytest.mark.parametrize("answer", [streamed, whole])
@pytest.mark.parametrize("leaves", [False, True], ids=["whose client stays", "whose client leaves"])
async def test_an_answer_leaves_nothing_behind(
    answer: Callable[[Client, Gate], Coroutine[Any, Any, None]], leaves: bool, later: Later
) -> None:
    """It took long enough for its client to be watched."""

    async def answered() -> ref[Client]:
        client, gate = Client(), Gate()
        answering = asyncio.create_task(answer(client, gate))
        await asyncio.sleep(0)
        later(PATIENCE + 1)
        await client.is_watched.wait()
        (client.leaves if leaves else gate).open()
        await answering
        return ref(client)

    with nobody_collecting():
        client = await answered()
        await rings()
        assert client() is None


@pytest.mark.parametrize("answer", [streamed, whole])
@pytest.mark.parametrize("is_watched", [False, True], ids=["at once", "once watched"])
async def test_an_answer_whose_task_is_cancelled_leaves_nothing_behind(
    answer: Callable[[Client, Gate], Coroutine[Any, Any, None]], is_watched: bool, later: Later
) -> None:
    """As the one of a WebSocket is, whose client hangs up."""

    async def answered() -> ref[Client]:
        client, gate = Client(), Gate()
        answering = asyncio.create_task(answer(client, gate))
        await gate.wait_reached()
        if is_watched:
            later(PATIENCE + 1)
            await client.is_watched.wait()
        answering.cancel()
        await asyncio.wait({answering})
        assert answering.cancelled()
        return ref(client)

    with nobody_collecting():
        client = await answered()
        await rings()
        assert client() is None


@pytest.mark.parametrize("script", [Gate(), asyncio.CancelledError], ids=["takes too long", "ends by itself"])
async def test_a_task_that_ends_with_the_error_of_its_run_leaves_nothing_behind(
    script: Any, connect: Callable[..., ChannelContext]
) -> None:
    context = connect(ScriptedAgent(every=script), limits=Limits(run_timeout=0.01))

    async def ended() -> ref[asyncio.Task[Any]]:
        running = asyncio.create_task(context.run(ChannelRequest(channel="test", operation="message", input="hi")))
        await asyncio.wait({running})
        assert isinstance(running.exception(), RunError)
        return ref(running)

    with nobody_collecting():
        task = await ended()
        await rings()
        assert task() is None


async def connected(waiting: Coroutine[Any, Any, None]) -> None:
    await run_while_connected(waiting, Client().receive)


async def timed(waiting: Coroutine[Any, Any, None]) -> None:
    await within(60, waiting)


@pytest.mark.parametrize("awaited", [connected, timed])
@pytest.mark.parametrize("waits_before", [False, True], ids=["at once", "later"])
async def test_what_fails_because_what_it_waits_for_fails_leaves_nothing_behind(
    awaited: Callable[[Coroutine[Any, Any, None]], Coroutine[Any, Any, None]], waits_before: bool
) -> None:
    async def fail() -> None:
        raise ValueError("no")

    async def waiting(tasks: list[ref[asyncio.Task[None]]]) -> None:
        if waits_before:
            await asyncio.sleep(0)
        failing = asyncio.create_task(fail())
        tasks.append(ref(failing))
        waits_for = [failing]
        del failing
        await waits_for.pop()

    with nobody_collecting():
        tasks = list[ref[asyncio.Task[None]]]()
        with suppress(ValueError):
            await awaited(waiting(tasks))
        await rings()
        assert [task() for task in tasks] == [None]
