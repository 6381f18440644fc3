"""A place on Telegram: what arrives there, and how what goes wrong is told."""

from collections.abc import Callable

import pytest

from agent_framework_hosting.messaging.outlet import (
    Choice,
    FormatRefused,
    Gone,
    NotOffered,
    OutcomeUnknown,
    OutgoingFile,
)
from agent_framework_hosting.testing import FakeClock, PlatformReply
from agent_framework_hosting_telegram._api import BotApi
from agent_framework_hosting_telegram._outlet import LONGEST, Place, TelegramOutlet
from agent_framework_hosting_telegram._secret import BotToken
from agent_framework_hosting_telegram.testing import BOT_TOKEN, TelegramServer

GROUP = -100


Outlets = Callable[..., TelegramOutlet]


async def test_a_message_is_sent_as_html_edited_and_sent_plain(telegram: TelegramServer, outlet: Outlets) -> None:
    place = outlet()
    ref = await place.send("**Hi** <there>")
    await place.edit(ref, "**Bye**")
    await place.edit(ref, "**Bye**")
    await place.send("**Hi**", plain=True)
    assert [(message.text, message.html, message.edits) for message in telegram.messages(7)] == [
        ("Bye", "<b>Bye</b>", 1),
        ("**Hi**", None, 0),
    ]


async def test_in_a_group_the_first_message_replies_and_all_stay_in_their_topic(
    telegram: TelegramServer, outlet: Outlets
) -> None:
    place = outlet(GROUP, thread=9, reply_to=55)
    await place.typing()
    for text in ("one", "two"):
        await place.send(text)
    assert [(message.thread, message.reply_to) for message in telegram.messages(GROUP)] == [(9, 55), (9, None)]
    assert (await telegram.call("sendChatAction")).json == {
        "chat_id": GROUP,
        "message_thread_id": 9,
        "action": "typing",
    }
    assert place.address == f"telegram:4711:{GROUP}"


async def test_a_link_with_an_apostrophe_in_it_is_a_link(telegram: TelegramServer, outlet: Outlets) -> None:
    await outlet().send("[Ada's page](https://example.org/ada's)")
    (message,) = telegram.messages(7)
    assert (message.text, message.html is None) == ("Ada's page", False)


async def test_a_draft_shows_in_a_private_chat_until_the_message_comes(
    telegram: TelegramServer, outlet: Outlets
) -> None:
    place = outlet()
    await place.draft("Thin")
    await place.draft("Thinking **har")
    assert telegram.draft(7) == "Thinking **har"
    await place.send("Thought.")
    assert telegram.draft(7) is None
    await place.draft("And more")
    first, second, third = [call.json["draft_id"] for call in telegram.calls_to("sendMessageDraft")]
    assert first == second != third


async def test_a_draft_with_nothing_new_is_shown_again_before_telegram_takes_it_away() -> None:
    clock = FakeClock()
    with TelegramServer(clock=clock.time) as telegram:
        api = BotApi(BotToken(BOT_TOKEN), base_url=telegram.base_url)
        place = TelegramOutlet(api, Place(chat=7), clock=clock)
        await place.draft("Thinking")
        for _ in range(12):
            clock.advance(5)
            assert telegram.draft(7) == "Thinking"
            await place.typing()
        await place.send("Thought.")
        clock.advance(60)
        await place.typing()
        assert telegram.draft(7) is None
        assert len(telegram.calls_to("sendMessageDraft")) == 3
        await api.aclose()


async def test_where_drafts_are_refused_that_is_told(telegram: TelegramServer, outlet: Outlets) -> None:
    telegram.chats.has_drafts = False
    for place in (outlet(), outlet(GROUP)):
        with pytest.raises(NotOffered):
            await place.draft("x")
    assert outlet(GROUP).traits.streaming == ("edit",)


async def test_choices_are_buttons_that_say_what_is_written_on_them(
    telegram: TelegramServer,
    outlet: Outlets,
) -> None:
    long = "A choice that says more than the sixty-four bytes that a button can carry with it"
    await outlet().send("Which?", choices=["Yes", long])
    (message,) = telegram.messages(7)
    assert message.buttons == [
        [{"text": "Yes", "callback_data": "Yes"}],
        [{"text": long, "callback_data": "#1"}],
    ]
    await outlet().send("Which?", choices=[Choice("Yes", mark="5f2c"), Choice(long[:60], mark="5f2c")])
    assert telegram.messages(7)[1].buttons == [
        [{"text": "Yes", "callback_data": "~5f2c:Yes"}],
        [{"text": long[:60], "callback_data": "~5f2c:#1"}],
    ]


@pytest.mark.parametrize(
    ("file", "method"),
    [
        (OutgoingFile(media_type="image/png", name="a.png", data=b"png"), "sendPhoto"),
        (OutgoingFile(media_type="image/jpeg", name="a.jpg", uri="https://a.example/a.jpg"), "sendPhoto"),
        (OutgoingFile(media_type="image/png", name="big.png", data=b"x" * (10 * 1024 * 1024 + 1)), "sendDocument"),
        (OutgoingFile(media_type="application/pdf", name="a.pdf", data=b"pdf"), "sendDocument"),
        (OutgoingFile(media_type="image/svg+xml", name="a.svg", uri="https://a.example/a.svg"), "sendDocument"),
    ],
)
async def test_a_file_comes_as_what_telegram_shows_it_as(
    telegram: TelegramServer, outlet: Outlets, file: OutgoingFile, method: str
) -> None:
    await outlet(GROUP, thread=9, reply_to=55).send_file(file)
    (message,) = telegram.messages(GROUP)
    assert (message.file, message.thread, message.reply_to) == (file.data or file.uri, 9, 55)
    assert [call.method for call in telegram.calls] == [method]


async def test_a_photo_that_telegram_does_not_like_comes_as_a_document(
    telegram: TelegramServer, outlet: Outlets
) -> None:
    telegram.script("sendPhoto", telegram.error(400, "Bad Request: PHOTO_INVALID_DIMENSIONS"))
    await outlet().send_file(OutgoingFile(media_type="image/png", name="long.png", data=b"png"))
    assert [call.method for call in telegram.calls] == ["sendPhoto", "sendDocument"]


async def test_a_file_that_telegram_does_not_fetch_comes_as_its_address(
    telegram: TelegramServer, outlet: Outlets
) -> None:
    refusal = telegram.error(400, "Bad Request: wrong type of the web page content")
    telegram.script("sendPhoto", refusal)
    telegram.script("sendDocument", refusal, refusal)
    place = outlet(reply_to=55)
    await place.send_file(OutgoingFile(media_type="image/png", name="a_b.png", uri="https://a.example/a_b.png"))
    assert telegram.texts(7) == ["a_b.png: https://a.example/a_b.png"]
    with pytest.raises(NotOffered):
        await place.send_file(OutgoingFile(media_type="text/x", name="a", data=b"x"))


async def test_a_file_that_no_bot_may_send_is_told_before_it_is_sent(telegram: TelegramServer, outlet: Outlets) -> None:
    with pytest.raises(NotOffered, match="52428800"):
        await outlet().send_file(
            OutgoingFile(media_type="application/zip", name="a.zip", data=b"x" * (50 * 1024 * 1024 + 1))
        )
    assert telegram.calls == []


async def test_a_table_that_alignment_would_make_too_long_stays_as_it_was_written(
    telegram: TelegramServer, outlet: Outlets
) -> None:
    table = "|a|b|\n|-|-|\n" + "|x|y|\n" * 300 + f"|{'z' * 300}|y|"
    await outlet().send(table)
    assert telegram.texts(7) == [table]


async def test_the_longest_message_arrives_and_what_leaves_nothing_to_show_is_told(
    telegram: TelegramServer, outlet: Outlets
) -> None:
    await outlet().send("🦊" * (LONGEST // 2))
    assert telegram.texts(7) == ["🦊" * (LONGEST // 2)]
    with pytest.raises(FormatRefused):
        await outlet().send("[](https://a.example)")


async def test_half_a_character_does_not_keep_a_text_from_being_sent(telegram: TelegramServer, outlet: Outlets) -> None:
    await outlet().send("a\ud83e b")
    assert telegram.texts(7) == ["a\ufffd b"]


async def test_a_group_that_has_moved_is_followed(telegram: TelegramServer, outlet: Outlets) -> None:
    moved = {
        "ok": False,
        "description": "Bad Request: group chat was upgraded",
        "parameters": {"migrate_to_chat_id": -1007},
    }
    telegram.script("sendMessage", PlatformReply(400, json=moved))
    place = outlet(GROUP)
    await place.send("one")
    await place.send("two")
    assert telegram.texts(-1007) == ["one", "two"]


async def test_who_has_blocked_the_bot_is_gone_and_an_answer_that_is_none_leaves_doubt(
    telegram: TelegramServer,
    outlet: Outlets,
) -> None:
    telegram.script(
        "sendMessage",
        telegram.error(403, "Forbidden: bot was blocked by the user"),
        PlatformReply(json={"ok": True, "result": True}),
    )
    with pytest.raises(Gone):
        await outlet().send("x")
    with pytest.raises(OutcomeUnknown):
        await outlet().send("x")
