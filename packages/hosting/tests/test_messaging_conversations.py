"""A message comes from a platform, goes through a real host to the agent, and is answered in its chat."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest
from agent_framework import AgentResponse, AgentResponseUpdate, Content, Message
from messaging_parts import Chats

from agent_framework_hosting.channel import ChannelCommand, ChannelCommandContext
from agent_framework_hosting.errors import ConfigurationError
from agent_framework_hosting.host import AgentFrameworkHost
from agent_framework_hosting.limits import Limits
from agent_framework_hosting.messaging.attachments import AttachmentPolicy
from agent_framework_hosting.messaging.incoming import Incoming
from agent_framework_hosting.messaging.outlet import (
    Gone,
    OutletTraits,
    RetryAfter,
    TextLimits,
    Unreachable,
)
from agent_framework_hosting.messaging.phrases import Phrases
from agent_framework_hosting.messaging.turns import Hooks
from agent_framework_hosting.testing import Gate, ScriptedAgent
from agent_framework_hosting.types import ChannelRequest, HostedRunResult

Serve = Callable[..., Awaitable[Chats]]


@pytest.fixture(params=["memory", "sqlite"])
async def serve(request: pytest.FixtureRequest, make_database: Callable[[str], str]) -> AsyncGenerator[Serve]:
    """Return a function that serves an agent to a chat platform, over each kind of store."""
    async with AsyncExitStack() as stack:

        async def serve(agent: Any, chats: Chats | None = None, **host: Any) -> Chats:
            chats = chats or Chats()
            database = None if request.param == "memory" else make_database(request.param)
            await stack.enter_async_context(AgentFrameworkHost(agent, channels=[chats], database=database, **host))
            return chats

        yield serve


async def test_a_message_is_answered_and_the_next_one_knows_of_it(serve: Serve) -> None:
    chats = await serve(ScriptedAgent(every=lambda run: f"seen {len(run.seen)}"))
    assert await chats.say("Hello.")
    await chats.until("seen 1")
    await chats.say("Hello again.")
    await chats.until("seen 1", "seen 3")


async def test_chats_threads_and_accounts_have_sessions_of_their_own(serve: Serve) -> None:
    agent = ScriptedAgent(every=lambda run: f"seen {run.seen}")
    chats = await serve(agent)
    await chats.say("one", chat="home")
    await chats.say("two", chat="office")
    await chats.say("three", chat="home", thread="7")
    await chats.until("seen ['one']")
    await chats.until("seen ['three']")
    await chats.until("seen ['two']", chat="office")
    keys = {run.session_id for run in agent.runs}
    assert keys == {"chats:bot1:home", "chats:bot1:office", "chats:bot1:home:7"}


def by_person(incoming: Incoming) -> str:
    return f"person {incoming.sender.id}"


async def test_a_channel_may_choose_the_session(serve: Serve) -> None:
    agent = ScriptedAgent()
    chats = await serve(agent, Chats(options={"key": by_person}))
    await chats.say("one", chat="home")
    await chats.until("echo: one")
    await chats.say("two", chat="office")
    await chats.until("echo: two", chat="office")
    assert {run.session_id for run in agent.runs} == {"person ada"}


async def test_what_the_platform_sends_many_times_is_answered_once(serve: Serve) -> None:
    agent = ScriptedAgent()
    chats = await serve(agent)
    taken = await asyncio.gather(*(chats.say("Hello.", id="m") for _ in range(20)))
    for _ in range(80):
        taken.append(await chats.say("Hello.", id="m"))
    assert taken.count(True) == 1
    await chats.say("Last.", id="n")
    await chats.until("echo: Last.")
    assert chats.at().texts == ["echo: Hello.", "echo: Last."]
    assert len(agent.runs) == 2


async def test_messages_of_one_chat_are_answered_in_their_order_and_other_chats_do_not_wait(serve: Serve) -> None:
    gate = Gate()
    agent = ScriptedAgent(
        every=lambda run: (
            [gate, f"echo: {run.seen[-1]}"] if run.seen[-1].startswith("slow") else f"echo: {run.seen[-1]}"
        )
    )
    chats = await serve(agent)
    for text in ("slow", "two", "three"):
        await chats.say(text)
    await gate.wait_reached()
    await chats.say("elsewhere", chat="office")
    await chats.until("echo: elsewhere", chat="office")
    assert chats.at().texts == []
    gate.open()
    await chats.until("echo: slow", "echo: two", "echo: three")


async def test_who_is_not_let_in_is_told_once_and_the_agent_never_hears_of_it(serve: Serve) -> None:
    agent = ScriptedAgent()
    chats = await serve(agent, Chats({"allow": ["@Ada"]}))
    for _ in range(3):
        await chats.say("Let me in.", **{"from": "eve"})
    await chats.say("/new", **{"from": "eve"})
    await chats.say("Hello.", **{"from": "ada"})
    texts = await chats.until("echo: Hello.")
    assert texts == [Phrases().refused, "echo: Hello."]
    assert [run.seen for run in agent.runs] == [["Hello."]]


async def test_nobody_waits_because_a_stranger_cannot_be_told_that_they_are_not_let_in(serve: Serve) -> None:
    """Strangers may be many, and silence may be long."""
    chats = Chats({"allow": ["@Ada"]})
    chats.at("far").fail("send", RetryAfter(30.0))
    await serve(ScriptedAgent(), chats, limits=Limits(max_running_tasks=1))
    await chats.say("Let me in.", chat="far", **{"from": "eve"})
    await chats.say("Hello.", **{"from": "ada"})
    await chats.until("echo: Hello.")
    assert [call.method for call in chats.at("far").calls] == ["send"]


async def test_bots_other_peoples_talk_and_commands_to_other_bots_are_not_answered(serve: Serve) -> None:
    agent = ScriptedAgent()
    chats = await serve(agent)
    assert not await chats.say("I am a bot.", bot=True)
    assert not await chats.say("Between us.", addressed=False)
    assert not await chats.say("/help@other_bot")
    assert not await chats.conversations.take({"id": "p", "poll": "something new"})
    await chats.say("Hello.")
    await chats.until("echo: Hello.")
    assert len(agent.runs) == 1


async def test_the_agent_knows_who_says_what_in_a_group(serve: Serve) -> None:
    agent = ScriptedAgent()
    chats = await serve(agent)
    await chats.say("Hello.", group=True)
    await chats.until("echo: Hello.")
    message = agent.runs[0].messages[0]
    assert message.author_name == "Ada"
    assert message.additional_properties["hosting"]["identity"]["native_id"] == "ada"
    assert message.additional_properties["hosting"]["channel"] == "chats"


async def test_a_long_answer_arrives_whole_and_in_order_although_the_platform_is_busy(serve: Serve) -> None:
    whole = "\n\n".join(f"Paragraph {number}. " + "word " * 60 for number in range(100))
    assert len(whole) > 30_000
    agent = ScriptedAgent([whole[start : start + 50] for start in range(0, len(whole), 50)])
    traits = OutletTraits(limits=TextLimits(max_length=4096, unit="utf16"), streaming=("edit",), interval=0.01)
    chats = Chats(traits=traits)
    chats.at().fail("send", None, RetryAfter(0.05), None, Unreachable("502"))
    chats.at().fail("edit", None, RetryAfter(0.05))
    await serve(agent, chats)
    await chats.say("Tell me all.")
    await chats.until("Paragraph 99.")
    # What is said next comes only once the answer is there.
    await chats.say("/new")
    texts = await chats.until(Phrases().started_afresh)
    assert "".join("".join(texts[:-1]).split()) == "".join(whole.split())


async def test_a_failure_is_told_with_its_id_and_nothing_of_the_inside(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    agent = ScriptedAgent(["So far. ", ValueError("secret password")], "fine")
    chats = await serve(agent)
    await chats.say("Fail.")
    texts = await chats.until("Sorry")
    assert texts[0] == "So far."
    assert "error id err_" in texts[1]
    assert "secret" not in "".join(texts)
    incident = texts[1].rpartition("error id ")[2].rstrip(")")
    assert incident in caplog.text
    await chats.say("And now?")
    await chats.until("fine")
    assert len(agent.runs) == 2


async def test_an_answer_without_anything_to_show_is_said_so(serve: Serve) -> None:
    chats = await serve(ScriptedAgent(every=" "))
    await chats.say("Hello.")
    await chats.until(Phrases().nothing)


async def test_stop_overtakes_what_waits_and_stops_what_runs(serve: Serve) -> None:
    gate = Gate()
    agent = ScriptedAgent(["Half an answer", gate, "never"], every=lambda run: f"seen {run.seen}")
    chats = await serve(agent)
    await chats.say("one")
    await gate.wait_reached()
    await chats.say("two")
    await chats.say("three")
    await chats.say("/stop")
    await chats.until("Stopped.")
    await chats.until("Half an answer")
    await chats.say("four")
    await chats.until("seen ['four']")
    assert sorted(chats.at().texts) == ["Half an answer", "Stopped.", "seen ['four']"]
    assert agent.runs[0].stopped
    await chats.say("/stop")
    await chats.until(Phrases().nothing_to_stop)


async def test_what_somebody_else_stops_is_told_so(serve: Serve) -> None:
    gate = Gate()
    agent = ScriptedAgent(["Half an answer", gate, "never"])
    chats = await serve(agent)
    await chats.say("one")
    await gate.wait_reached()
    assert await chats.context.cancel("chats:bot1:home")
    await chats.until("Half an answer", Phrases().interrupted)


async def test_new_begins_a_new_conversation_in_its_turn(serve: Serve) -> None:
    chats = await serve(ScriptedAgent(every=lambda run: f"seen {run.seen}"))
    for text in ("one", "/new", "two"):
        await chats.say(text)
    await chats.until("seen ['one']", Phrases().started_afresh, "seen ['two']")


async def test_help_names_all_commands_and_waits_for_nobody(serve: Serve) -> None:
    gate = Gate()

    async def remind(context: ChannelCommandContext) -> None:
        session = context.request.session
        assert session is not None
        await context.reply(f"{context.request.input} in {session.isolation_key} for {context.request.principal}")

    own = [ChannelCommand("/remind", "Remind me", remind), ChannelCommand("start", "", remind)]
    chats = await serve(ScriptedAgent([gate, "done"]), Chats(own=own))
    await chats.say("slow")
    await gate.wait_reached()
    await chats.say("/help@host_bot")
    (text,) = await chats.until("/help")
    assert "/remind: Remind me" in text
    assert "/new: " in text
    assert "/start" not in text
    gate.open()
    await chats.say("/remind me tomorrow")
    texts = await chats.until("done", "me tomorrow")
    assert "in chats:bot1:home" in texts[-1]
    assert "id='chats:bot1:ada', kind='native'" in texts[-1]


async def test_a_command_that_fails_is_told_and_nobody_tries_it_again(serve: Serve) -> None:
    async def fail(_: ChannelCommandContext) -> None:
        raise ValueError("secret password")

    chats = await serve(ScriptedAgent(), Chats(own=[ChannelCommand("fail", "Fail", fail)]))
    await chats.say("/fail")
    await chats.say("Hello.")
    texts = await chats.until("echo: Hello.")
    assert len(texts) == 2
    assert "error id err_" in texts[0]
    assert "secret" not in texts[0]


async def test_a_command_that_nobody_knows_is_said_to_the_agent(serve: Serve) -> None:
    chats = await serve(ScriptedAgent())
    await chats.say("/weather tomorrow")
    await chats.until("echo: /weather tomorrow")


def test_a_command_that_cannot_be_typed_is_refused() -> None:
    async def nothing(_: ChannelCommandContext) -> None: ...

    with pytest.raises(ConfigurationError, match="cannot be offered"):
        AgentFrameworkHost(ScriptedAgent(), channels=[Chats(own=[ChannelCommand("two words", "", nothing)])])


async def test_too_many_messages_are_refused_politely_and_once(serve: Serve) -> None:
    gate = Gate()
    chats = await serve(ScriptedAgent([gate, "first"], every="later"), limits=Limits(max_waiting=2))
    await chats.say("one")
    await gate.wait_reached()
    taken = [await chats.say(f"more {number}") for number in range(6)]
    assert taken == [True, True, False, False, False, False]
    await chats.until(Phrases().busy)
    gate.open()
    texts = await chats.until("first", "later", "later")
    assert texts.count(Phrases().busy) == 1


async def test_who_is_refused_is_told_so_also_where_something_else_is_on_its_way(serve: Serve) -> None:
    gate, chats = Gate(), Chats()
    chats.at().fail("send", RetryAfter(0.01))
    await serve(ScriptedAgent([gate, "first"], every="later"), chats, limits=Limits(max_waiting=1))
    await chats.say("one")
    await gate.wait_reached()
    assert [await chats.say("two"), await chats.say("three")] == [True, False]
    await chats.until(Phrases().busy)
    gate.open()
    await chats.until("first", "later")


async def test_somebody_who_has_blocked_the_bot_costs_one_try(serve: Serve) -> None:
    agent = ScriptedAgent()
    chats = Chats()
    chats.at("gone").fail("send", *[Gone("blocked")] * 9)
    await serve(agent, chats)
    await chats.say("Hello.", chat="gone")
    await chats.at("gone").until(calls=1)
    await chats.say("Hello.")
    await chats.until("echo: Hello.")
    assert len(chats.at("gone").calls) == 1


async def test_an_answer_that_cannot_be_sent_is_sent_later_without_a_second_run(serve: Serve) -> None:
    agent = ScriptedAgent()
    chats = Chats(options={"patience": 0})
    chats.at().fail("send", Unreachable("502"), Unreachable("502"))
    await serve(agent, chats, limits=Limits(task_backoff=0.01))
    await chats.say("Hello.")
    await chats.until("echo: Hello.")
    assert len(agent.runs) == 1
    assert len(chats.at().calls) == 3


async def test_an_answer_waits_for_as_long_as_the_platform_wants_and_holds_nobody_up(serve: Serve) -> None:
    """Beyond the patience of one try it waits in its line, where others may use what it needs to run."""
    agent, chats = ScriptedAgent(), Chats(options={"patience": 0})
    chats.at().fail("send", RetryAfter(0.3), RetryAfter(0.2))
    await serve(agent, chats, limits=Limits(max_running_tasks=1))
    await chats.say("Hello.")
    await chats.say("Elsewhere.", chat="office")
    await chats.until("echo: Elsewhere.", chat="office")
    assert chats.at().texts == []
    await chats.until("echo: Hello.")
    assert len(agent.runs) == 2


async def test_a_command_whose_answer_cannot_be_sent_is_carried_out_once(serve: Serve) -> None:
    done: list[str] = []

    async def note(context: ChannelCommandContext) -> None:
        done.append(context.request.input)
        await context.reply("Noted.")

    chats = Chats(own=[ChannelCommand("note", "Note", note)], options={"patience": 0})
    chats.at().fail("send", Unreachable("502"))
    await serve(ScriptedAgent(), chats)
    await chats.say("/note this")
    await chats.say("Hello.")
    await chats.until("echo: Hello.")
    assert done == ["this"]


async def test_files_come_to_the_agent_and_go_to_the_chat(serve: Serve) -> None:
    image = Content.from_data(b"made", "image/png", additional_properties={"filename": "made.png"})
    agent = ScriptedAgent(
        ["Here it is.", image, Content.from_uri("https://example.org/a.pdf", media_type="application/pdf")]
    )
    chats = Chats(files={"f1": b"not really a picture", "f2": "naïve notes".encode()})
    await serve(agent, chats)
    files = [
        {"ref": "f1", "media_type": "image/jpeg", "name": "in.jpg"},
        {"ref": "f2", "media_type": "text/plain; charset=utf-8", "name": "notes.txt"},
    ]
    await chats.say("Look.", files=files)
    await chats.say("/new")
    await chats.until("Here it is.", Phrases().started_afresh)
    made, linked = chats.at().files
    assert (made.name, made.media_type, made.data) == ("made.png", "image/png", b"made")
    assert (linked.uri, linked.data) == ("https://example.org/a.pdf", None)
    contents = agent.runs[0].messages[0].contents
    assert [content.type for content in contents] == ["text", "data", "text"]
    assert contents[1].uri == Content.from_data(b"not really a picture", "image/jpeg").uri
    assert contents[2].text == "File notes.txt:\n\nnaïve notes"


@pytest.mark.parametrize(
    ("files", "told"),
    [
        ([{"ref": "big", "media_type": "image/png", "name": "big.png"}], "too large for me: big.png"),
        ([{"ref": "big", "media_type": "image/png", "size": 10**9}], "too large for me: image/png"),
        ([{"ref": "big", "media_type": "video/mp4", "name": "film.mp4"}], "of this kind: film.mp4"),
        ([{"ref": "big", "media_type": "image/png"}] * 3, "too many files"),
        ([{"ref": "lost", "media_type": "image/png", "name": "lost.png"}], "could not get this file: lost.png"),
    ],
)
async def test_a_file_that_is_not_taken_is_told_and_the_agent_hears_nothing(
    serve: Serve, files: list[dict[str, Any]], told: str
) -> None:
    agent = ScriptedAgent()
    policy = AttachmentPolicy(types=("image/*",), max_bytes=50, max_count=2)
    chats = Chats(options={"attachments": policy}, files={"big": b"x" * 60, "lost": Unreachable("502")})
    await serve(agent, chats)
    await chats.say("Look.", files=files)
    await chats.until(told)
    await chats.say("Hello.")
    await chats.until("echo: Hello.")
    assert len(agent.runs) == 1


async def test_hooks_see_the_message_and_have_the_last_word(serve: Serve) -> None:
    seen: list[Any] = []

    async def before(request: ChannelRequest, *, target: Any, protocol_request: Any) -> ChannelRequest:
        seen.append((request.operation, protocol_request.text))
        return request

    def rewrite(update: AgentResponseUpdate) -> AgentResponseUpdate:
        return AgentResponseUpdate(contents=[Content.from_text(update.text.upper())], role="assistant")

    chats = await serve(
        ScriptedAgent(every="quiet"), Chats(options={"hooks": Hooks(run_hook=before, stream_update_hook=rewrite)})
    )
    await chats.say("Hello.")
    await chats.until("QUIET")
    assert seen == [("message", "Hello.")]


async def test_a_response_hook_has_the_last_word(serve: Serve) -> None:
    def shape(result: HostedRunResult[Any], *, request: ChannelRequest, channel_name: str) -> HostedRunResult[Any]:
        return result.replace(result=AgentResponse(messages=[Message("assistant", [f"{channel_name} says hi"])]))

    chats = await serve(ScriptedAgent(), Chats(options={"hooks": Hooks(response_hook=shape)}))
    await chats.say("Hello.")
    await chats.until("chats says hi")


async def test_typing_is_shown_while_the_agent_works(serve: Serve) -> None:
    gate = Gate()
    traits = OutletTraits(limits=TextLimits(max_length=4096), typing_every=0.01)
    chats = await serve(ScriptedAgent([gate, "done"]), Chats(traits=traits))
    await chats.say("Hello.")
    await chats.at().until(calls=3)
    gate.open()
    await chats.until("done")
    assert not any("typing" in task.get_name() for task in asyncio.all_tasks())


async def test_without_a_database_people_are_asked_to_write_again_when_the_host_stops(
    make_probe: type[Any],
) -> None:
    gate = Gate()
    chats = Chats()
    limits = Limits(drain_timeout=0.05)
    async with AgentFrameworkHost(ScriptedAgent([gate, "never"]), channels=[chats], limits=limits):
        await chats.say("Hello.")
        await gate.wait_reached()
    assert chats.at().texts == [Phrases().restarting]


async def test_with_a_database_what_was_accepted_is_answered_after_a_restart(
    make_database: Callable[[str], str],
) -> None:
    gate, chats, url = Gate(), Chats(), make_database("sqlite")
    limits = Limits(drain_timeout=0.05)
    async with AgentFrameworkHost(ScriptedAgent([gate, "never"]), channels=[chats], limits=limits, database=url):
        await chats.say("one")
        await chats.say("two")
        await gate.wait_reached()
    assert chats.at().texts == []
    later = Chats()
    agent = ScriptedAgent(every=lambda run: f"seen {run.seen}")
    async with AgentFrameworkHost(agent, channels=[later], database=url):
        await later.until("seen ['one']", "'two']")


def test_a_host_may_be_run_again_in_another_event_loop() -> None:
    chats = Chats()
    host = AgentFrameworkHost(ScriptedAgent(), channels=[chats])

    async def run(number: int) -> None:
        chats.places.clear()  # the platform of the test keeps to one loop
        async with host:
            await asyncio.sleep(0.05)  # until the host waits for work
            for each in range(5):
                await chats.say(f"{number} {each}", thread=str(each))
            for each in range(5):
                await chats.until(f"echo: {number} {each}")

    for number in range(3):
        asyncio.run(run(number))
