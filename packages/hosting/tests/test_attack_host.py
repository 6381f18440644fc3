"""Agents, hooks and clients that behave badly, and what must not come of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from typing import Any

import pytest

from agent_framework_hosting.channel import ChannelContext
from agent_framework_hosting.limits import Limits
from agent_framework_hosting.testing import InMemoryDriver
from agent_framework_hosting.types import ChannelRequest, ChannelSession
from agent_framework_hosting.web.events import Buffers, EventStream

Connect = Callable[..., ChannelContext]


def ask(text: str = "hi", **session: Any) -> ChannelRequest:
    """Return a request in this session."""
    return ChannelRequest(channel="test", operation="message", input=text, session=ChannelSession(**session))


async def test_a_run_that_swallows_its_cancellation_is_closed_at_its_next_event() -> None:
    """It writes for nobody, so it ends, and leaves no bytes counted for readers that do not exist."""
    swallowed, closed, go = asyncio.Event(), asyncio.Event(), asyncio.Event()
    written: list[int] = []

    async def events() -> AsyncGenerator[bytes]:
        try:
            yield b"data: 1\n\n"
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                swallowed.set()
            await go.wait()
            for number in range(100):
                written.append(number)
                yield b"data: 2\n\n"
        finally:
            closed.set()

    buffers = Buffers(max_bytes=1_000_000)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            await EventStream(events(), limits=Limits(), buffers=buffers)(scope, receive, send)

    async with InMemoryDriver(app, lifespan=False) as driver:
        async with driver.stream("GET", "/") as answer:
            assert await anext(answer)
        await swallowed.wait()
        go.set()
        await asyncio.wait_for(closed.wait(), 2)
    assert written == [0]
    assert buffers.held == 0


async def test_a_stream_whose_client_is_gone_before_its_first_byte_is_cleaned_up() -> None:
    """A server that refuses the very first send still sees the run closed when the answer returns."""
    begun, closed = asyncio.Event(), asyncio.Event()

    async def events() -> AsyncGenerator[bytes]:
        try:
            begun.set()
            yield b"data: 1\n\n"
        finally:
            closed.set()

    async def refuse(_: Any) -> None:
        raise OSError("gone")

    async def nothing() -> Any:
        await asyncio.Event().wait()

    with pytest.raises(OSError, match="gone"):
        await EventStream(events(), limits=Limits())({"type": "http"}, nothing, refuse)
    assert begun.is_set()
    assert closed.is_set()
