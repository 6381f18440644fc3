"""What all parts of the channel contract stand on: a served channel, a conversation with it, and common checks."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any, ClassVar, TypeVar

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis.strategies import SearchStrategy
from starlette.types import ASGIApp

from ...channel import Channel
from ...host import AgentFrameworkHost
from ...limits import Limits
from ...types import Principal
from .._agent import ScriptedAgent
from .._loopback import LoopbackDriver
from .._script import recall
from ._adapter import Capability, ChannelAdapter, Line, Said
from ._store_watch import WatchedStore

T = TypeVar("T")

SECRET = "the password is 123"  # noqa: S105 - what an agent says to itself, and nobody must hear
_QUICK = Limits(drain_timeout=1.0)
_SLOW = [HealthCheck.too_slow]
_TRACES = (SECRET.encode(), b"Traceback (most recent call last)", b'.py", line ')


@dataclass(kw_only=True)
class Served:
    """A channel that is served, and everything around it."""

    adapter: ChannelAdapter
    channel: Channel
    host: AgentFrameworkHost
    driver: LoopbackDriver
    agent: ScriptedAgent
    store: WatchedStore
    patience: float

    async def tell(self, line: Line, text: str) -> Said:
        """Send a message and return the answer; the line remembers it."""
        said = await self.adapter.say(line, text)
        if said.error is None:
            line.said.append(said)
        return said

    async def wait_taken(self, count: int) -> None:
        """Wait until so many messages have a place in a line, the channel's own or the host's."""
        if not await self.adapter.wait_taken(count):
            await self.store.wait_accepted(count, timeout=self.patience)

    async def hear(self, line: Line, text: str, *, on_piece: Callable[[str], object] | None = None) -> Heard:
        """Send a message and return all that was shown while the answer was made, and its end."""
        heard = Heard()
        async with asyncio.timeout(self.patience), aclosing(self.adapter.listen(line, text)) as items:
            async for item in items:
                assert heard.end is None, f"More came after the end of the stream: {item!r}"
                if isinstance(item, Said):
                    heard.end = item
                else:
                    heard.shown.append(item)
                    if on_piece is not None:
                        on_piece(item)
        if heard.said.error is None:
            line.said.append(heard.said)
        return heard

    async def answer(self, line: Line, text: str) -> str:
        """Send a message and return the answer's text, which there has to be."""
        said = await self.tell(line, text)
        assert said.error is None, f"{text!r} was answered with an error: {said}, {said.wire!r}"
        return said.text


@dataclass
class Heard:
    """What a stream showed, step by step, and what it said at its end."""

    shown: list[str] = field(default_factory=list[str])
    end: Said | None = None

    @property
    def said(self) -> Said:
        """The end, which there has to be."""
        assert self.end is not None, f"The stream has no end; it showed {self.shown}."
        return self.end


class ChannelSuite:
    """The base of all parts; `ChannelContract` says how to use them."""

    adapter: ClassVar[type[ChannelAdapter]]
    """How the contract talks to the channel; called without arguments for each host that is served."""

    patience: ClassVar[float] = 10.0
    """Seconds that anything may take; more means that it hangs."""

    examples: ClassVar[int | None] = None
    """How many values are made up for each property; as many as Hypothesis's profile says, when left out."""

    @pytest.fixture
    def anyio_backend(self) -> str:
        """Agent Framework runs on asyncio."""
        return "asyncio"

    def needs(self, *capabilities: Capability) -> None:
        """Skip the test when the channel lacks one of these; the reason is the adapter's."""
        lacks = self.adapter.lacks
        for capability in capabilities:
            if capability in lacks:
                pytest.skip(f"The channel lacks {capability!r}: {lacks[capability]}")

    @asynccontextmanager
    async def serve(
        self,
        agent: ScriptedAgent | None = None,
        *,
        options: Mapping[str, Any] | None = None,
        beside: Sequence[Channel] = (),
        wrap: Callable[[AgentFrameworkHost], ASGIApp] | None = None,
        under: str = "",
        max_waiting: int = 64,
        **host_options: Any,
    ) -> AsyncGenerator[Served]:
        """Serve the channel over a real socket; an error that left the app is raised at the end."""
        agent = agent or ScriptedAgent(every=recall)
        store = WatchedStore(max_waiting=max_waiting)
        async with self.adapter() as adapter:
            channel = adapter.make(**(options or {}))
            given: dict[str, Any] = {
                "database": store.as_store,
                "limits": _QUICK,
                **adapter.host_options,
                **host_options,
            }
            host = AgentFrameworkHost(agent, channels=[channel, *beside], **given)
            async with LoopbackDriver(wrap(host) if wrap else host.app, timeout=self.patience) as driver:
                adapter.driver, adapter.at = driver, under + channel.path.rstrip("/")
                yield Served(
                    adapter=adapter,
                    channel=channel,
                    host=host,
                    driver=driver,
                    agent=agent,
                    store=store,
                    patience=self.patience,
                )
            # The agent's own failure may go on to the server, once it has been answered.
            left = [error for error in driver.errors if SECRET not in str(error)]
            assert left == [], "An exception left the app; all that a server can do about it is to hang up."

    async def each(
        self,
        strategy: SearchStrategy[T],
        check: Callable[[T], Awaitable[None]],
        *,
        examples: Sequence[T] = (),
        share: int = 1,
    ) -> None:
        """Check many values against one running host; Hypothesis makes them up in a thread of its own.

        `share` says that each costs so many times as much as others, and so fewer are made.
        """
        loop = asyncio.get_running_loop()

        async def checked(value: T) -> None:
            await check(value)

        def one(value: T) -> None:
            asyncio.run_coroutine_threadsafe(checked(value), loop).result()

        test = given(strategy)(one)
        for value in examples:
            test = example(value)(test)
        count = max(1, (self.examples or settings().max_examples) // share)
        await asyncio.to_thread(settings(max_examples=count, deadline=None, suppress_health_check=_SLOW)(test))


def assert_clean(said: Said) -> None:
    """Check that nothing of the server's inside came over the wire."""
    for trace in _TRACES:
        assert trace not in said.wire, f"The answer shows the server's inside: {said.wire!r}"


def assert_refused(adapter: ChannelAdapter, said: Said, *statuses: int) -> None:
    """Check that a message was refused as the channel refuses, with one of these statuses where there are any."""
    assert said.error is not None, f"This was not refused: {said}, {said.wire!r}"
    assert said.status is None or said.status in statuses, f"The status is {said.status}, not one of {statuses}."
    adapter.check_error(said)
    assert_clean(said)


def by_name(connection: Any) -> Principal | None:
    """Say who is calling, as `Line.headers` does; what the contract gives to `auth=`."""
    scheme, _, name = connection.headers.get("authorization", "").partition(" ")
    return Principal(id=name) if scheme == "Bearer" and name else None


@contextmanager
def no_failure_logged() -> Generator[None]:
    """Check that the host saw no failure of its own: bad input is nobody's failure but the sender's."""
    records: list[str] = []
    handler = logging.Handler(logging.ERROR)
    handler.emit = lambda record: records.append(record.getMessage())
    watched = logging.getLogger("agent_framework.hosting")
    watched.addHandler(handler)
    try:
        yield
    finally:
        watched.removeHandler(handler)
    assert records == [], "The host logged a failure of its own."
