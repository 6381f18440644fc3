"""Continuity: which requests meet in one session, in which order, and what they find there."""

from __future__ import annotations

import asyncio
import gc
import sys
import threading
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from agent_framework import AgentSession, Content, Message

from agent_framework_hosting._sessions.live import LiveSession, LiveSessions
from agent_framework_hosting._state.turns import SessionName
from agent_framework_hosting._target import agent_state
from agent_framework_hosting._target.agent_state import AgentState
from agent_framework_hosting.channel import ChannelContext
from agent_framework_hosting.errors import NotForkable, QueueFull, RunCancelled, UnknownId, UnknownParent
from agent_framework_hosting.host import AgentFrameworkHost
from agent_framework_hosting.limits import Limits
from agent_framework_hosting.testing import Gate, ScriptedAgent
from agent_framework_hosting.types import ChannelRequest, ChannelSession, Principal

Connect = Callable[..., Awaitable[ChannelContext]]


@pytest.fixture(params=["memory", "sqlite", "postgres"])
async def connect(
    request: pytest.FixtureRequest, make_database: Callable[[str], str], make_probe: Callable[[], Any]
) -> AsyncGenerator[Connect]:
    """Return a function that starts a host with each kind of store, and returns the context that its channel got."""
    async with AsyncExitStack() as stack:

        async def connect(agent: Any, **options: Any) -> ChannelContext:
            probe = make_probe()
            if request.param != "memory":
                options["database"] = make_database(request.param)
            await stack.enter_async_context(AgentFrameworkHost(agent, channels=[probe], **options))
            return probe.context

        yield connect


in_memory = pytest.mark.parametrize("connect", ["memory"], indirect=True)


def ask(text: str, key: str | None = None, *, principal: Principal | None = None, **session: Any) -> ChannelRequest:
    """Return a request with a session of these parts."""
    return ChannelRequest(
        channel="test",
        operation="message",
        input=text,
        session=ChannelSession(key, **session),
        principal=principal,
    )


async def test_requests_with_an_equal_key_share_one_session(connect: Connect) -> None:
    """The second turn sees the first; the key is the session id."""
    agent = ScriptedAgent(every="ok")
    context = await connect(agent)
    await context.run(ask("one", "room"))
    await context.run(ask("two", "room"))
    assert agent.runs[1].seen == ["one", "ok", "two"]
    assert [run.session_id for run in agent.runs] == ["room", "room"]


@in_memory
async def test_what_the_host_does_for_a_turn_does_not_grow_with_the_conversation(connect: Connect) -> None:
    """An agent looks at its whole history; the host takes as many steps late in a conversation as early."""
    context = await connect(ScriptedAgent(every="ok"))
    own, steps = Path(agent_state.__file__).parents[1], list[int]()
    ours, players = str(own), str(own / "testing")

    async def turn(number: int) -> None:
        count = 0

        def watch(frame: FrameType, event: str, _: object) -> None:
            nonlocal count
            name = frame.f_code.co_filename
            count += event == "call" and name.startswith(ours) and not name.startswith(players)

        before = sys.getprofile()
        sys.setprofile(watch)
        try:
            await context.run(ask("hi", parent=f"t{number - 1}" if number else None, commit_as=f"t{number}"))
        finally:
            sys.setprofile(before)
        steps.append(count)

    for number in range(60):
        await turn(number)
    assert steps[59] == steps[5] > 0


async def test_different_keys_never_meet(connect: Connect) -> None:
    """Another key starts with nothing."""
    agent = ScriptedAgent(every="ok")
    context = await connect(agent)
    await context.run(ask("one", "room"))
    await context.run(ask("two", "hall"))
    assert agent.runs[1].seen == ["two"]


async def test_equal_keys_of_two_tenants_never_meet(connect: Connect) -> None:
    """The tenant partitions sessions, and shows in the session id."""
    agent = ScriptedAgent(every="ok")
    context = await connect(agent)
    await context.run(ask("one", "room"))
    await context.run(ask("two", "room", principal=Principal(tenant="acme", id="ada", kind="caller")))
    assert agent.runs[1].seen == ["two"]
    assert agent.runs[0].session_id != agent.runs[1].session_id


@pytest.mark.parametrize("session", [None, ChannelSession()])
async def test_without_a_key_no_session_is_passed(connect: Connect, session: ChannelSession | None) -> None:
    """A single turn has no session at all."""
    agent = ScriptedAgent(every="ok")
    await (await connect(agent)).run(ChannelRequest(channel="test", operation="message", input="hi", session=session))
    assert agent.runs[0].session is None


async def test_a_disabled_session_is_not_passed(connect: Connect) -> None:
    """`session_mode="disabled"` wins over a key."""
    agent = ScriptedAgent(every="ok")
    request = ChannelRequest(
        channel="test", operation="message", input="hi", session=ChannelSession("room"), session_mode="disabled"
    )
    await (await connect(agent)).run(request)
    assert agent.runs[0].session is None


async def test_a_reset_starts_a_fresh_session_under_a_new_id() -> None:
    """The next request with the key sees nothing and has another session id, made from the key."""
    agent = ScriptedAgent(every="ok")
    host = AgentFrameworkHost(agent, channels=[])
    await host.run(ask("one", "room"))
    host.reset_session("room")
    await host.run(ask("two", "room"))
    await host.run(ask("three", "room"))
    assert agent.runs[1].seen == ["two"]
    assert agent.runs[2].seen == ["two", "ok", "three"]
    assert str(agent.runs[1].session_id).startswith("room#")


async def test_a_reset_that_was_forgotten_for_want_of_room_does_not_bring_the_old_session_back() -> None:
    """What was said before it stays away."""
    agent = ScriptedAgent(every="ok")
    host = AgentFrameworkHost(agent, channels=[], limits=Limits(max_resets=2))
    await host.run(ask("old", "ada"))
    for key in ("ada", "bob", "eve", "kim"):
        host.reset_session(key)
    await host.run(ask("new", "ada"))
    assert agent.runs[1].seen == ["new"]


async def test_a_conversation_that_starts_at_its_own_id_is_new_even_when_the_id_is_not(connect: Connect) -> None:
    """An id factory that repeats itself never lets one caller into another one's conversation."""
    agent = ScriptedAgent(every="ok")
    context = await connect(agent)
    ada, bob = (Principal(id=name, kind="caller") for name in ("ada", "bob"))
    await context.run(ask("mine", commit_as="1", principal=ada))
    await context.run(ask("hello", commit_as="1", principal=bob))
    assert agent.runs[1].seen == ["hello"]


async def test_a_run_in_progress_ends_in_the_old_session_and_queued_ones_use_the_new() -> None:
    """A reset takes effect between turns, never inside one."""
    gate = Gate()
    agent = ScriptedAgent([gate, "old"], every="new")
    host = AgentFrameworkHost(agent, channels=[])
    running = asyncio.ensure_future(host.run(ask("one", "room")))
    await gate.wait_reached()
    queued = asyncio.ensure_future(host.run(ask("two", "room")))
    host.reset_session("room")
    gate.open()
    await asyncio.gather(running, queued)
    assert agent.runs[0].session_id == "room"
    assert agent.runs[1].seen == ["two"]


async def test_a_chain_of_turns_sees_everything_before_it(connect: Connect) -> None:
    """Naming the newest turn stays in its session."""
    agent = ScriptedAgent(every="ok")
    context = await connect(agent)
    await context.run(ask("t0", commit_as="id0"))
    for number in range(1, 10):
        await context.run(ask(f"t{number}", parent=f"id{number - 1}", commit_as=f"id{number}"))
    assert agent.runs[9].seen == [text for number in range(9) for text in (f"t{number}", "ok")] + ["t9"]
    assert {run.session_id for run in agent.runs} == {"id0"}


async def test_forks_do_not_see_their_siblings(connect: Connect) -> None:
    """An older turn continues in a branch with a session id of its own, and the trunk goes on undisturbed."""
    agent = ScriptedAgent(every="ok")
    context = await connect(agent)
    await context.run(ask("root", commit_as="a"))
    await context.run(ask("left", parent="a", commit_as="b"))
    await context.run(ask("right", parent="a", commit_as="c"))
    await context.run(ask("left again", parent="b", commit_as="d"))
    await context.run(ask("right again", parent="c", commit_as="e"))
    assert agent.runs[2].seen == ["root", "ok", "right"]
    assert agent.runs[3].seen == ["root", "ok", "left", "ok", "left again"]
    assert agent.runs[4].seen == ["root", "ok", "right", "ok", "right again"]
    assert [run.session_id for run in agent.runs] == ["a", "a", "c", "a", "c"]


async def test_of_two_turns_that_name_the_same_head_at_once_the_later_becomes_a_branch(connect: Connect) -> None:
    """Head or branch is judged when the turn starts, so neither is lost and neither sees the other."""
    gate = Gate()
    agent = ScriptedAgent("ok", [gate, "first"], "second")
    context = await connect(agent)
    await context.run(ask("root", commit_as="a"))
    first = asyncio.ensure_future(context.run(ask("left", parent="a", commit_as="b")))
    await gate.wait_reached()
    second = asyncio.ensure_future(context.run(ask("right", parent="a", commit_as="c")))
    gate.open()
    await asyncio.gather(first, second)
    assert agent.runs[2].seen == ["root", "ok", "right"]
    assert agent.most_active == 1


async def test_a_turn_without_a_place_to_store_it_leaves_no_trace(connect: Connect) -> None:
    """A parent without `commit_as` is read and never written."""
    agent = ScriptedAgent(every="ok")
    context = await connect(agent)
    await context.run(ask("root", commit_as="a"))
    await context.run(ask("aside", parent="a"))
    await context.run(ask("on", parent="a", commit_as="b"))
    assert agent.runs[1].seen == ["root", "ok", "aside"]
    assert agent.runs[2].seen == ["root", "ok", "on"]


async def test_an_id_from_before_a_reset_continues_its_old_session() -> None:
    """A reset rotates the key, not what was said under it."""
    agent = ScriptedAgent(every="ok")
    host = AgentFrameworkHost(agent, channels=[])
    await host.run(ask("one", "room", commit_as="a"))
    host.reset_session("room")
    await host.run(ask("two", "room", commit_as="b"))
    await host.run(ask("more", parent="a", commit_as="c"))
    assert agent.runs[2].seen == ["one", "ok", "more"]
    assert agent.runs[2].session_id == "room"


async def test_a_key_and_an_id_of_another_session_do_not_go_together(connect: Connect) -> None:
    """A parent is only reachable under the key that it belongs to."""
    agent = ScriptedAgent(every="ok")
    context = await connect(agent)
    await context.run(ask("one", "room", commit_as="a"))
    await context.run(ask("fine", "room", parent="a", commit_as="b"))
    with pytest.raises(UnknownParent):
        await context.run(ask("two", "hall", parent="a", commit_as="c"))


async def test_ids_of_another_principal_are_as_unknown_as_ids_that_never_were(connect: Connect) -> None:
    """The two refusals differ in nothing but the id."""
    context = await connect(ScriptedAgent(every="ok"))
    ada, bob = (Principal(id=name, kind="caller") for name in ("ada", "bob"))
    await context.run(ask("mine", commit_as="a", principal=ada))
    with pytest.raises(UnknownParent) as not_yours:
        await context.run(ask("mine now", parent="a", commit_as="b", principal=bob))
    with pytest.raises(UnknownParent) as never_was:
        await context.run(ask("?", parent="z", commit_as="b", principal=bob))
    assert str(not_yours.value).replace("'a'", "'z'") == str(never_was.value)
    with pytest.raises(UnknownId):
        await context.read_record("a", principal=bob)


async def test_nobody_can_call_himself_anonymous_into_anonymous_ids(connect: Connect) -> None:
    """An authenticated caller named `anonymous` owns nothing of the anonymous."""
    context = await connect(ScriptedAgent(every="ok"))
    await context.run(ask("hi", commit_as="a"))
    with pytest.raises(UnknownParent):
        await context.run(ask("hi", parent="a", principal=Principal(id="anonymous", kind="caller")))


async def test_many_concurrent_turns_of_one_session_run_in_order_and_none_is_lost(
    connect: Connect, figure: Callable[[int, int], int]
) -> None:
    """Each turn sees all earlier ones, in the order in which they were sent."""
    count = figure(50, 1_000)
    agent = ScriptedAgent(every=lambda run: f"<{run.messages[-1].text}>")
    context = await connect(agent, limits=Limits(max_waiting=count))
    await asyncio.gather(*(context.run(ask(str(number), "room")) for number in range(count)))
    assert agent.most_active == 1
    assert [run.messages[-1].text for run in agent.runs] == [str(number) for number in range(count)]
    for last, run in enumerate(agent.runs):
        assert run.seen == [*(text for n in range(last) for text in (str(n), f"<{n}>")), str(last)]


async def test_different_sessions_run_side_by_side(connect: Connect) -> None:
    """A run that waits holds up nobody else."""
    gate = Gate()
    agent = ScriptedAgent([gate, "slow"], every="quick")
    context = await connect(agent)
    slow = asyncio.ensure_future(context.run(ask("a", "room")))
    await gate.wait_reached()
    assert (await context.run(ask("b", "hall"))).result.text == "quick"
    gate.open()
    await slow


async def test_a_full_queue_refuses_the_next_turn(connect: Connect) -> None:
    """The bound counts those who wait, not the one who runs."""
    gate = Gate()
    agent = ScriptedAgent([gate, "ok"], every="ok")
    context = await connect(agent, limits=Limits(max_waiting=2))
    first = asyncio.ensure_future(context.run(ask("first", "room")))
    await gate.wait_reached()
    # Each has its place in the line before the next one comes.
    waiting = [await context.run_stream(ask("waiting", "room")) for _ in range(2)]
    with pytest.raises(QueueFull):
        await context.run(ask("too many", "room"))
    gate.open()
    await asyncio.gather(first, *(stream.get_final_response() for stream in waiting))
    assert len(agent.runs) == 3


async def test_a_waiter_that_gives_up_leaves_the_line(connect: Connect) -> None:
    """Cancelling a queued turn neither runs it nor blocks those behind."""
    gate = Gate()
    agent = ScriptedAgent([gate, "ok"], every="ok")
    context = await connect(agent)
    first = asyncio.ensure_future(context.run(ask("1", "room")))
    await gate.wait_reached()
    second = asyncio.ensure_future(context.run(ask("2", "room")))
    third = asyncio.ensure_future(context.run(ask("3", "room")))
    await asyncio.sleep(0)
    second.cancel()
    gate.open()
    await asyncio.gather(first, third)
    assert [run.messages[-1].text for run in agent.runs] == ["1", "3"]


async def test_a_stream_waits_for_its_turn_at_the_first_pull_and_not_before(connect: Connect) -> None:
    """Admission returns at once although the session is busy."""
    gate = Gate()
    agent = ScriptedAgent([gate, "ok"], "streamed")
    context = await connect(agent)
    first = asyncio.ensure_future(context.run(ask("1", "room")))
    await gate.wait_reached()
    stream = await context.run_stream(ask("2", "room"))
    assert len(agent.runs) == 1
    gate.open()
    assert "".join([update.text async for update in stream]) == "streamed"
    await first


async def test_an_abandoned_stream_gives_its_place_back(connect: Connect) -> None:
    """A stream that was never pulled, and is dropped, does not block its session."""
    agent = ScriptedAgent(every="ok")
    context = await connect(agent)
    stream = await context.run_stream(ask("1", "room"))
    del stream
    gc.collect()
    assert (await context.run(ask("2", "room"))).result.text == "ok"
    assert len(agent.runs) == 1


async def test_a_closed_stream_leaves_no_trace_in_the_history(connect: Connect) -> None:
    """A turn that did not finish is no part of the history, and the session goes on."""
    agent = ScriptedAgent(["part", "of", "it"], every="ok")
    context = await connect(agent)
    stream = await context.run_stream(ask("1", "room", commit_as="a"))
    await anext(aiter(stream))
    await stream.aclose()
    await stream.aclose()
    await context.run(ask("2", "room"))
    assert agent.runs[0].stopped
    assert agent.runs[1].seen == ["2"]
    with pytest.raises(UnknownParent):
        await context.run(ask("3", parent="a"))
    with pytest.raises(RunCancelled):
        await stream.get_final_response()


async def test_closing_from_another_task_stops_a_run_that_waits(connect: Connect) -> None:
    """The puller is told that its run was cancelled, and is not itself cancelled."""
    gate = Gate()
    agent = ScriptedAgent([gate, "never"], every="ok")
    context = await connect(agent)
    stream = await context.run_stream(ask("1", "room"))
    puller = asyncio.ensure_future(stream.get_final_response())
    await gate.wait_reached()
    await stream.aclose()
    with pytest.raises(RunCancelled) as stopped:
        await puller
    assert stopped.value.reason == "closed"
    assert agent.runs[0].cancelled
    assert (await context.run(ask("2", "room"))).result.text == "ok"


async def test_a_failed_turn_is_no_part_of_the_history_and_does_not_move_the_head(connect: Connect) -> None:
    """After a failure the parent can be continued as if nothing had been said."""
    agent = ScriptedAgent("ok", ValueError("broken"), "fine")
    context = await connect(agent)
    await context.run(ask("root", commit_as="a"))
    with pytest.raises(ValueError, match="broken"):
        await context.run(ask("bad", parent="a", commit_as="b"))
    await context.run(ask("again", parent="a", commit_as="c"))
    assert agent.runs[2].seen == ["root", "ok", "again"]
    assert agent.runs[2].session_id == "a"


@pytest.mark.parametrize("how", ["empties its list", "puts another list", "drops its part", "keeps something else"])
async def test_a_failed_turn_that_had_emptied_the_history_leaves_what_was_said_before(
    connect: Connect, how: str
) -> None:
    """As one that is to be summed up is, until the summary is there."""

    class Emptying(ScriptedAgent):
        def _call(self, messages: Any, **more: Any) -> Any:
            state: dict[str, Any] = more["session"].state
            if messages[-1].text == "bad":
                for source, part in list(state.items()):
                    if how == "empties its list":
                        part["messages"].clear()
                    elif how == "puts another list":
                        part["messages"] = []
                    elif how == "drops its part":
                        del state[source]
                    else:
                        state[source] = "nothing"
            return super()._call(messages, **more)

    agent = Emptying("ok", *([] if how == "keeps something else" else [ValueError("broken")]), every="fine")
    context = await connect(agent)
    await context.run(ask("one", "room"))
    # Agent Framework's own history has another error where it finds something else.
    with pytest.raises((ValueError, AttributeError)):
        await context.run(ask("bad", "room"))
    await context.run(ask("two", "room"))
    assert agent.runs[-1].seen == ["one", "ok", "two"]


async def test_a_turn_whose_response_hook_fails_did_not_finish(connect: Connect) -> None:
    """The agent had stored the turn already; it is taken back."""

    def broken(*_: object, **__: object) -> Any:
        raise ValueError("hook")

    agent = ScriptedAgent(every="ok")
    context = await connect(agent)
    with pytest.raises(ValueError, match="hook"):
        await context.run(ask("1", "room"), response_hook=broken)
    await context.run(ask("2", "room"))
    assert agent.runs[1].seen == ["2"]


async def test_the_rest_of_the_state_stays_as_a_failed_run_left_it(connect: Connect) -> None:
    """A consumed approval must stay consumed."""

    class Consuming(ScriptedAgent):
        def _call(self, messages: Any, **more: Any) -> Any:
            session: AgentSession | None = more["session"]
            if session is not None:
                session.state["approvals"] = session.state.get("approvals", 0) + 1
            return super()._call(messages, **more)

    agent = Consuming(ValueError("after the payment"), "ok")
    context = await connect(agent)
    with pytest.raises(ValueError, match="payment"):
        await context.run(ask("pay", "room"))
    await context.run(ask("again", "room"))
    assert agent.runs[1].session is not None
    assert agent.runs[1].session.state["approvals"] == 2


async def test_a_branch_begins_with_what_a_failed_run_left_before_its_parent(connect: Connect) -> None:
    """The turn after a failed one stands on the state that the failed one left, and so do branches of that turn."""

    class Consuming(ScriptedAgent):
        def _call(self, messages: Any, **more: Any) -> Any:
            state = more["session"].state
            if messages[-1].text == "pay":
                state["approvals"] = "used"
            return super()._call(messages, **more)

    agent = Consuming("ok", ValueError("after the payment"), every="ok")
    context = await connect(agent)
    await context.run(ask("root", commit_as="a"))
    with pytest.raises(ValueError, match="payment"):
        await context.run(ask("pay", parent="a", commit_as="b"))
    await context.run(ask("again", parent="a", commit_as="c"))
    await context.run(ask("on", parent="c", commit_as="d"))
    await context.run(ask("branch", parent="c", commit_as="e"))
    states = [run.session.state.get("approvals") for run in agent.runs if run.session is not None]
    assert states[2:] == ["used", "used", "used"]
    assert agent.runs[4].seen == ["root", "ok", "again", "ok", "branch"]


@pytest.mark.parametrize("strange", ["resp_\x00", "half \ud83d", "x" * 5000, "%s:name %(name)s"])
async def test_an_id_of_strange_characters_is_an_unknown_one(connect: Connect, strange: str) -> None:
    """Whatever a database makes of such a text, the caller is told the same."""
    context = await connect(ScriptedAgent(every="ok"))
    with pytest.raises(UnknownParent):
        await context.run(ask("on", parent=strange, commit_as="b"))
    with pytest.raises(UnknownId):
        await context.read_record(strange)


async def test_branches_that_nobody_can_come_back_to_do_not_wait_for_each_other(connect: Connect) -> None:
    """Each has a session of its own, also when it has a key and no id."""
    gate = Gate()
    agent = ScriptedAgent("ok", "ok", [gate, "late"], "quick")
    context = await connect(agent)
    await context.run(ask("one", "room", commit_as="a"))
    await context.run(ask("two", "room", commit_as="b"))
    slow = asyncio.ensure_future(context.run(ask("slow", "room", parent="a")))
    await gate.wait_reached()
    async with asyncio.timeout(30):
        await context.run(ask("quick", "room", parent="a"))
    gate.open()
    await slow
    assert agent.runs[2].session_id != agent.runs[3].session_id
    assert [run.seen for run in agent.runs[2:]] == [["one", "ok", "slow"], ["one", "ok", "quick"]]


async def test_a_branch_has_its_own_copy_of_the_state(connect: Connect) -> None:
    """What one branch changes in place, the other does not see."""

    class Noting(ScriptedAgent):
        def _call(self, messages: Any, **more: Any) -> Any:
            more["session"].state.setdefault("notes", []).append(messages[-1].text)
            return super()._call(messages, **more)

    agent = Noting(every="ok")
    context = await connect(agent)
    await context.run(ask("root", commit_as="a"))
    await context.run(ask("left", parent="a", commit_as="b"))
    await context.run(ask("right", parent="a", commit_as="c"))
    assert agent.runs[2].session is not None
    assert agent.runs[2].session.state["notes"] == ["root", "right"]


@in_memory
async def test_a_state_that_cannot_be_copied_can_be_continued_and_not_forked(connect: Connect) -> None:
    """The head stays open, an older turn is refused by name."""

    class Locked(ScriptedAgent):
        def _call(self, messages: Any, **more: Any) -> Any:
            more["session"].state["lock"] = threading.Lock()
            return super()._call(messages, **more)

    agent = Locked(every="ok")
    context = await connect(agent)
    await context.run(ask("1", commit_as="a"))
    await context.run(ask("2", parent="a", commit_as="b"))
    with pytest.raises(NotForkable):
        await context.run(ask("fork", parent="a", commit_as="c"))
    assert agent.runs[1].seen == ["1", "ok", "2"]


@pytest.mark.filterwarnings("ignore:.*FileHistoryProvider is experimental")
async def test_history_outside_the_session_can_be_continued_and_not_forked(connect: Connect, tmp_path: Path) -> None:
    """A fork would read the wrong file; it is refused instead, before the agent runs."""
    from agent_framework import Agent, FileHistoryProvider

    from agent_framework_hosting.testing import ScriptedChatClient

    client = ScriptedChatClient(every="ok")
    agent = Agent(client, context_providers=[FileHistoryProvider(tmp_path)])
    context = await connect(agent)
    await context.run(ask("1", commit_as="a"))
    await context.run(ask("2", parent="a", commit_as="b"))
    assert [m.text for m in client.calls[1].messages] == ["1", "ok", "2"]
    with pytest.raises(NotForkable):
        await context.run(ask("fork", parent="a", commit_as="c"))
    with pytest.raises(NotForkable, match="store the answer"):
        await context.run(ask("aside", parent="b"))
    assert len(client.calls) == 2


async def test_a_service_with_an_id_per_turn_can_be_forked_and_one_conversation_cannot(connect: Connect) -> None:
    """A fork continues at the service from the turn that was named."""

    class Service(ScriptedAgent):
        moves = True

        def _call(self, messages: Any, **more: Any) -> Any:
            run = super()._call(messages, **more)
            run.kwargs["from"] = more["session"].service_session_id
            more["session"].service_session_id = f"svc{len(self.runs)}" if self.moves else "svc"
            return run

    agent = Service(every="ok")
    context = await connect(agent)
    await context.run(ask("1", commit_as="a"))
    await context.run(ask("2", parent="a", commit_as="b"))
    await context.run(ask("fork", parent="a", commit_as="c"))
    assert agent.runs[2].kwargs["from"] == "svc1"
    agent.moves = False
    await context.run(ask("1", commit_as="x"))
    await context.run(ask("2", parent="x", commit_as="y"))
    with pytest.raises(NotForkable):
        await context.run(ask("fork", parent="x", commit_as="z"))


async def test_equal_turns_are_all_kept(connect: Connect) -> None:
    """The agent's own history drops repeats without ids, so every message gets one."""
    from agent_framework import Agent

    from agent_framework_hosting.testing import ScriptedChatClient

    client = ScriptedChatClient(every="ok")
    context = await connect(Agent(client))
    for _ in range(4):
        await context.run(ask("ping", "room"))
    assert [m.text for m in client.calls[3].messages] == ["ping", "ok", "ping", "ok", "ping", "ok", "ping"]


async def test_messages_of_the_history_have_ids_when_a_turn_goes_on_from_them() -> None:
    """Without, every turn would serialise all of them; an agent's own objects and snapshots stay as they are."""
    reply = Message("assistant", ["ok"])
    session = AgentSession(session_id="room")
    state = AgentState(session)
    for text in ("one", "two"):
        state.begin()
        history = session.state.setdefault("memory", {}).setdefault("messages", [])
        session.state["memory"]["messages"] = [*history, Message("user", [text], message_id=text), reply]
        snapshot = await state.settle(named=True)
    assert snapshot is not None
    assert reply.message_id is None
    assert [message.message_id for message in snapshot.added["memory"].messages] == ["two", None]
    assert snapshot.added["memory"].kept == 2
    for each in (state, AgentState(AgentSession(session_id="branch"), snapshot=snapshot)):
        assert each.session.state["memory"]["messages"][-1].message_id is None
        each.begin()
        messages = each.session.state["memory"]["messages"]
        assert [message.text for message in messages] == ["one", "ok", "two", "ok"]
        assert len({message.message_id for message in messages} - {None}) == 4


async def test_what_a_history_does_by_itself_between_two_turns_stays() -> None:
    """One that goes on in the background may add messages, or put one in the place of many."""
    session = AgentSession(session_id="room")
    state = AgentState(session)
    state.begin()
    kept = session.state["memory"] = {"messages": [Message("user", ["hi"]), Message("assistant", ["ok"])]}
    await state.settle(named=True)
    kept["messages"].append(Message("assistant", ["later"]))
    state.begin()
    assert [message.text for message in kept["messages"]] == ["hi", "ok", "later"]
    await state.settle(named=True)
    kept["messages"] = [Message("assistant", ["all in all"])]
    state.begin()
    assert [message.text for message in kept["messages"]] == ["all in all"]
    snapshot = await state.settle(named=True)
    assert snapshot is not None
    restored = AgentState(AgentSession(session_id="branch"), snapshot=snapshot).session
    assert [message.text for message in restored.state["memory"]["messages"]] == ["all in all"]


@in_memory
async def test_memory_is_bounded_by_the_number_of_sessions(connect: Connect) -> None:
    """The least recently used session is dropped, and its ids are unknown from then on."""
    agent = ScriptedAgent(every="ok")
    context = await connect(agent, limits=Limits(max_sessions=2))
    for name in ("a", "b", "c"):
        await context.run(ask("hi", commit_as=name))
    with pytest.raises(UnknownParent):
        await context.run(ask("again", parent="a", commit_as="d"))
    await context.run(ask("again", parent="c", commit_as="e"))
    assert agent.runs[3].seen == ["hi", "ok", "again"]


def test_idle_sessions_are_dropped_by_age() -> None:
    """Those that have been used within the time stay."""
    now = 0.0
    live = LiveSessions(max_sessions=10, ttl=60, clock=lambda: now)
    names = [SessionName(tenant="default", key=key, session_id=key, root=key) for key in ("old", "new")]
    live.put(LiveSession(names[0], AgentState(AgentSession(session_id="old"))))
    now = 50.0
    live.put(LiveSession(names[1], AgentState(AgentSession(session_id="new"))))
    now = 61.0
    assert [dropped.name.key for dropped in live.expire()] == ["old"]
    assert live.take(names[0]) is None
    assert live.take(names[1]) is not None


@in_memory
async def test_memory_is_bounded_by_the_number_of_turns(connect: Connect) -> None:
    """The oldest turn is forgotten; the conversation itself goes on."""
    agent = ScriptedAgent(every="ok")
    context = await connect(agent, limits=Limits(max_turns=2))
    await context.run(ask("1", commit_as="a"))
    await context.run(ask("2", parent="a", commit_as="b"))
    await context.run(ask("3", parent="b", commit_as="c"))
    with pytest.raises(UnknownParent):
        await context.run(ask("fork", parent="a", commit_as="x"))
    await context.run(ask("fork", parent="b", commit_as="d"))
    assert agent.runs[3].seen == ["1", "ok", "2", "ok", "fork"]


async def test_an_id_that_is_used_again_means_its_newest_turn(connect: Connect) -> None:
    """Whoever makes the ids may repeat one, in its own session or in another; no other turn suffers."""
    agent = ScriptedAgent(every="ok")
    context = await connect(agent, limits=Limits(max_sessions=2, max_turns=3))
    await context.run(ask("1", "room", commit_as="a"))
    await context.run(ask("2", "room", commit_as="b"))
    await context.run(ask("3", "room", commit_as="a"))
    await context.run(ask("4", parent="a", commit_as="c"))
    assert agent.runs[3].seen == ["1", "ok", "2", "ok", "3", "ok", "4"]
    for key in ("hall", "attic", "room"):
        await context.run(ask("5", key, commit_as="a"))
        await context.run(ask("6", key, commit_as=f"{key} 6"))
    await context.run(ask("7", parent="a", commit_as="d"))
    assert agent.runs[-1].seen == [*agent.runs[-3].seen, "ok", "7"]


async def test_what_is_sealed_is_what_can_be_read(connect: Connect) -> None:
    """The record is stored under the turn's id, with the shaped result."""
    context = await connect(ScriptedAgent(every=[Content.from_text("ok")]))
    await context.run(ask("1", commit_as="a"), seal=lambda result: {"said": result.result.text})
    assert await context.read_record("a") == {"said": "ok"}
    with pytest.raises(UnknownId):
        await context.read_record("b")
