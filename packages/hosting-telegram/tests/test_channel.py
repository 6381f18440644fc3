"""A bot in front of an agent, as people on Telegram meet it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest
from agent_framework import Agent, Content, tool

from agent_framework_hosting.channel import ChannelCommand, ChannelCommandContext
from agent_framework_hosting.errors import ConfigurationError
from agent_framework_hosting.host import AgentFrameworkHost
from agent_framework_hosting.limits import Limits
from agent_framework_hosting.messaging.incoming import Incoming
from agent_framework_hosting.testing import (
    Gate,
    LoopbackDriver,
    PlatformReply,
    ScriptedAgent,
    ScriptedChatClient,
    recall,
)
from agent_framework_hosting_telegram.channel import TelegramChannel
from agent_framework_hosting_telegram.testing import BOT_TOKEN, TelegramServer

from .hurried import HurriedClock

GROUP = -100
WEBHOOK_SECRET = "told-to-telegram-by-hand"


def channel(telegram: TelegramServer, **options: Any) -> TelegramChannel:
    allowed = {} if "allow" in options else {"open": True}
    return TelegramChannel(bot_token=BOT_TOKEN, api_base_url=telegram.base_url, **allowed, **options)


@asynccontextmanager
async def polling(telegram: TelegramServer, agent: Any, **options: Any) -> AsyncGenerator[AgentFrameworkHost]:
    """Serve an agent by polling; nobody calls the host then."""
    host = AgentFrameworkHost(agent, channels=[channel(telegram, **options)])
    async with host:
        yield host


@asynccontextmanager
async def hooked(telegram: TelegramServer, agent: Any, **options: Any) -> AsyncGenerator[str]:
    """Serve an agent by a webhook; gives its address."""
    options = {"mode": "webhook", "secret_token": WEBHOOK_SECRET, **options}
    async with LoopbackDriver(AgentFrameworkHost(agent, channels=[channel(telegram, **options)]).app) as driver:
        yield f"{driver.base_url}/telegram"


def heard(agent: ScriptedAgent) -> list[str]:
    """What the agent was asked in each run."""
    return [run.messages[-1].text for run in agent.runs]


def sessions(agent: ScriptedAgent) -> list[str | None]:
    """The session of each run."""
    return [run.session_id for run in agent.runs]


# ------------------------------------------------------------------------------------------------------- conversations


async def test_a_chat_is_one_conversation(telegram: TelegramServer) -> None:
    agent = ScriptedAgent(every=recall)
    async with polling(telegram, agent):
        for number, text in enumerate(("one", "two"), 1):
            telegram.push(telegram.said(text))
            await telegram.wait_texts(7, number)
        telegram.push(telegram.said("other", chat=8, sender=8))
        await telegram.wait_texts(8)
    assert "one" in telegram.texts(7)[1]
    assert "one" not in telegram.texts(8)[0]
    assert sessions(agent) == ["telegram:4711:7", "telegram:4711:7", "telegram:4711:8"]


async def test_the_agent_gets_text_photo_and_who_has_sent_them(telegram: TelegramServer) -> None:
    agent = ScriptedAgent("Nice.")
    telegram.files["pic"] = b"\xff\xd8\xff jpeg"
    async with polling(telegram, agent):
        telegram.push(telegram.said(caption="What is it?", photo=[{"file_id": "pic", "width": 9, "height": 9}]))
        await telegram.wait_texts(7)
    (message,) = agent.runs[0].messages
    assert message.text == "What is it?"
    assert [content.uri for content in message.contents if content.type == "data"] == [
        "data:image/jpeg;base64,/9j/IGpwZWc="
    ]
    assert message.additional_properties["hosting"] == {
        "channel": "telegram",
        "identity": {
            "channel": "telegram",
            "native_id": "7",
            "attributes": {"username": "person_7", "name": "Person 7", "chat": "7", "group": False},
        },
    }


async def test_an_answer_brings_its_files(telegram: TelegramServer) -> None:
    picture = Content.from_data(b"\x89PNG", "image/png", additional_properties={"filename": "fox.png"})
    report = Content.from_data(b"%PDF", "application/pdf", additional_properties={"filename": "report.pdf"})
    async with polling(telegram, ScriptedAgent(["Here.", picture, report])):
        telegram.push(telegram.said("Draw."))
        await telegram.wait_texts(7, 3)
    assert [message.file for message in telegram.messages(7)] == [None, b"\x89PNG", b"%PDF"]
    assert telegram.calls_to("sendDocument")[0].files["document"].name == "report.pdf"


async def test_in_a_private_chat_the_answer_is_drafted_and_then_sent(telegram: TelegramServer) -> None:
    middle = Gate("middle")
    async with polling(telegram, ScriptedAgent(["Thinking", middle, " is **done**."])):
        telegram.push(telegram.said("Think."))
        assert await telegram.wait_draft(7) == "Thinking"
        assert telegram.calls_to("sendChatAction")
        middle.open()
        await telegram.wait_texts(7)
    assert [(message.text, message.html, message.edits) for message in telegram.messages(7)] == [
        ("Thinking is done.", "Thinking is <b>done</b>.", 0)
    ]


async def test_without_drafts_the_answer_is_edited(telegram: TelegramServer) -> None:
    telegram.chats.has_drafts = False
    middle = Gate("middle")
    async with polling(telegram, ScriptedAgent(["Thinking", middle, " is done."])):
        telegram.push(telegram.said("Think."))
        await telegram.wait_texts(7)
        assert telegram.texts(7) == ["Thinking"]
        middle.open()
        await (await telegram.call("editMessageText")).wait_ended()
    assert [(message.text, message.edits) for message in telegram.messages(7)] == [("Thinking is done.", 1)]


async def test_what_telegram_cannot_read_as_html_comes_as_plain_text(telegram: TelegramServer) -> None:
    telegram.script("sendMessage", telegram.error(400, "Bad Request: can't parse entities: no reason given"))
    async with polling(telegram, ScriptedAgent("**bold**")):
        telegram.push(telegram.said("x"))
        await telegram.wait_texts(7)
    assert [(message.text, message.html) for message in telegram.messages(7)] == [("**bold**", None)]


# ------------------------------------------------------------------------------------------------------- groups


async def test_in_a_group_the_bot_answers_who_speaks_to_it_in_the_topic_where_it_was_asked(
    telegram: TelegramServer,
) -> None:
    agent = ScriptedAgent()
    mention = {"entities": [{"type": "mention", "offset": 0, "length": 11}]}
    topic = {"message_thread_id": 9, "is_topic_message": True}
    async with polling(telegram, agent):
        telegram.push(
            telegram.said("not for you", chat=GROUP), telegram.said("@played_bot hi", chat=GROUP, **mention, **topic)
        )
        await telegram.wait_texts(GROUP)
    (message,) = telegram.messages(GROUP)
    assert (message.thread, message.reply_to) == (9, telegram.chats.last_message - 1)
    assert sessions(agent) == [f"telegram:4711:{GROUP}:9"]
    assert agent.runs[0].messages[0].author_name == "Person 7"


async def test_key_chooses_the_session(telegram: TelegramServer) -> None:
    agent = ScriptedAgent("Hi.")

    def by_person(incoming: Incoming) -> str:
        return f"user-{incoming.sender.id}"

    async with polling(telegram, agent, key=by_person):
        telegram.push(telegram.said("x"))
        await telegram.wait_texts(7)
    assert sessions(agent) == ["user-7"]


# ------------------------------------------------------------------------------------------------------- commands


async def test_commands_are_in_the_bots_menu_and_do_what_they_say(telegram: TelegramServer) -> None:
    async def remind(command: ChannelCommandContext) -> None:
        await command.reply(f"I shall remind you {command.request.input}")

    own = ChannelCommand("remind", "Remind me", remind)
    agent = ScriptedAgent(every=recall)
    async with polling(telegram, agent, commands=[own]):
        assert {"command": "remind", "description": "Remind me"} in telegram.commands
        assert {command["command"] for command in telegram.commands} == {"remind", "new", "stop", "help"}
        for number, text in enumerate(("one", "/new", "two", "/remind me tomorrow", "/help@played_bot"), 1):
            telegram.push(telegram.said(text))
            await telegram.wait_texts(7, number)
    _, _, second, reminded, helped = telegram.texts(7)
    assert "one" not in second
    assert reminded == "I shall remind you me tomorrow"
    assert "/remind" in helped
    assert len(agent.runs) == 2


async def test_who_opens_the_bot_is_greeted_in_the_apps_words_or_with_what_there_is(telegram: TelegramServer) -> None:
    async def welcome(command: ChannelCommandContext) -> None:
        await command.reply(f"Welcome, {command.request.input}.")

    agent = ScriptedAgent()
    async with polling(telegram, agent):
        telegram.push(telegram.said("/start"))
        await telegram.wait_texts(7)
        assert "start" not in {command["command"] for command in telegram.commands}
    async with polling(telegram, agent, commands=[ChannelCommand("start", "", welcome)]):
        telegram.push(telegram.said("/start from-the-shop"))
        await telegram.wait_texts(7, 2)
    assert "/new" in telegram.texts(7)[0]
    assert telegram.texts(7)[1] == "Welcome, from-the-shop."
    assert agent.runs == []


async def test_stop_ends_what_runs(telegram: TelegramServer) -> None:
    never = Gate("never")
    agent = ScriptedAgent(["Begun", never])
    async with polling(telegram, agent):
        telegram.push(telegram.said("Go."))
        await never.wait_reached()
        telegram.push(telegram.said("/stop"))
        await telegram.wait_texts(7, 2)
    assert "Stopped." in telegram.texts(7)


# ------------------------------------------------------------------------------------------------------- order


async def test_messages_of_one_chat_are_answered_one_after_the_other_in_the_order_in_which_they_came(
    telegram: TelegramServer,
) -> None:
    gate = Gate("work")
    agent = ScriptedAgent(every=lambda run: [gate, *recall(run)])
    async with polling(telegram, agent):
        telegram.push(*(telegram.said(f"t{number}") for number in range(3)), telegram.said("other", chat=8, sender=8))
        await gate.wait_reached(2)
        gate.open()
        await telegram.wait_texts(7, 3)
        await telegram.wait_texts(8)
    assert telegram.texts(7) == ["t0", "t0 | t1", "t0 | t1 | t2"]
    assert telegram.texts(8) == ["other"]
    assert agent.most_active == 2


async def test_a_chat_in_which_too_many_wait_is_told_so_and_telegram_does_not_send_them_again(
    telegram: TelegramServer,
) -> None:
    gate = Gate("work")
    agent = ScriptedAgent(every=lambda run: [gate, *recall(run)])
    options: dict[str, Any] = {"mode": "webhook", "secret_token": WEBHOOK_SECRET}
    host = AgentFrameworkHost(agent, channels=[channel(telegram, **options)], limits=Limits(max_waiting=2))
    async with LoopbackDriver(host.app) as driver:
        for number in range(8):
            update = telegram.said(f"t{number}")
            assert await telegram.post(update, to=f"{driver.base_url}/telegram", secret=WEBHOOK_SECRET) == 200
        assert "cannot take more" in (await telegram.wait_texts(7))[0]
        gate.open()
        await telegram.wait_texts(7, 4)
    assert telegram.texts(7)[1:] == ["t0", "t0 | t1", "t0 | t1 | t2"]


# ------------------------------------------------------------------------------------------------------- admission


def test_without_saying_who_may_talk_no_channel_is_made() -> None:
    with pytest.raises(ConfigurationError, match="open=True"):
        TelegramChannel(bot_token=BOT_TOKEN)


def test_two_channels_of_one_bot_are_refused(telegram: TelegramServer) -> None:
    """Telegram would hand each message to one of them, by chance."""
    channels = [channel(telegram), channel(telegram, name="second", path="/second")]
    with pytest.raises(ConfigurationError, match="'telegram' and 'second' both want the Telegram bot"):
        AgentFrameworkHost(ScriptedAgent(), channels=channels)


async def test_who_is_not_let_in_is_told_so_once_and_never_reaches_the_agent(telegram: TelegramServer) -> None:
    agent = ScriptedAgent()
    async with polling(telegram, agent, allow=["@person_7"]):
        telegram.push(*(telegram.said("let me in", chat=8, sender=8) for _ in range(3)), telegram.said("me"))
        await telegram.wait_texts(7)
        await telegram.wait_texts(8)
        telegram.push(telegram.said("again"))
        await telegram.wait_texts(7, 2)
    assert len(telegram.texts(8)) == 1
    assert heard(agent) == ["me", "again"]


# ------------------------------------------------------------------------------------------------------- webhook


async def test_updates_come_by_webhook_and_each_is_answered_once(telegram: TelegramServer) -> None:
    agent = ScriptedAgent()
    async with hooked(telegram, agent) as address:
        update = telegram.said("Hello")
        gate = asyncio.Semaphore(20)

        async def post() -> int:
            async with gate:
                return await telegram.post(update, to=address, secret=WEBHOOK_SECRET)

        assert await asyncio.gather(*(post() for _ in range(100))) == [200] * 100
        await telegram.wait_texts(7)
        await telegram.post(telegram.said("And?"), to=address, secret=WEBHOOK_SECRET)
        await telegram.wait_texts(7, 2)
    assert heard(agent) == ["Hello", "And?"]


@pytest.mark.parametrize("secret", ["", "wrong", WEBHOOK_SECRET + "x", WEBHOOK_SECRET.upper()])
async def test_who_does_not_know_the_secret_is_not_telegram(telegram: TelegramServer, secret: str) -> None:
    agent = ScriptedAgent()
    async with hooked(telegram, agent) as address:
        assert await telegram.post(telegram.said("Hello"), to=address, secret=secret) == 401
    assert agent.runs == []


async def test_an_update_that_only_its_id_can_be_read_of_is_acknowledged(
    telegram: TelegramServer, caplog: pytest.LogCaptureFixture
) -> None:
    async with hooked(telegram, ScriptedAgent()) as address:
        assert await telegram.post({"update_id": 5, "message": {"text": 5}}, to=address, secret=WEBHOOK_SECRET) == 200
        assert await telegram.post({"message": {}}, to=address, secret=WEBHOOK_SECRET) == 400
    assert "Update 5 of bot 4711 cannot be read" in caplog.text


async def test_what_cannot_be_kept_is_for_telegram_to_send_again(telegram: TelegramServer) -> None:
    agent = ScriptedAgent()
    options: dict[str, Any] = {"mode": "webhook", "secret_token": WEBHOOK_SECRET}
    host = AgentFrameworkHost(agent, channels=[channel(telegram, **options)], limits=Limits(max_request_bytes=2_000))
    async with LoopbackDriver(host.app) as driver:
        address = f"{driver.base_url}/telegram"
        assert await telegram.post(telegram.said("x" * 2_000), to=address, secret=WEBHOOK_SECRET) == 413
        host.begin_drain()
        assert await telegram.post(telegram.said("late"), to=address, secret=WEBHOOK_SECRET) == 503
    assert agent.runs == []


async def test_the_webhook_is_registered_with_a_secret_that_every_process_makes_alike(
    telegram: TelegramServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "agent_framework.hosting")
    secrets: set[str] = set()
    for _ in range(2):
        options = {"public_url": "https://bot.example.org/agents/", "path": "/tg"}
        async with AgentFrameworkHost(ScriptedAgent(), channels=[channel(telegram, **options)]):
            assert telegram.webhook["url"] == "https://bot.example.org/agents/tg"
            assert telegram.webhook["allowed_updates"] == ["message", "callback_query"]
            secrets.add(telegram.webhook["secret_token"])
    assert len(secrets) == 1
    assert len(secrets.pop()) == 64
    assert "telegram: @played_bot; updates are sent to https://bot.example.org/agents/tg; everybody may" in caplog.text
    assert "lost when the process ends: database= keeps it" in caplog.text
    assert telegram.calls_to("getUpdates") == []


async def test_a_pressed_button_says_what_is_written_on_it_and_is_offered_no_more(telegram: TelegramServer) -> None:
    agent = ScriptedAgent()
    async with polling(telegram, agent, allow=["@person_7"]):
        telegram.push(telegram.said("Ask me."))
        await telegram.wait_texts(7)
        (message,) = telegram.messages(7)
        message.buttons = [[{"text": "Yes, all", "callback_data": "#0"}]]
        telegram.push(telegram.pressed(message, "#0", sender=8))
        await telegram.wait_calls(1, "answerCallbackQuery")
        telegram.push(telegram.pressed(message, "#0"))
        await (await telegram.call("editMessageReplyMarkup")).wait_ended()
        await telegram.wait_texts(7, 3)
    assert heard(agent) == ["Ask me.", "Yes, all"]
    assert message.buttons == []
    assert len(telegram.calls_to("answerCallbackQuery")) == 2
    assert len(telegram.calls_to("editMessageReplyMarkup")) == 1


def pays(*amounts: int) -> tuple[Agent, list[int]]:
    """Return an agent that pays one amount after the other, each when it may, and what it has paid."""
    paid: list[int] = []

    @tool(approval_mode="always_require")
    def pay(amount: int) -> str:
        """Pay."""
        paid.append(amount)
        return "paid"

    calls = [[Content.from_function_call("call", "pay", arguments={"amount": amount})] for amount in amounts]
    return Agent(ScriptedChatClient(*calls, every="Done."), tools=[pay]), paid


async def test_a_button_that_is_pressed_twice_answers_only_what_stands_above_it(telegram: TelegramServer) -> None:
    agent, paid = pays(5, 5000)
    async with polling(telegram, agent):
        telegram.push(telegram.said("Pay."))
        await telegram.wait_texts(7)
        (first,) = telegram.messages(7)
        yes = first.buttons[0][0]["callback_data"]
        telegram.push(telegram.pressed(first, yes), telegram.pressed(first, yes))
        assert "not open any more" in (await telegram.wait_texts(7, 3))[2]
        second = telegram.messages(7)[1]
        assert '"amount": 5000' in second.text
        assert (paid, len(second.buttons)) == ([5], 2)
        telegram.push(telegram.pressed(second, second.buttons[0][0]["callback_data"]))
        assert (await telegram.wait_texts(7, 4))[3] == "Done."
    assert paid == [5, 5000]


async def test_a_button_that_the_release_before_has_sent_still_answers(telegram: TelegramServer) -> None:
    """It bears no mark, and counts as what is written on it."""
    agent, paid = pays(5)
    async with polling(telegram, agent):
        telegram.push(telegram.said("Pay."))
        await telegram.wait_texts(7)
        (asked,) = telegram.messages(7)
        asked.buttons = [[{"text": "yes", "callback_data": "yes"}], [{"text": "no", "callback_data": "no"}]]
        telegram.push(telegram.pressed(asked, "yes"))
        assert (await telegram.wait_texts(7, 2))[1] == "Done."
    assert paid == [5]


async def test_in_a_group_a_button_is_for_whoever_was_asked_and_stays_until_they_press_it(
    telegram: TelegramServer,
) -> None:
    agent, paid = pays(5)
    async with polling(telegram, agent, groups="all"):
        telegram.push(telegram.said("Pay.", chat=GROUP, sender=7))
        await telegram.wait_texts(GROUP)
        (asked,) = telegram.messages(GROUP)
        buttons = asked.buttons
        telegram.push(telegram.pressed(asked, buttons[0][0]["callback_data"], sender=8))
        await telegram.wait_texts(GROUP, 2)
        assert (asked.buttons, paid) == (buttons, [])
        telegram.push(telegram.pressed(asked, buttons[0][0]["callback_data"], sender=7))
        assert (await telegram.wait_texts(GROUP, 3))[2] == "Done."
        await (await telegram.call("editMessageReplyMarkup")).wait_ended()
    assert (asked.buttons, paid) == ([], [5])


async def test_what_a_group_lets_nobody_send_keeps_nothing_else_of_the_answer_back(telegram: TelegramServer) -> None:
    picture = Content.from_data(b"\x89PNG", "image/png", additional_properties={"filename": "fox.png"})
    report = Content.from_data(b"%PDF", "application/pdf", additional_properties={"filename": "report.pdf"})
    telegram.script("sendPhoto", telegram.error(400, "Bad Request: not enough rights to send photos to the chat"))
    async with polling(telegram, ScriptedAgent(["Here.", picture, report]), groups="all"):
        telegram.push(telegram.said("Draw.", chat=GROUP))
        await telegram.wait_texts(GROUP, 3)
    assert [message.file for message in telegram.messages(GROUP)] == [None, b"\x89PNG", b"%PDF"]


# ------------------------------------------------------------------------------------------------------- polling


async def test_what_was_taken_is_confirmed_when_the_host_stops(telegram: TelegramServer) -> None:
    agent = ScriptedAgent()
    async with polling(telegram, agent):
        telegram.push(telegram.said("one"))
        await telegram.wait_texts(7)
    assert not telegram.pending
    async with polling(telegram, agent):
        telegram.push(telegram.said("two"))
        await telegram.wait_texts(7, 2)
    assert heard(agent) == ["one", "two"]


async def test_what_a_draining_host_is_handed_is_not_confirmed_and_goes_to_the_next_one(
    telegram: TelegramServer,
) -> None:
    agent = ScriptedAgent()
    async with polling(telegram, agent) as host:
        await telegram.wait_calls(1, "getUpdates")
        host.begin_drain()
        telegram.push(telegram.said("late"))
        await telegram.calls_to("getUpdates")[0].wait_ended()
    assert [update["message"]["text"] for update in telegram.pending] == ["late"]
    async with polling(telegram, agent):
        assert await telegram.wait_texts(7) == ["echo: late"]
    assert heard(agent) == ["late"]


async def test_two_hosts_that_poll_take_turns_and_answer_each_update_once(telegram: TelegramServer) -> None:
    # Without a shared database only the played server's confirmations keep them apart.
    agent = ScriptedAgent()
    async with polling(telegram, agent), polling(telegram, agent):
        await telegram.wait_calls(2, "getUpdates")
        telegram.push(telegram.said("one"))
        await telegram.wait_texts(7)
        await telegram.wait_confirmed()
    assert heard(agent) == ["one"]


async def test_a_webhook_of_somebody_elses_is_not_taken_away_by_accident(telegram: TelegramServer) -> None:
    telegram.webhook = {"url": "https://production.example.org/telegram"}
    with pytest.raises(ConfigurationError, match=r"production\.example\.org.*mode='polling'"):
        async with polling(telegram, ScriptedAgent()):
            pass
    assert telegram.webhook
    async with polling(telegram, ScriptedAgent(), mode="polling"):
        assert not telegram.webhook
        telegram.push(telegram.said("one"))
        await telegram.wait_texts(7)


async def test_polling_goes_on_after_whatever_telegram_says(telegram: TelegramServer) -> None:
    clock = HurriedClock()
    telegram.script(
        "getUpdates",
        telegram.error(502, "Bad Gateway"),
        telegram.too_many(retry_after=3),
        telegram.error(409, "Conflict: terminated by other getUpdates request"),
        PlatformReply(json={"ok": True, "result": [{"no": "update"}, 5]}),
        PlatformReply(json={"ok": True, "result": "no list"}),
    )
    async with polling(telegram, ScriptedAgent(), clock=clock):
        telegram.push(telegram.said("one"))
        await telegram.wait_texts(7)
    assert {1.0, 3.0, 30.0} <= {*clock.slept}


async def test_polling_goes_on_after_a_fault_of_the_apps_own_client(
    telegram: TelegramServer, caplog: pytest.LogCaptureFixture
) -> None:
    clock, faults = HurriedClock(), [RuntimeError("The app's hook failed.")]

    async def fail(request: httpx2.Request) -> None:
        if request.url.path.endswith("getUpdates") and faults:
            raise faults.pop()

    async with (
        httpx2.AsyncClient(event_hooks={"request": [fail]}) as client,
        polling(telegram, ScriptedAgent(), clock=clock, client=client),
    ):
        telegram.push(telegram.said("one"))
        await telegram.wait_texts(7)
    assert 30.0 in clock.slept
    assert "could not be asked for" in caplog.text


# ------------------------------------------------------------------------------------------------------- start


async def test_a_token_that_telegram_does_not_know_ends_the_start(telegram: TelegramServer) -> None:
    other = TelegramChannel(bot_token="4711:AAanother", open=True, api_base_url=telegram.base_url)
    with pytest.raises(ConfigurationError, match="@BotFather"):
        async with AgentFrameworkHost(ScriptedAgent(), channels=[other]):
            pass


@pytest.mark.parametrize("allow", ["ada", ["@ada", " ada_1 "]])
def test_a_username_without_its_sign_is_refused_because_it_would_let_nobody_in(allow: Any) -> None:
    with pytest.raises(ConfigurationError, match="'@ada"):
        TelegramChannel(bot_token=BOT_TOKEN, allow=allow)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"mode": "push"}, "'auto', 'webhook' or 'polling'"),
        ({"groups": "some"}, "'addressed', 'all' or 'never'"),
        ({"mode": "webhook"}, "public_url="),
        ({"mode": "polling", "public_url": "https://a.example"}, "Leave one of them out"),
        ({"public_url": "http://a.example"}, "https://bot.example.org"),
        ({"public_url": "a.example"}, "https://bot.example.org"),
        ({"secret_token": "short"}, "16 to 256"),
    ],
)
def test_settings_that_do_not_go_together_are_refused_with_the_mend(options: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        TelegramChannel(bot_token=BOT_TOKEN, open=True, **options)
