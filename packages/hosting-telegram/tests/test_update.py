"""What an update says to the agent."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_framework_hosting.errors import InvalidRequest, RequestError
from agent_framework_hosting.messaging.incoming import Attachment, Incoming, Sender
from agent_framework_hosting_telegram._update import BotAccount, GroupPolicy, TelegramUpdate, parse_telegram_update

BOT = BotAccount(42, "ada_bot")
ADA = {"id": 7, "is_bot": False, "first_name": "Ada", "last_name": "L.", "username": "ada", "language_code": "en"}
PRIVATE = {"id": 7, "type": "private"}
GROUP = {"id": -100, "type": "supergroup", "title": "All"}
BOT_USER = {"id": 42, "is_bot": True, "first_name": "Bot", "username": "ada_bot"}


def message(**members: Any) -> dict[str, Any]:
    return {"message_id": 5, "date": 1, "from": ADA, "chat": PRIVATE, **members}


def parsed(groups: GroupPolicy = "addressed", **update: Any) -> TelegramUpdate:
    return parse_telegram_update(json.dumps({"update_id": 1, **update}).encode(), bot=BOT, groups=groups)


def incoming(groups: GroupPolicy = "addressed", **members: Any) -> Incoming:
    found = parsed(groups, message=message(**members))
    assert found.complaint is None
    assert found.incoming is not None
    return found.incoming


def mention(text: str, offset: int, length: int, kind: str = "mention", **more: Any) -> dict[str, Any]:
    return {"text": text, "entities": [{"type": kind, "offset": offset, "length": length, **more}]}


def test_a_text_is_read_with_all_that_is_known_of_its_sender() -> None:
    assert incoming(text="Hello") == Incoming(
        id="1",
        chat="7",
        sender=Sender(id="7", username="ada", name="Ada L.", attributes={"language": "en"}),
        text="Hello",
        attributes={"message_id": 5, "chat_type": "private"},
    )


def test_a_topic_is_a_conversation_of_its_own_and_a_thread_of_replies_is_none() -> None:
    assert incoming(text="x", message_thread_id=9, is_topic_message=True).thread == "9"
    assert incoming(text="x", message_thread_id=9).thread is None


@pytest.mark.parametrize(
    ("member", "value", "attachment"),
    [
        (
            "photo",
            [{"file_id": "s", "width": 9, "height": 9}, {"file_id": "b", "width": 90, "height": 90, "file_size": 5}],
            Attachment(ref="b", media_type="image/jpeg", name="photo.jpg", size=5),
        ),
        (
            "document",
            {"file_id": "d", "file_name": "../a\n.pdf", "mime_type": "application/pdf", "file_size": 3},
            Attachment(ref="d", media_type="application/pdf", name=".._a_.pdf", size=3),
        ),
        (
            "document",
            {"file_id": "d", "file_name": "a.csv"},
            Attachment(ref="d", media_type="text/csv", name="a.csv"),
        ),
        ("document", {"file_id": "d", "mime_type": "x"}, Attachment(ref="d", media_type="application/octet-stream")),
        ("voice", {"file_id": "v", "duration": 3}, Attachment(ref="v", media_type="audio/ogg")),
        ("video", {"file_id": "v", "mime_type": "Video/MP4"}, Attachment(ref="v", media_type="video/mp4")),
    ],
)
def test_a_file_comes_with_its_caption(member: str, value: Any, attachment: Attachment) -> None:
    found = incoming(**{member: value}, caption="Look")
    assert (found.text, found.attachments) == ("Look", (attachment,))


def test_a_moving_picture_is_one_file_although_telegram_names_it_twice() -> None:
    file = {"file_id": "a", "mime_type": "video/mp4"}
    assert incoming(animation=file, document=file).attachments == (Attachment(ref="a", media_type="video/mp4"),)


def test_a_sticker_says_its_emoji() -> None:
    assert incoming(sticker={"file_id": "s", "emoji": "🦊"}).text == "🦊"


@pytest.mark.parametrize(
    "update",
    [
        {"message": message(new_chat_title="All")},
        {"message": message(text="   ")},
        {"message": message(text="x", chat={"id": -1, "type": "channel"})},
        {"message": message(text="x", chat=GROUP, is_automatic_forward=True)},
        {"edited_message": message(text="x")},
        {"channel_post": message(text="x")},
        {"inline_query": {"id": "1"}},
        {"a_kind_of_next_year": {}},
        {},
    ],
)
def test_what_says_nothing_to_the_agent_is_taken_without_a_word(update: dict[str, Any]) -> None:
    assert parsed("all", **update) == TelegramUpdate(1)


# ------------------------------------------------------------------------------------------------------- groups


@pytest.mark.parametrize(
    "members",
    [
        mention("@Ada_Bot what is new?", 0, 8),
        mention("🦊🦊 @ada_bot hi", 5, 8),
        mention("hey you", 0, 3, "text_mention", user=BOT_USER),
        {"text": "/help"},
        {"text": "/help@ada_BOT me"},
        {"text": "yes", "reply_to_message": {"message_id": 4, "chat": GROUP, "from": BOT_USER, "text": "Sure?"}},
        {"photo": [{"file_id": "p"}], "caption": "@ada_bot", "caption_entities": mention("", 0, 8)["entities"]},
    ],
)
def test_in_a_group_the_bot_is_addressed_by_name_command_or_reply(members: dict[str, Any]) -> None:
    assert incoming(chat=GROUP, **members).is_addressed
    assert incoming(chat=GROUP, **members).is_group
    assert not incoming("never", chat=GROUP, **members).is_addressed


@pytest.mark.parametrize(
    "members",
    [
        {"text": "hello all"},
        {"text": "an address: x@ada_bot"},
        mention("@ada_bots hi", 0, 9),
        mention("@ada_bot", -4, 8),
        mention("@ada_bot", 4, 2**40),
        mention("hey you", 0, 3, "text_mention", user=ADA),
        {"text": "yes", "reply_to_message": {"message_id": 4, "chat": GROUP, "from": ADA, "text": "Sure?"}},
        {
            "text": "in a topic that the bot has made",
            "reply_to_message": {
                "message_id": 4,
                "chat": GROUP,
                "from": BOT_USER,
                "forum_topic_created": {"name": "T"},
            },
        },
    ],
)
def test_in_a_group_other_talk_is_not_for_the_bot_unless_all_is(members: dict[str, Any]) -> None:
    assert not incoming(chat=GROUP, **members).is_addressed
    assert incoming("all", chat=GROUP, **members).is_addressed


def test_a_command_that_names_another_bot_is_never_for_this_one() -> None:
    assert not incoming("all", chat=GROUP, text="/help@eve_bot").is_addressed


def test_the_name_that_a_text_begins_with_is_left_out() -> None:
    assert incoming(chat=GROUP, **mention("@Ada_bot, what is new?", 0, 8)).text == "what is new?"
    assert incoming(chat=GROUP, **mention("@ada_bot", 0, 8)).text == "@ada_bot"


def test_what_somebody_else_said_and_is_replied_to_comes_along() -> None:
    quoted = {"message_id": 4, "chat": GROUP, "from": ADA, "caption": "Two\nlines", "photo": [{"file_id": "p"}]}
    found = incoming(chat=GROUP, **mention("@ada_bot what is that?", 0, 8), reply_to_message=quoted)
    assert found.text == "> Two\n> lines\n\nwhat is that?"
    assert [attachment.ref for attachment in found.attachments] == ["p"]
    partly = incoming(chat=GROUP, text="/sum up", reply_to_message=quoted, quote={"text": "Two"})
    assert partly.text == "/sum up"
    assert incoming(text="And?", reply_to_message=quoted, quote={"text": "Two"}).text == "> Two\n\nAnd?"


def test_an_administrator_without_a_name_speaks_as_the_group_and_bots_are_marked() -> None:
    unnamed: Any = {"from": {"id": 1087968824, "is_bot": True, "first_name": "Group"}}
    spoken = incoming(chat=GROUP, text="/new", sender_chat=GROUP, **unnamed)
    assert spoken.sender == Sender(id="-100", name="All")
    other: Any = {"from": {**BOT_USER, "id": 43}}
    assert incoming(text="I am a bot", **other).sender.is_bot


# ------------------------------------------------------------------------------------------------------- buttons


def test_a_pressed_button_says_what_is_written_on_it() -> None:
    keyboard = {"inline_keyboard": [[{"text": "Yes, all of it", "callback_data": "#0"}, {"text": "A link"}]]}
    below = {"message_id": 4, "chat": GROUP, "date": 1, "from": BOT_USER, "reply_markup": keyboard}
    found = parsed(callback_query={"id": "q1", "from": ADA, "message": below, "data": "#0"}).incoming
    assert found is not None
    assert (found.text, found.sender.id, found.is_addressed) == ("Yes, all of it", "7", True)
    assert found.attributes == {"message_id": 4, "chat_type": "supergroup", "callback_query_id": "q1"}


def test_a_marked_button_says_what_it_answers_beside_what_is_written_on_it() -> None:
    keyboard = {"inline_keyboard": [[{"text": "Yes, all of it", "callback_data": "~5f2c:#0"}]]}
    for below, text in (({"reply_markup": keyboard}, "Yes, all of it"), ({"date": 0}, "#0")):
        message = {"message_id": 4, "chat": PRIVATE, **below}
        query = {"id": "q1", "from": ADA, "message": message, "data": "~5f2c:#0"}
        found = parsed(callback_query=query).incoming
        assert found is not None
        assert (found.text, found.answers) == (text, "5f2c")


def test_a_button_whose_message_is_out_of_reach_says_its_data_and_one_of_no_message_nothing() -> None:
    gone = {"message_id": 4, "chat": PRIVATE, "date": 0}
    found = parsed(callback_query={"id": "q1", "from": ADA, "message": gone, "data": "Yes"}).incoming
    assert found is not None
    assert found.text == "Yes"
    assert parsed(callback_query={"id": "q1", "from": ADA, "inline_message_id": "i", "data": "Yes"}).incoming is None


# ------------------------------------------------------------------------------------------------------- hostile


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"null",
        b"{",
        b'{"update_id": "1"}',
        b'{"update_id": -1}',
        b'{"update_id": 1e3}',
        b"\xff",
        b'{"a": ' * 99,
    ],
)
def test_what_is_no_update_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidRequest):
        parse_telegram_update(body, bot=BOT)


@pytest.mark.parametrize(
    "broken",
    [
        {"message": 5},
        {"message": {}},
        {"message": message(text=5)},
        {"message": message(chat=None)},
        {"message": message(**{"from": {"id": "7"}})},
        {"message": message(entities=[{"type": "mention"}])},
        {"message": message(**{"from": {"id": 2**70}})},
        {"callback_query": {"id": 5}},
    ],
)
def test_an_update_of_which_only_the_id_can_be_read_is_taken_and_complained_about(broken: dict[str, Any]) -> None:
    found = parsed(**broken)
    assert (found.id, found.incoming) == (1, None)
    assert found.complaint is not None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from([*message(), "text", "entities", "photo", "reply_to_message", "id"]), inner)
    ),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(["update_id", "message", "callback_query", "other"]), JSON))
def test_whatever_json_comes_is_read_or_refused(body: dict[str, Any]) -> None:
    try:
        found = parse_telegram_update(body, bot=BOT)
    except RequestError:
        assert (
            not isinstance(body.get("update_id"), int)
            or isinstance(body["update_id"], bool)
            or not 0 <= body["update_id"] < 2**63
        )
    else:
        assert found.id == body["update_id"]


@given(st.dictionaries(st.sampled_from(["text", "caption", "entities", "quote", "reply_to_message", "photo"]), JSON))
def test_whatever_a_message_holds_is_read_or_complained_about(members: dict[str, Any]) -> None:
    found = parsed("addressed", message=message(**members))
    assert found.id == 1
    assert found.incoming is None or found.complaint is None
