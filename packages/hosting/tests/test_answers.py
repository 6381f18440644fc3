"""Answers to requests for approval: the first one counts, in whatever branch, and a turn that never began uses none."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import Callable
from typing import Any

import pytest
from agent_framework import Content, Message

from agent_framework_hosting._sessions.answers import answer_ids
from agent_framework_hosting.channel import ChannelContext
from agent_framework_hosting.errors import AnsweredAlready, NotForkable, QueueFull
from agent_framework_hosting.host import AgentFrameworkHost
from agent_framework_hosting.limits import Limits
from agent_framework_hosting.testing import Gate, ScriptedAgent
from agent_framework_hosting.types import ChannelRequest, ChannelSession, Principal

Connect = Callable[..., ChannelContext]


def answer(request_id: str = "request-1", *, approved: bool = True) -> Content:
    call = Content.from_function_call("call-1", "pay", arguments="{}")
    return Content.from_function_approval_response(approved, request_id, call)


def turn(said: Any, key: str | None = None, **session: Any) -> ChannelRequest:
    return ChannelRequest(
        channel="test", operation="message", input=said, session=ChannelSession(key, **session), principal=Principal()
    )


async def test_an_answer_is_used_once_whatever_it_says() -> None:
    host = AgentFrameworkHost(ScriptedAgent(every="ok"), channels=[])
    await host.run(turn(answer(), "room"))
    with pytest.raises(AnsweredAlready, match="answered already"):
        await host.run(turn(answer(approved=False), "room"))
    await host.run(turn([Message("user", [answer("request-2"), "and more"])], "room"))


async def test_the_first_answer_wins_across_the_branches_of_a_conversation() -> None:
    """Each branch has a copy of the session that asked."""
    agent = ScriptedAgent(every="ok")
    host = AgentFrameworkHost(agent, channels=[])
    await host.run(turn("pay", commit_as="a"))
    await host.run(turn(answer(), parent="a", commit_as="b"))
    for parent in ("a", "b"):
        with pytest.raises(AnsweredAlready):
            await host.run(turn(answer(), parent=parent, commit_as="c"))
    with pytest.raises(AnsweredAlready):
        await host.run(turn(answer(), parent="a"))
    assert len(agent.runs) == 2


async def test_of_two_answers_at_once_the_second_is_refused_before_it_waits() -> None:
    gate = Gate()
    agent = ScriptedAgent("ok", [gate, "paid"])
    host = AgentFrameworkHost(agent, channels=[])
    await host.run(turn("pay", commit_as="a"))
    first = asyncio.ensure_future(host.run(turn(answer(), parent="a", commit_as="b")))
    await gate.wait_reached()
    with pytest.raises(AnsweredAlready):
        await host.run(turn(answer(), parent="a", commit_as="c"))
    gate.open()
    await first


async def test_other_conversations_have_answers_of_their_own() -> None:
    host = AgentFrameworkHost(ScriptedAgent(every="ok"), channels=[])
    for key in ("room", "hall"):
        await host.run(turn(answer(), key))
    other = turn(answer(), "room")
    await host.run(
        ChannelRequest(
            channel="test",
            operation="message",
            input=other.input,
            session=other.session,
            principal=Principal(tenant="acme", id="ada", kind="caller"),
        )
    )


async def test_a_run_that_failed_has_used_its_answer() -> None:
    """What was approved may have been done."""
    host = AgentFrameworkHost(ScriptedAgent(RuntimeError("boom"), every="ok"), channels=[])
    with pytest.raises(RuntimeError):
        await host.run(turn(answer(), "room"))
    with pytest.raises(AnsweredAlready):
        await host.run(turn(answer(), "room"))


async def test_a_turn_that_was_cancelled_while_it_waited_gives_its_answer_back() -> None:
    gate = Gate()
    host = AgentFrameworkHost(ScriptedAgent([gate, "one"], every="ok"), channels=[])
    running = asyncio.ensure_future(host.run(turn("one", "room")))
    await gate.wait_reached()
    waiting = asyncio.ensure_future(host.run(turn(answer(), "room")))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait([waiting])
    gate.open()
    await running
    await host.run(turn(answer(), "room"))


async def test_a_turn_for_which_there_is_no_room_uses_no_answer() -> None:
    gate = Gate()
    host = AgentFrameworkHost(ScriptedAgent([gate, "one"], every="ok"), channels=[], limits=Limits(max_waiting=1))
    running = asyncio.ensure_future(host.run(turn("one", "room")))
    await gate.wait_reached()
    waiting = asyncio.ensure_future(host.run(turn("two", "room")))
    await asyncio.sleep(0)
    with pytest.raises(QueueFull):
        await host.run(turn(answer(), "room"))
    gate.open()
    await asyncio.gather(running, waiting)
    await host.run(turn(answer(), "room"))


async def test_a_stream_that_nobody_pulled_gives_its_answer_back(connect: Connect) -> None:
    """Closed, or dropped without a word."""
    context = connect(ScriptedAgent(every="ok"))
    stream = await context.run_stream(turn(answer(), "room"))
    await stream.aclose()
    stream = await context.run_stream(turn(answer(), "room"))
    del stream
    gc.collect()
    await context.run(turn(answer(), "room"))


async def test_a_turn_that_cannot_branch_when_it_starts_gives_its_answer_back(connect: Connect) -> None:
    """Its parent was the newest turn when it was admitted, and not any more when its turn came."""
    gate = Gate()

    class Locked(ScriptedAgent):
        def _call(self, messages: Any, **more: Any) -> Any:
            more["session"].state["lock"] = threading.Lock()
            return super()._call(messages, **more)

    context = connect(Locked("ok", [gate, "one"], every="ok"))
    await context.run(turn("pay", commit_as="a"))
    first = asyncio.ensure_future(context.run(turn("one", parent="a", commit_as="b")))
    await gate.wait_reached()
    second = asyncio.ensure_future(context.run(turn(answer(), parent="a", commit_as="c")))
    await asyncio.sleep(0)
    gate.open()
    await first
    with pytest.raises(NotForkable):
        await second
    await context.run(turn(answer(), parent="b", commit_as="d"))


async def test_marks_are_bounded() -> None:
    """The oldest is forgotten, as its turn is."""
    host = AgentFrameworkHost(ScriptedAgent(every="ok"), channels=[], limits=Limits(max_turns=2))
    for name in ("1", "2", "3", "1"):
        await host.run(turn(answer(name), "room"))
    with pytest.raises(AnsweredAlready):
        await host.run(turn([Message("user", [answer("1"), answer("9")])], "room"))
    await host.run(turn(answer("9"), "room"))


def _holding(contents: Any) -> Message:
    """Return a message as a hook may leave it."""
    message = Message("user", [])
    message.contents = contents
    return message


@pytest.mark.parametrize(
    ("value", "ids"),
    [
        ("text", []),
        (None, []),
        (b"bytes", []),
        (answer(), ["request-1"]),
        (["text", answer(), Message("user", [answer("2"), "x"])], ["request-1", "2"]),
        (Content("function_approval_response"), []),
        ({"type": "function_approval_response"}, []),
        (_holding(None), []),
        (_holding((answer(), "x")), ["request-1"]),
    ],
)
def test_answers_are_found_in_every_form_of_an_input(value: Any, ids: list[str]) -> None:
    assert list(answer_ids(value)) == ids
