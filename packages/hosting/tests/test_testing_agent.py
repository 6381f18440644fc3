"""The scripted agent: an agent that does as it is told, and remembers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from agent_framework import (
    Agent,
    AgentResponse,
    AgentResponseUpdate,
    AgentSession,
    Content,
    Message,
    ResponseStream,
    SupportsAgentRun,
)

from agent_framework_hosting.testing import (
    AgentRun,
    Finish,
    Gate,
    ScriptedAgent,
    ScriptedChatClient,
    ScriptExhausted,
    recall,
)


def history(session: AgentSession) -> list[Message]:
    return session.state["in_memory"]["messages"]


def test_it_has_the_shape_of_an_agent() -> None:
    """It passes the runtime check of core's protocol, and the type checker's."""
    agent: SupportsAgentRun = ScriptedAgent(id="a1", name="Ann", description="tells")
    assert isinstance(agent, SupportsAgentRun)
    assert (agent.id, agent.name, agent.description) == ("a1", "Ann", "tells")
    assert agent.create_session(session_id="s1").session_id == "s1"
    assert agent.get_session("svc", session_id="s2").service_session_id == "svc"


async def test_without_a_script_it_echoes_the_last_user_message() -> None:
    """Any number of runs, spaces kept."""
    agent = ScriptedAgent()
    assert (await agent.run("hello  there\n")).text == "echo: hello  there\n"
    assert (await agent.run([Message("user", ["one"]), Message("user", ["two"])])).text == "echo: two"


async def test_an_echo_comes_in_several_updates() -> None:
    """A stream of an echo is really a stream."""
    updates = [update.text async for update in ScriptedAgent().run("hi you", stream=True)]
    assert updates == ["echo:", " hi", " you"]


async def test_run_i_plays_turn_i() -> None:
    """A turn is a step, a list of steps, or a function from the record to them."""
    agent = ScriptedAgent("one", ["t", "wo"], lambda run: f"three: {run.messages[0].text}")
    assert [(await agent.run(text)).text for text in "abc"] == ["one", "two", "three: c"]


async def test_turns_may_be_asynchronous() -> None:
    """A coroutine function gives the steps at once, an async generator one by one."""

    async def steps(run: AgentRun) -> list[str]:
        return ["a", run.messages[0].text]

    async def generated(run: AgentRun) -> AsyncIterator[str]:
        yield "b"
        yield run.messages[0].text

    agent = ScriptedAgent(steps, generated)
    assert [(await agent.run(text)).text for text in "xy"] == ["ax", "by"]


async def test_a_generator_turn_is_closed_with_its_run() -> None:
    """The script's own clean-up runs when the stream is closed, not when the garbage collector comes by."""
    cleaned: list[bool] = []

    async def turn(_: AgentRun) -> AsyncIterator[str]:
        try:
            yield "one"
            yield "two"
        finally:
            cleaned.append(True)

    stream = ScriptedAgent(turn).run("hi", stream=True)
    await anext(aiter(stream))
    await stream.close()
    assert cleaned == [True]


async def test_a_run_beyond_the_script_fails_and_says_so() -> None:
    """Unless `every` says what all further runs do."""
    agent = ScriptedAgent("one")
    await agent.run("a")
    with pytest.raises(ScriptExhausted, match=r"1 turn\(s\), but this is call number 2"):
        await agent.run("b")
    agent = ScriptedAgent("one", every="more")
    assert [(await agent.run("x")).text for _ in range(3)] == ["one", "more", "more"]


async def test_contents_updates_and_finish_reasons_are_sent_as_they_are() -> None:
    """Contents keep their kind, a function result speaks as a tool, an update passes untouched."""
    ready = AgentResponseUpdate(contents=[Content.from_text("ready")], role="assistant", message_id="m1")
    agent = ScriptedAgent(
        [
            Content.from_function_call("c1", "add", arguments={"a": 1}),
            Content.from_function_result("c1", result="2"),
            ready,
            Content.from_usage({"input_token_count": 3}),
            Finish("length"),
        ]
    )
    stream = agent.run("hi", stream=True)
    updates = [update async for update in stream]
    assert updates[2] is ready
    assert [update.role for update in updates] == ["assistant", "tool", "assistant", "assistant", "assistant"]
    response = await stream.get_final_response()
    assert [message.role for message in response.messages] == ["assistant", "tool", "assistant"]
    assert (response.finish_reason, response.usage_details) == ("length", {"input_token_count": 3})


async def test_something_that_is_no_step_is_refused_by_name() -> None:
    """A script from untyped code fails where the mistake is."""
    steps: Any = [1]
    with pytest.raises(TypeError, match="not int"):
        await ScriptedAgent(steps).run("hi")


@pytest.mark.parametrize("step", [ValueError("no"), ValueError])
async def test_exceptions_are_raised_and_recorded(step: ValueError | type[ValueError]) -> None:
    """What was sent before stays sent; the record holds the error."""
    agent = ScriptedAgent(["some", step])
    stream = agent.run("hi", stream=True)
    got: list[str] = []
    with pytest.raises(ValueError, match=r"^(no)?$"):
        async for update in stream:
            got.append(update.text)
    run = agent.runs[0]
    assert got == ["some"]
    assert run.failed
    assert isinstance(run.error, ValueError)


async def test_a_turn_may_be_nothing_but_an_exception() -> None:
    """The class or an instance; neither is taken for a function to call with the record."""
    agent = ScriptedAgent(LookupError, LookupError("no"))
    for args in ((), ("no",)):
        with pytest.raises(LookupError) as caught:
            await agent.run("hi")
        assert caught.value.args == args


async def test_a_run_records_what_it_got() -> None:
    """Messages by identity, session, options, and every other keyword."""
    agent = ScriptedAgent()
    message, session = Message("user", ["hi"]), AgentSession(session_id="s1")
    await agent.run(message, session=session, options={"temperature": 0}, client_kwargs={"k": 1})
    (run,) = agent.runs
    assert run.messages[0] is message
    assert run.session is session
    assert (run.session_id, run.options, run.kwargs, run.stream) == (
        "s1",
        {"temperature": 0},
        {"client_kwargs": {"k": 1}},
        False,
    )
    assert run.text == "echo: hi"


@pytest.mark.parametrize("stream", [False, True])
async def test_it_remembers_a_session_across_runs(stream: bool) -> None:
    """What a run saw contains the earlier turns; the messages are kept by identity, the list is replaced."""
    agent, session = ScriptedAgent(), AgentSession(session_id="s1")

    async def say(message: Message) -> None:
        if stream:
            await agent.run(message, session=session, stream=True).get_final_response()
        else:
            await agent.run(message, session=session)

    first = Message("user", ["one"])
    await say(first)
    kept = history(session)
    await say(Message("user", ["two"]))
    assert agent.runs[1].seen == ["one", "echo: one", "two"]
    assert [message.text for message in history(session)] == ["one", "echo: one", "two", "echo: two"]
    assert history(session)[0] is first
    assert len(kept) == 2


async def test_its_history_is_what_a_real_agent_keeps() -> None:
    """The same turns leave the same messages in the same place as core's own agent."""
    kept: list[list[tuple[str, str]]] = []
    for agent in (ScriptedAgent("A", "B"), Agent(ScriptedChatClient("A", "B"))):
        session = agent.create_session(session_id="s1")
        await agent.run("one", session=session)
        await agent.run("two", session=session, stream=True).get_final_response()
        kept.append([(message.role, message.text) for message in history(session)])
    assert kept[0] == kept[1] == [("user", "one"), ("assistant", "A"), ("user", "two"), ("assistant", "B")]


async def test_like_a_real_agent_it_drops_a_repeated_turn_without_ids() -> None:
    """A host that stamps no message ids loses turns here too, so its tests notice."""
    agent, session = ScriptedAgent(every="ok"), AgentSession()
    for _ in range(3):
        await agent.run("ping", session=session)
    assert len(history(session)) == 2
    for number in range(3):
        await agent.run(Message("user", ["ping"], message_id=f"m{number}"), session=session)
    assert len(history(session)) == 8


async def test_a_run_that_does_not_end_leaves_no_history() -> None:
    """Neither a failure nor a closed stream is part of the conversation."""
    agent, session = ScriptedAgent(["a", ValueError()], ["a", "b"]), AgentSession()
    with pytest.raises(ValueError, match=r"^$"):
        await agent.run("one", session=session)
    stream = agent.run("two", session=session, stream=True)
    await anext(aiter(stream))
    await stream.close()
    assert session.state["in_memory"] == {}


async def test_finalising_a_closed_stream_keeps_the_partial_turn_as_core_does() -> None:
    """The trap that a host has to avoid is here to be fallen into."""
    agent, session = ScriptedAgent(["a", "b"]), AgentSession()
    stream = agent.run("one", session=session, stream=True)
    await anext(aiter(stream))
    await stream.close()
    assert (await stream.get_final_response()).text == "a"
    assert [message.text for message in history(session)] == ["one", "a"]


async def test_a_gate_holds_a_run_in_the_middle() -> None:
    """The test sees how far the run has come and lets it go on; an asyncio.Event does as well."""
    gate, event = Gate(), asyncio.Event()
    agent = ScriptedAgent(["one ", gate, "two ", event, "three"])
    answer = asyncio.ensure_future(agent.run("hi"))
    await gate.wait_reached()
    assert agent.runs[0].text == "one "
    gate.open()
    event.set()
    assert (await answer).text == "one two three"


async def test_a_cancelled_run_says_so() -> None:
    """`cancelled` means that its task was cancelled while it worked."""
    gate = Gate()
    agent = ScriptedAgent(["one", gate])
    task = asyncio.create_task(agent.run("hi", stream=True).get_final_response())
    await gate.wait_reached()
    task.cancel()
    (run,) = agent.runs
    await run.wait_ended()
    assert (run.cancelled, run.closed, run.finished, run.stopped) == (True, False, False, True)
    assert run.text == "one"


async def test_a_closed_stream_says_so() -> None:
    """`closed` means that its consumer left between two updates."""
    agent = ScriptedAgent(["one", "two"])
    stream = agent.run("hi", stream=True)
    await anext(aiter(stream))
    await stream.close()
    (run,) = agent.runs
    assert (run.cancelled, run.closed, run.finished, run.stopped) == (False, True, False, True)


async def test_a_stream_closed_before_its_first_pull_never_started() -> None:
    """The call is on record, the run is not."""
    agent = ScriptedAgent()
    await agent.run("hi", stream=True).close()
    (run,) = agent.runs
    assert (run.started, run.closed, agent.most_active) == (False, True, 0)


async def test_a_finished_run_says_so() -> None:
    """A run that was played to its end is neither cancelled nor closed."""
    agent = ScriptedAgent()
    await agent.run("hi", stream=True).get_final_response()
    (run,) = agent.runs
    assert (run.cancelled, run.closed, run.finished, run.stopped) == (False, False, True, False)


async def test_it_counts_the_runs_that_go_on_at_once() -> None:
    """`active` now, `most_active` at the most."""
    gate = Gate()
    agent = ScriptedAgent(every=[gate, "done"])
    tasks = [asyncio.ensure_future(agent.run("hi")) for _ in range(3)]
    await agent.wait_started(3)
    assert (agent.active, agent.most_active) == (3, 3)
    gate.open()
    await asyncio.gather(*tasks)
    await agent.run("hi")
    assert (agent.active, agent.most_active) == (0, 3)


async def test_a_stream_is_cores_own_stream() -> None:
    """It can be iterated, awaited and finalised like any other."""
    stream = await ScriptedAgent().run("hi", stream=True)
    assert isinstance(stream, ResponseStream)
    assert isinstance(await stream.get_final_response(), AgentResponse)


async def test_recall_answers_with_every_user_message_seen() -> None:
    """A client on the other end of a wire can see what the agent remembers."""
    agent, session = ScriptedAgent(every=recall), AgentSession()
    answers = [(await agent.run(text, session=session)).text for text in ("one", "two", "three")]
    assert answers == ["one", "one | two", "one | two | three"]


async def test_records_read_well_in_a_failing_assertion() -> None:
    """Index, outcome, and what the run saw."""
    agent = ScriptedAgent(name="Ann")
    await agent.run("hi", stream=True)
    await agent.run("hi")
    assert repr(agent) == "<ScriptedAgent 'Ann' runs=2 active=0>"
    assert (
        repr(agent.runs) == "[<AgentRun 0 called stream=True seen=[]>, <AgentRun 1 finished stream=False seen=['hi']>]"
    )


async def test_waiting_for_a_run_that_never_comes_tells_what_came() -> None:
    """The guard's message lists the runs so far."""
    agent = ScriptedAgent()
    await agent.run("hi")
    with pytest.raises(TimeoutError, match=r"2 call\(s\) to start; so far: \[<AgentRun 0 finished"):
        await agent.wait_started(2, timeout=0.01)
