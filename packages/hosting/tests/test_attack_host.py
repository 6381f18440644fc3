"""Agents, hooks and clients that behave badly, and what must not come of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from typing import Any, NoReturn

import pytest
from agent_framework import AgentSession, Message

from agent_framework_hosting.channel import ChannelContext
from agent_framework_hosting.errors import RunCancelled, UnknownParent
from agent_framework_hosting.host import AgentFrameworkHost
from agent_framework_hosting.limits import Limits
from agent_framework_hosting.testing import GeneratorAgent, InMemoryDriver, ScriptedAgent, recall
from agent_framework_hosting.types import ChannelRequest, ChannelSession
from agent_framework_hosting.web.events import Buffers, EventStream

Connect = Callable[..., ChannelContext]


def ask(text: str = "hi", **session: Any) -> ChannelRequest:
    """Return a request in this session."""
    return ChannelRequest(channel="test", operation="message", input=text, session=ChannelSession(**session))


class Uncomparable:
    """Will not say whether it equals another, as arrays do."""

    def __eq__(self, other: object) -> bool:
        raise ValueError("ambiguous")

    def __hash__(self) -> int:
        return 0


class Uncopyable:
    """Refuses to be copied in a way of its own."""

    def __deepcopy__(self, _: object) -> NoReturn:
        raise OSError("no copies")


class KeepingAgent(ScriptedAgent):
    """Keeps an object of its own in the session's state."""

    def __init__(self, kept: object) -> None:
        super().__init__()
        self._kept = kept

    def create_session(self, *, session_id: str | None = None) -> AgentSession:
        """Return a session with the object in it."""
        session = super().create_session(session_id=session_id)
        session.state["kept"] = self._kept
        return session


@pytest.mark.parametrize("kept", [Uncomparable(), [Uncomparable()], Uncopyable()], ids=["eq", "list of eq", "copy"])
async def test_whatever_an_agent_keeps_in_its_session_the_turn_is_committed(connect: Connect, kept: object) -> None:
    """State that cannot be copied or compared costs the fork, not the turn."""
    context = connect(KeepingAgent(kept))
    await context.run(ask(commit_as="one"))
    await context.run(ask(parent="one", commit_as="two"))
    assert (await context.run(ask(parent="two", commit_as="three"))).result.text == "echo: hi"


async def test_one_id_for_turns_of_two_sessions_means_the_later_turn(connect: Connect) -> None:
    """Forgetting the session that had the id first takes nothing away from the other one, and breaks nothing."""
    context = connect(ScriptedAgent(every=recall), limits=Limits(max_sessions=2))
    await context.run(ask("first", isolation_key="a", commit_as="same"))
    await context.run(ask("second", isolation_key="b", commit_as="same"))
    await context.run(ask(isolation_key="c"))
    assert (await context.run(ask("third", parent="same", commit_as="next"))).result.text == "second | third"
    await context.run(ask(isolation_key="d"))
    await context.run(ask(isolation_key="e"))
    with pytest.raises(UnknownParent):
        await context.run(ask(parent="same"))


class Sticky(GeneratorAgent):
    """Streams with an iterator that cannot be closed without an error."""

    def run(self, messages: Any = None, *, stream: bool = False, **kwargs: Any) -> Any:
        """Play the next turn."""
        inner: Any = super().run(messages, stream=stream, **kwargs)
        return _StickyIterator(inner) if stream else inner


class _StickyIterator:
    def __init__(self, inner: AsyncGenerator[Any]) -> None:
        self._inner = inner

    def __aiter__(self) -> _StickyIterator:
        return self

    async def __anext__(self) -> Any:
        return await anext(self._inner)

    async def aclose(self) -> None:
        raise RuntimeError("cannot be closed")


async def test_a_turn_whose_stream_failed_at_its_very_end_is_not_committed(connect: Connect) -> None:
    """What the reader was told is a failure is no turn to continue from."""
    context = connect(Sticky())
    stream = await context.run_stream(ask(commit_as="one"))
    with pytest.raises(RuntimeError):
        _ = [update async for update in stream]
    with pytest.raises(UnknownParent):
        await context.run(ask(parent="one"))


async def test_draining_stops_a_run_hook_that_hangs(make_probe: Callable[..., Any]) -> None:
    """A hook is part of the run: the host does not wait for it longer than for anything else."""
    started = asyncio.Event()

    async def hook(request: ChannelRequest, **_: Any) -> ChannelRequest:
        started.set()
        await asyncio.Event().wait()
        return request

    channel = make_probe()
    async with asyncio.timeout(30):
        async with AgentFrameworkHost(ScriptedAgent(), channels=[channel], limits=Limits(drain_timeout=0.01)):
            run = asyncio.create_task(channel.context.run(ask(), run_hook=hook))
            await started.wait()
        with pytest.raises(RunCancelled):
            await run


class Compacting(ScriptedAgent):
    """Puts a summary in front of its history, in place, before it remembers a turn; fails when told to."""

    def _call(self, messages: Any, **kwargs: Any) -> Any:
        run = super()._call(messages, **kwargs)
        if run.session and (history := self._state(run.session).get("messages")):
            history.insert(0, Message("user", [f"summary {run.index}"]))
        return run


async def test_a_failed_turn_that_rewrote_the_history_in_place_takes_no_message_with_it(connect: Connect) -> None:
    """The history is what it was after the last turn that finished."""
    context = connect(Compacting("a", KeyError("failed"), every=recall))
    await context.run(ask("one", isolation_key="k"))
    with pytest.raises(KeyError):
        await context.run(ask("two", isolation_key="k"))
    assert (await context.run(ask("three", isolation_key="k"))).result.text == "summary 2 | one | three"


async def test_a_fork_sees_a_history_that_was_rewritten_in_place_as_it_was(connect: Connect) -> None:
    """No message is missing from it, none is there twice."""
    context = connect(Compacting("a", "b", every=recall))
    await context.run(ask("one", commit_as="1"))
    await context.run(ask("two", parent="1", commit_as="2"))
    await context.run(ask("three", parent="2", commit_as="3"))
    assert (await context.run(ask("fork", parent="2"))).result.text == "summary 3 | summary 1 | one | two | fork"


async def test_a_run_that_swallows_its_cancellation_is_closed_at_its_next_event() -> None:
    """It writes for nobody, so it ends, and leaves no bytes counted for readers that do not exist."""
    swallowed, closed, wrote_on = (asyncio.Event() for _ in range(3))

    async def events() -> AsyncGenerator[bytes]:
        try:
            yield b"data: 1\n\n"
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                swallowed.set()
            yield b"data: 2\n\n"
            wrote_on.set()
        finally:
            closed.set()

    buffers = Buffers(max_bytes=1_000_000)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            await EventStream(events(), limits=Limits(), buffers=buffers)(scope, receive, send)

    async with InMemoryDriver(app, lifespan=False) as driver:
        async with driver.stream("GET", "/") as answer:
            assert await anext(answer)
        await asyncio.wait_for(closed.wait(), 30)
    assert swallowed.is_set()
    assert not wrote_on.is_set()
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


@pytest.mark.parametrize("key", ["a" * 600, "\xff"])
async def test_refused_isolation_headers_have_a_request_id_and_the_common_shape(key: str) -> None:
    """Also what is refused at the door can be found again."""
    host = AgentFrameworkHost(ScriptedAgent(), channels=[], trust_isolation_headers=True)
    async with InMemoryDriver(host.app) as driver:
        answer = await driver.request("GET", "/readiness", headers={"x-agent-chat-isolation-key": key})
    assert answer.status == 400
    assert answer.headers["x-request-id"].startswith("req_")
    assert answer.json()["error"]["type"] == "invalid_request_error"
