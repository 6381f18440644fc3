"""`session_store=`: whole sessions in a store of the user's, across restarts of the host."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from agent_framework import AgentSession, FileSessionStore, WorkflowBuilder, WorkflowContext, executor
from agent_framework import SessionStore as MemorySessionStore

from agent_framework_hosting.errors import ConfigurationError, StateUnavailable
from agent_framework_hosting.host import AgentFrameworkHost
from agent_framework_hosting.limits import Limits
from agent_framework_hosting.testing import ScriptedAgent
from agent_framework_hosting.types import ChannelRequest, ChannelSession


def ask(text: str, key: str | None = "room", **session: Any) -> ChannelRequest:
    return ChannelRequest(channel="test", operation="message", input=text, session=ChannelSession(key, **session))


@pytest.fixture(params=["file", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*experimental", category=FutureWarning)
        return FileSessionStore(tmp_path) if request.param == "file" else MemorySessionStore()


class Failing:
    """A store that fails when it is told to."""

    def __init__(self) -> None:
        self.fails = False
        self.kept: dict[str, dict[str, Any]] = {}

    async def get(self, session_id: str, /) -> AgentSession | None:
        self._fail()
        return AgentSession.from_dict(self.kept[session_id]) if session_id in self.kept else None

    async def set(self, session_id: str, session: AgentSession, /) -> None:
        self._fail()
        self.kept[session_id] = session.to_dict()

    async def delete(self, session_id: str, /) -> None:
        self.kept.pop(session_id, None)

    def _fail(self) -> None:
        if self.fails:
            raise OSError("disk full at /secret/place")


async def test_a_session_goes_on_after_a_restart(store: Any) -> None:
    await AgentFrameworkHost(ScriptedAgent(every="ok"), channels=[], session_store=store).run(ask("one"))
    agent = ScriptedAgent(every="ok")
    host = AgentFrameworkHost(agent, channels=[], session_store=store)
    await host.run(ask("two"))
    await host.run(ask("three"))
    assert agent.runs[-1].seen == ["one", "ok", "two", "ok", "three"]


async def test_a_session_that_was_dropped_for_want_of_room_is_loaded_again(store: Any) -> None:
    agent = ScriptedAgent(every="ok")
    host = AgentFrameworkHost(agent, channels=[], session_store=store, limits=Limits(max_sessions=1))
    await host.run(ask("one", "a"))
    await host.run(ask("else", "b"))
    await host.run(ask("two", "a"))
    assert agent.runs[-1].seen == ["one", "ok", "two"]


async def test_a_failed_turn_is_no_history_and_what_it_used_up_stays_used_up(store: Any) -> None:
    class Using(ScriptedAgent):
        async def run(self, messages: Any = None, *, session: Any = None, **options: Any) -> Any:  # type: ignore[override]
            session.state["used"] = session.state.get("used", 0) + 1
            return await super().run(messages, session=session, **options)

    host = AgentFrameworkHost(Using("ok", ValueError("no")), channels=[], session_store=store)
    await host.run(ask("one"))
    with pytest.raises(ValueError, match="no"):
        await host.run(ask("lost"))
    agent = Using(every="ok")
    await AgentFrameworkHost(agent, channels=[], session_store=store).run(ask("two"))
    assert agent.runs[0].seen == ["one", "ok", "two"]
    assert agent.runs[0].session is not None
    assert agent.runs[0].session.state["used"] == 3


async def test_a_failed_turn_of_a_loaded_session_takes_nothing_of_its_history_along(store: Any) -> None:
    await AgentFrameworkHost(ScriptedAgent("ok"), channels=[], session_store=store).run(ask("one"))
    agent = ScriptedAgent(ValueError("no"), "ok")
    host = AgentFrameworkHost(agent, channels=[], session_store=store)
    with pytest.raises(ValueError, match="no"):
        await host.run(ask("lost"))
    await host.run(ask("two"))
    assert agent.runs[-1].seen == ["one", "ok", "two"]


async def test_a_loaded_session_can_be_forked_from_the_turns_of_this_process(store: Any) -> None:
    await AgentFrameworkHost(ScriptedAgent("ok"), channels=[], session_store=store).run(ask("one"))
    agent = ScriptedAgent(every="ok")
    host = AgentFrameworkHost(agent, channels=[], session_store=store)
    await host.run(ask("two", commit_as="t2"))
    await host.run(ask("three"))
    await host.run(ask("other", None, parent="t2", commit_as="t3"))
    assert agent.runs[-1].seen == ["one", "ok", "two", "ok", "other"]


async def test_a_reset_starts_with_nothing_and_leaves_the_old_session_in_the_store(store: Any) -> None:
    agent = ScriptedAgent(every="ok")
    host = AgentFrameworkHost(agent, channels=[], session_store=store)
    await host.run(ask("one"))
    host.reset_session("room")
    await host.run(ask("two"))
    assert agent.runs[-1].seen == ["two"]
    assert await store.get("room") is not None


async def test_a_store_that_cannot_keep_a_turn_has_it_refused_and_nothing_of_it_stays() -> None:
    store = Failing()
    agent = ScriptedAgent(every="ok")
    host = AgentFrameworkHost(agent, channels=[], session_store=store)
    await host.run(ask("one"))
    store.fails = True
    with pytest.raises(StateUnavailable) as refused:
        await host.run(ask("lost"))
    assert "secret" not in str(refused.value)
    store.fails = False
    await host.run(ask("two"))
    assert agent.runs[-1].seen == ["one", "ok", "two"]


async def test_a_store_that_cannot_load_never_begins_an_empty_session() -> None:
    store = Failing()
    await AgentFrameworkHost(ScriptedAgent("ok"), channels=[], session_store=store).run(ask("one"))
    agent = ScriptedAgent(every="ok")
    host = AgentFrameworkHost(agent, channels=[], session_store=store)
    store.fails = True
    with pytest.raises(StateUnavailable):
        await host.run(ask("two"))
    assert not agent.runs
    store.fails = False
    await host.run(ask("two"))
    assert agent.runs[-1].seen == ["one", "ok", "two"]


async def test_the_start_line_names_what_a_store_cannot_promise(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="agent_framework.hosting"):
        async with AgentFrameworkHost(ScriptedAgent(), channels=[], session_store=Failing()):
            pass
    assert "State: sessions in Failing" in caplog.text
    assert "ids of turns are unknown after a restart" in caplog.text
    assert "the last writer wins" in caplog.text


def test_two_places_for_sessions_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="session_store and database"):
        AgentFrameworkHost(ScriptedAgent(), channels=[], session_store=Failing(), database="sqlite:///./host.db")


def test_several_workers_with_a_session_store_alone_are_refused() -> None:
    """It keeps sessions, and not the order of their turns."""
    host = AgentFrameworkHost(ScriptedAgent(), channels=[], session_store=Failing())
    with pytest.raises(ConfigurationError, match=r"need database=.*whatever session_store= keeps"):
        host.serve(workers=2)


def test_turns_that_would_keep_one_session_over_each_other_are_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"side by side.*Leave one of them out, or use database="):
        AgentFrameworkHost(ScriptedAgent(), channels=[], session_store=Failing(), concurrency="concurrent")


def test_what_is_no_store_is_refused() -> None:
    not_a_store: Any = object()
    with pytest.raises(ConfigurationError, match="no session store"):
        AgentFrameworkHost(ScriptedAgent(), channels=[], session_store=not_a_store)


@executor(id="start")
async def start(text: str, ctx: WorkflowContext[Any, str]) -> None:
    await ctx.yield_output(text)


def built() -> Any:
    return WorkflowBuilder(name="shout", start_executor=start).build()


@pytest.mark.parametrize("make", [built, lambda: built], ids=["workflow", "factory"])
async def test_a_workflow_is_told_what_to_use_instead(make: Callable[[], Any]) -> None:
    with pytest.raises(ConfigurationError, match=r"database=, or checkpoint_location="):
        async with AgentFrameworkHost(make(), channels=[], session_store=Failing()):
            pass
