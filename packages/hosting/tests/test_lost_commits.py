"""A turn that ran and could not be committed: what it used up, and what it had sent, are kept all the same."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import Connection, NullPool, create_engine, event, text

from agent_framework_hosting.channel import ChannelContext
from agent_framework_hosting.errors import RunCancelled, StateUnavailable, UnknownId
from agent_framework_hosting.host import AgentFrameworkHost
from agent_framework_hosting.limits import Limits
from agent_framework_hosting.testing import AgentRun, ScriptedAgent
from agent_framework_hosting.types import ChannelRequest, ChannelSession

SOON = 60.0


class Paying(ScriptedAgent):
    """An agent whose sessions remember what was paid, beside the messages."""

    def _call(self, messages: Any, **more: Any) -> AgentRun:
        state = more["session"].state
        state["paid"] = [*state.get("paid", []), messages[-1].text if hasattr(messages[-1], "text") else messages]
        return super()._call(messages, **more)

    def paid(self) -> list[str]:
        """Return what the session of the last run knows of."""
        session = self.runs[-1].session
        assert session is not None
        return session.state["paid"]


@pytest.fixture
def agent() -> Paying:
    return Paying(every="done")


@pytest.fixture
async def context(agent: Paying, database: str, make_probe: Callable[[], Any]) -> AsyncGenerator[ChannelContext]:
    probe = make_probe()
    async with AgentFrameworkHost(agent, channels=[probe], database=database):
        yield probe.context


def _begin_by_hand(connection: Any, _: Any) -> None:
    connection.isolation_level = None


@contextmanager
def beside(database: str) -> Generator[Connection]:
    """Connect to the database beside the host."""
    engine = create_engine(database.replace("postgresql://", "postgresql+psycopg://"), poolclass=NullPool)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _begin_by_hand)
    with engine.connect() as connection:
        yield connection


def ask(said: str, turn_id: str) -> ChannelRequest:
    session = ChannelSession("room", commit_as=turn_id)
    return ChannelRequest(channel="probe", operation="message", input=said, session=session)


async def streamed(context: ChannelContext, said: str, turn_id: str, at_end: Callable[[], None] = lambda: None) -> None:
    def seal(_: Any) -> str:
        at_end()
        return "whole"

    stream = await context.run_stream(ask(said, turn_id), seal=seal, seal_unfinished=lambda _: "cut")
    await stream.get_final_response()


async def record_of(context: ChannelContext, turn_id: str) -> Any:
    """Return the record of a turn, once it is there."""
    async with asyncio.timeout(SOON):
        while True:
            try:
                return await context.read_record(turn_id)
            except (UnknownId, StateUnavailable):
                await asyncio.sleep(0.01)


async def test_a_turn_whose_commit_failed_leaves_what_it_used_up_and_what_it_had_sent(
    context: ChannelContext, agent: Paying, database: str
) -> None:
    await streamed(context, "one", "t1")

    def take_away() -> None:
        with beside(database) as connection:
            connection.execute(text("ALTER TABLE af_turn RENAME TO af_elsewhere"))
            connection.commit()

    with pytest.raises(StateUnavailable) as refused:
        await streamed(context, "two", "t2", take_away)
    assert refused.value.has_run
    with beside(database) as connection:
        connection.execute(text("ALTER TABLE af_elsewhere RENAME TO af_turn"))
        connection.commit()
    assert await record_of(context, "t2") == "cut"
    await streamed(context, "three", "t3")
    assert agent.runs[-1].seen == ["one", "done", "three"]
    assert agent.paid() == ["one", "two", "three"]


async def test_a_turn_that_is_being_stored_when_the_drain_is_over_is_told_as_it_is_stored(
    database: str, make_probe: Callable[[], Any]
) -> None:
    probe, at_commit, begun, stopped = make_probe(), asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def speak(run: AgentRun) -> AsyncGenerator[str]:
        yield "done"
        if run.messages[-1].text == "another":
            begun.set()
            try:
                await asyncio.Event().wait()
            finally:
                stopped.set()

    async with AgentFrameworkHost(
        ScriptedAgent(every=speak), channels=[probe], database=database, limits=Limits(drain_timeout=0.01)
    ) as host:
        context: ChannelContext = probe.context
        elsewhere = ChannelRequest(channel="probe", operation="message", input="another")
        another = asyncio.create_task(context.run(elsewhere))
        await begun.wait()
        with beside(database) as connection:
            is_sqlite = connection.dialect.name == "sqlite"
            lock = "BEGIN IMMEDIATE" if is_sqlite else "LOCK TABLE af_turn IN ACCESS EXCLUSIVE MODE"

            def hold() -> None:
                connection.execute(text(lock))
                at_commit.set()

            turn = asyncio.create_task(streamed(context, "one", "t1", hold))
            await at_commit.wait()
            draining = asyncio.create_task(host.drain())
            # All are told at once.
            await stopped.wait()
            connection.execute(text("ROLLBACK"))
        await turn
        assert await record_of(context, "t1") == "whole"
        assert await draining
        with pytest.raises(RunCancelled):
            await another


@pytest.mark.parametrize("steps", [0, 1, 2, 5])
async def test_a_turn_that_is_cancelled_while_it_is_committed_is_there_wholly_or_as_an_unfinished_one(
    context: ChannelContext, agent: Paying, database: str, steps: int
) -> None:
    await streamed(context, "one", "t1")
    at_commit = asyncio.Event()
    with beside(database) as connection:
        is_sqlite = connection.dialect.name == "sqlite"
        lock = "BEGIN IMMEDIATE" if is_sqlite else "LOCK TABLE af_turn IN ACCESS EXCLUSIVE MODE"

        def hold() -> None:
            connection.execute(text(lock))
            at_commit.set()

        turn = asyncio.create_task(streamed(context, "two", "t2", hold))
        await at_commit.wait()
        for _ in range(steps):
            await asyncio.sleep(0)
        turn.cancel()
        await asyncio.sleep(0)
        connection.execute(text("ROLLBACK"))
    with pytest.raises(asyncio.CancelledError):
        await turn
    record = await record_of(context, "t2")
    await streamed(context, "three", "t3")
    is_there = {"whole": ["two", "done"], "cut": []}
    assert agent.runs[-1].seen == ["one", "done", *is_there[record], "three"]
    assert agent.paid() == ["one", "two", "three"]


@pytest.mark.parametrize("is_plain", [True, False])
async def test_a_state_that_cannot_be_kept_hides_neither_the_runs_own_error_nor_its_record(
    database: str, make_probe: Callable[[], Any], caplog: pytest.LogCaptureFixture, is_plain: bool
) -> None:
    class Refusing:
        def to_dict(self) -> Any:
            raise LookupError

        @classmethod
        def from_dict(cls, _: Any) -> Refusing:
            return cls()

    kept = object() if is_plain else Refusing()

    class Keeping(ScriptedAgent):
        def _call(self, messages: Any, **more: Any) -> AgentRun:
            more["session"].state["kept"] = kept
            return super()._call(messages, **more)

    agent, probe = Keeping(["half", ValueError("the model is gone")], every="done"), make_probe()
    async with AgentFrameworkHost(agent, channels=[probe], database=database):
        with pytest.raises(ValueError, match="the model is gone"):
            await streamed(probe.context, "one", "t1")
        assert await record_of(probe.context, "t1") == "cut"
        assert "cannot be stored" in caplog.text
