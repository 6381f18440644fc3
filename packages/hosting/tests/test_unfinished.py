"""Answers that a provider has not finished: the host asks again, and nobody else notices."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from itertools import pairwise
from random import Random
from typing import Any

import pytest
from agent_framework import (
    Agent,
    AgentResponse,
    AgentResponseUpdate,
    AgentSession,
    Content,
    InMemoryHistoryProvider,
    Message,
    tool,
)
from hypothesis import assume, given
from hypothesis import strategies as st

from agent_framework_hosting._target import unfinished
from agent_framework_hosting._target.replay import Replay
from agent_framework_hosting.channel import ChannelContext
from agent_framework_hosting.errors import RunCancelled, RunError
from agent_framework_hosting.host import AgentFrameworkHost
from agent_framework_hosting.testing import (
    FakeClock,
    GeneratorAgent,
    OptionlessAgent,
    ScriptedAgent,
    ScriptedChatClient,
    Unfinished,
)
from agent_framework_hosting.types import ChannelRequest, ChannelSession, HostedRunResult

Connect = Callable[..., ChannelContext]

TOKEN = {"job": "SECRET"}
WORKING = Unfinished(TOKEN)


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> FakeClock:
    """Return the clock that the host waits on; the pauses of this file last no longer than the test says."""
    clock = FakeClock()
    monkeypatch.setattr(unfinished, "SYSTEM_CLOCK", clock)
    return clock


async def waited(clock: FakeClock, work: Any, *, times: int) -> Any:
    """Let the host wait so many times, and return what came of the work."""
    task = asyncio.ensure_future(work)
    for _ in range(times):
        await clock.wait_sleeping()
        clock.advance(clock.sleeps[-1])
    return await task


def asked(text: str = "hi", key: str | None = "room", **more: Any) -> ChannelRequest:
    return ChannelRequest("probe", "message", text, ChannelSession(key) if key else None, **more)


async def texts_of(context: ChannelContext, request: ChannelRequest, **steps: Any) -> list[str]:
    stream = await context.run_stream(request, **steps)
    return [update.text async for update in stream]


def remembered(run: Any) -> list[tuple[str, str]]:
    return [(message.role, message.text) for message in run.history]


async def test_an_unfinished_answer_is_asked_for_until_it_is_finished(connect: Connect, clock: FakeClock) -> None:
    """With the token and the caller's options, with no message, in the same session, ever more slowly."""
    looks = [["so ", "far", WORKING] for _ in range(6)]
    agent = ScriptedAgent(*looks, ["so far so good"], every="next")
    request = asked(options={"temperature": 0.5})
    result = await waited(clock, connect(agent).run(request), times=6)
    assert result.result.text == "so far so good"
    assert result.result.continuation_token is None
    assert clock.sleeps == [1, 2, 4, 8, 10, 10]
    first, *polls = agent.runs
    assert first.options == {"temperature": 0.5}
    assert all(poll.options == {"temperature": 0.5, "continuation_token": TOKEN} for poll in polls)
    assert all(poll.messages == [] and poll.session is first.session for poll in polls)


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("shape", [ScriptedAgent, GeneratorAgent])
async def test_the_next_turn_remembers_one_question_and_one_answer(
    connect: Connect, clock: FakeClock, shape: type[ScriptedAgent], streamed: bool
) -> None:
    """What the looks before the last one showed is no part of the conversation."""
    agent = shape(["Hel", WORKING], ["Hel", WORKING], ["Hel", "lo"], every="next")
    context = connect(agent)
    request = asked()
    if streamed:
        assert "".join(await waited(clock, texts_of(context, request), times=2)) == "Hello"
    else:
        await waited(clock, context.run(request), times=2)
    await context.run(asked("and now?"))
    assert remembered(agent.runs[-1]) == [("user", "hi"), ("assistant", "Hello")]


@pytest.mark.parametrize(
    "rest",
    [
        pytest.param([["lo ", WORKING], ["you"]], id="goes on"),
        pytest.param([["Hel", "lo ", WORKING], ["Hello ", "you"]], id="begins anew"),
        pytest.param([["H", WORKING], ["Hel", "lo you"]], id="begins anew and is cut early"),
        pytest.param([["Hello y", WORKING], ["ou"]], id="begins anew and then goes on"),
        pytest.param([[WORKING], ["lo you"]], id="says nothing for a while"),
    ],
)
async def test_a_resumed_stream_says_each_word_once(connect: Connect, clock: FakeClock, rest: list[Any]) -> None:
    """Whether the provider begins anew or goes on where it was; in the stream, its final response and the history."""
    agent = ScriptedAgent(["Hel", WORKING], *rest, every="next")
    context = connect(agent)
    stream = await context.run_stream(asked())
    said = await waited(clock, _collect(stream), times=len(rest))
    assert "".join(update.text for update in said) == "Hello you"
    final = await stream.get_final_response()
    assert (final.text, final.continuation_token) == ("Hello you", None)
    await context.run(asked("and now?"))
    told = agent.runs[-1].history
    assert "".join(message.text for message in told if message.role == "assistant") == "Hello you"
    assert [message.text for message in told if message.role == "user"] == ["hi"]


@given(said=st.text("ab ", min_size=1), rest=st.text("ab "), cuts=st.randoms(use_true_random=False))
def test_a_provider_may_cut_what_it_says_again_anywhere(said: str, rest: str, cuts: Random) -> None:
    """Of a stream that begins anew passes what is new, whatever the pieces."""
    replay = Replay(_pieces(said, cuts))
    passed = [new for update in _pieces(said + rest, cuts) for new in replay.feed(update)]
    passed += replay.end(is_finished=True)
    assert "".join(update.text for update in passed) == rest
    assert replay.began_anew


@given(said=st.text("ab ", min_size=1), rest=st.text("ab "), cuts=st.randoms(use_true_random=False))
def test_a_stream_that_goes_on_loses_nothing(said: str, rest: str, cuts: Random) -> None:
    """Also when it begins like what was said, as long as it does not say all of it."""
    assume(not rest.startswith(said))
    replay = Replay(_pieces(said, cuts))
    passed = [new for update in _pieces(rest, cuts) for new in replay.feed(update)]
    passed += replay.end(is_finished=True)
    assert "".join(update.text for update in passed) == rest
    assert not replay.began_anew


async def test_a_stream_that_only_ends_when_it_is_resumed_keeps_what_it_had_said(
    connect: Connect, clock: FakeClock
) -> None:
    agent = ScriptedAgent(["Hello", WORKING], [], every="next")
    context = connect(agent)
    assert await waited(clock, texts_of(context, asked()), times=1) == ["Hello", ""]
    await context.run(asked("and now?"))
    assert remembered(agent.runs[-1]) == [("user", "hi"), ("assistant", "Hello")]


async def test_a_resumed_stream_sends_calls_and_thoughts_once(connect: Connect, clock: FakeClock) -> None:
    """Pieces are compared by what they say, not by where they were cut."""

    def call(arguments: str) -> Content:
        return Content.from_function_call("c1", "look", arguments=arguments)

    thought = Content.from_text_reasoning(text="hm")
    picture = Content.from_uri("https://pictures.test/a.png", media_type="image/png")
    first = [thought, call('{"a"'), picture, "So", WORKING]
    again = [
        Content.from_text_reasoning(text="h"),
        Content.from_text_reasoning(text="m"),
        call('{"a"'),
        picture,
        "So it",
    ]
    stream = await connect(ScriptedAgent(first, again)).run_stream(asked())
    said = await waited(clock, _collect(stream), times=1)
    contents = [content for update in said for content in update.contents]
    assert [content.type for content in contents] == ["text_reasoning", "function_call", "uri", "text", "text"]
    assert [content.text for content in contents if content.type == "text"] == ["So", " it"]


@pytest.mark.parametrize("streamed", [False, True])
async def test_the_token_is_shown_to_nobody(connect: Connect, clock: FakeClock, streamed: bool) -> None:
    """Not to hooks, not in updates, not in what the session keeps; hooks are called as for any answer."""
    shown: list[Any] = []
    results: list[HostedRunResult[Any]] = []

    def note(result: HostedRunResult[Any], **_: Any) -> HostedRunResult[Any]:
        results.append(result)
        return result

    def look(update: AgentResponseUpdate) -> AgentResponseUpdate:
        shown.append(update)
        return update

    token: Any = TOKEN
    raw = AgentResponseUpdate(role="assistant", contents=[], continuation_token=token, raw_representation=token)
    agent = ScriptedAgent([raw, "a", WORKING], ["ab"])
    context = connect(agent)
    if streamed:
        said = texts_of(context, asked(), stream_update_hook=look, response_hook=note)
        assert "".join(await waited(clock, said, times=1)) == "ab"
        assert "SECRET" not in str([(u.to_dict(), u.raw_representation, u.continuation_token) for u in shown])
    else:
        await waited(clock, context.run(asked(), response_hook=note), times=1)
    (result,) = results
    assert result.result.text == "ab"
    assert "SECRET" not in str(result.result.to_dict())
    assert result.session is not None
    assert "SECRET" not in str(result.session.to_dict())


async def test_cancelling_while_the_host_waits_ends_the_turn_and_asks_no_more(
    make_probe: type[Any], clock: FakeClock
) -> None:
    """The provider is told nothing, and the turn leaves no trace."""
    probe = make_probe()
    agent = ScriptedAgent(["a", WORKING], every=lambda run: f"seen {run.seen}")
    async with AgentFrameworkHost(agent, channels=[probe]):
        running = asyncio.create_task(probe.context.run(asked()))
        await clock.wait_sleeping()
        assert await probe.context.cancel("room")
        with pytest.raises(RunCancelled):
            await running
        assert len(agent.runs) == 1
        assert clock.sleeping == 0
        assert (await probe.context.run(asked("again"))).result.text == "seen ['again']"


async def test_a_stream_that_is_closed_while_the_host_waits_asks_no_more(connect: Connect, clock: FakeClock) -> None:
    agent = ScriptedAgent(["a", WORKING])
    stream = await connect(agent).run_stream(asked())
    reading = asyncio.create_task(_collect(stream))
    await clock.wait_sleeping()
    await stream.aclose()
    with pytest.raises(RunCancelled):
        await reading
    assert (len(agent.runs), clock.sleeping) == (1, 0)


@pytest.mark.parametrize("streamed", [False, True])
async def test_a_provider_that_never_finishes_is_given_up(connect: Connect, clock: FakeClock, streamed: bool) -> None:
    """The session's other turns wait behind this one."""
    agent = ScriptedAgent(every=[WORKING])
    context = connect(agent)
    running = asyncio.ensure_future(texts_of(context, asked()) if streamed else context.run(asked()))
    await clock.wait_sleeping()
    clock.advance(2 * 3600)
    with pytest.raises(RunError, match="not finished its answer within 2 hours"):
        await running
    assert len(agent.runs) == 2


@pytest.mark.parametrize("streamed", [False, True])
async def test_an_agent_that_cannot_be_asked_again_fails_with_the_mend(
    connect: Connect, clock: FakeClock, streamed: bool
) -> None:
    """An unfinished answer must not pass for a whole one."""
    context = connect(OptionlessAgent(["a", WORKING]))
    with pytest.raises(RunError, match="Let it take one of them"):
        await waited(clock, texts_of(context, asked()) if streamed else context.run(asked()), times=1)


async def test_an_agent_whose_run_takes_the_token_by_name_gets_it_so(connect: Connect, clock: FakeClock) -> None:
    """Agents that are no chat clients have it as an argument of their own."""
    got: list[Any] = []

    class Remote(ScriptedAgent):
        def run(self, messages: Any = None, *, continuation_token: Any = None, **more: Any) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride] - as other agents have it
            got.append((messages is None, continuation_token, more.get("options")))
            return super().run(messages, **more)

    await waited(clock, connect(Remote([WORKING], ["done"])).run(asked()), times=1)
    assert got == [(False, None, None), (True, TOKEN, None)]


@pytest.mark.parametrize("streamed", [False, True])
async def test_tool_rounds_before_an_unfinished_answer_stay(connect: Connect, clock: FakeClock, streamed: bool) -> None:
    """A real agent whose model goes on in the background after a tool was called: each part is there once."""

    @tool(approval_mode="never_require")
    def weather(city: str) -> str:
        return f"rain in {city}"

    def usage(count: int) -> Content:
        return Content.from_usage({"input_token_count": count})

    client = ScriptedChatClient(
        [Content.from_function_call("c1", "weather", arguments='{"city": "Rome"}'), usage(1)],
        ["It", WORKING],
        ["It rains", usage(10)],
        ["next"],
    )
    agent = Agent(client=client, tools=[weather], context_providers=[InMemoryHistoryProvider()])
    context = connect(agent)
    if streamed:
        stream = await context.run_stream(asked())
        await waited(clock, _collect(stream), times=1)
        final: AgentResponse[Any] = await stream.get_final_response()
    else:
        final = (await waited(clock, context.run(asked()), times=1)).result
    assert [content.type for message in final.messages for content in message.contents if content.type != "text"] == [
        "function_call",
        "function_result",
    ]
    assert final.text == "It rains"
    assert final.usage_details == {"input_token_count": 11}
    result = await context.run(asked("and now?"))
    assert result.session is not None
    assert _kinds(result.session)[:4] == [
        "user: hi",
        "assistant: function_call",
        "tool: function_result",
        "assistant: It rains",
    ]


async def test_rounds_that_are_told_again_each_time_are_told_once(connect: Connect, clock: FakeClock) -> None:
    """An agent elsewhere shows its whole work every time."""
    work = [Content.from_function_call("c1", "look", arguments="{}"), Content.from_function_result("c1", result="42")]
    agent = ScriptedAgent([*work, "It", WORKING], [*work, "It is 42"], every="next")
    context = connect(agent)
    result = await waited(clock, context.run(asked()), times=1)
    assert [message.role for message in result.result.messages] == ["assistant", "tool", "assistant"]
    await context.run(asked("and now?"))
    assert [message.role for message in agent.runs[-1].history] == ["user", "assistant", "tool", "assistant"]


async def test_without_a_session_it_works_as_well(connect: Connect, clock: FakeClock) -> None:
    agent = ScriptedAgent(["a", WORKING], ["ab"], ["c", WORKING], ["d"])
    context = connect(agent)
    assert (await waited(clock, context.run(asked(key=None)), times=1)).result.text == "ab"
    assert await waited(clock, texts_of(context, asked(key=None)), times=1) == ["c", "", "d"]


def _pieces(text: str, cuts: Random) -> list[AgentResponseUpdate]:
    places = sorted({0, len(text), *(cuts.randint(0, len(text)) for _ in range(3))})
    return [
        AgentResponseUpdate(role="assistant", contents=[Content.from_text(text[start:end])])
        for start, end in pairwise(places)
    ]


async def _collect(stream: Any) -> list[AgentResponseUpdate]:
    return [update async for update in stream]


def _kinds(session: AgentSession) -> list[str]:
    messages: list[Message] = session.state["in_memory"]["messages"]
    return [f"{m.role}: {m.text or (m.contents[0].type if m.contents else 'nothing')}" for m in messages]
