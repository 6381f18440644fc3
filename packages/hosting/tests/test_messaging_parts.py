"""The small parts of what chat channels share: access, commands, answers, keys."""

from __future__ import annotations

from typing import Any

import pytest
from agent_framework import AgentResponse, AgentResponseUpdate, Content
from hypothesis import given
from hypothesis import strategies as st
from messaging_parts import Chats

from agent_framework_hosting.errors import ConfigurationError
from agent_framework_hosting.messaging.access import Access
from agent_framework_hosting.messaging.answer import Answer, contents_of, files_of, text_of
from agent_framework_hosting.messaging.commands import SpokenCommand, parse_command
from agent_framework_hosting.messaging.incoming import Incoming, Sender
from agent_framework_hosting.messaging.keys import personal_key, principal_of, session_key
from agent_framework_hosting.messaging.record import Record

ADA = Sender(id="4711", username="Ada_L", name="Ada")


def said(text: str = "Hello.", **changes: Any) -> Incoming:
    values: dict[str, Any] = {"id": "1", "chat": "-100", "sender": ADA, "text": text, **changes}
    return Incoming(**values)


def by_text(incoming: Incoming) -> bool:
    return incoming.text == "Hello."


def nobody(_: Incoming) -> bool:
    return False


def vague(_: Incoming) -> Any:
    return "yes"


def broken(_: Incoming) -> bool:
    raise ValueError("no")


ALLOWED: list[tuple[Any, bool]] = [
    (["4711"], True),
    ([4711], True),
    (4711, True),
    ("@ada_l", True),
    (["@ADA_L"], True),
    ([-100], True),
    (["Ada_L", "Ada", "ada_l", "@Ada", "471", "@4711"], False),
    (by_text, True),
    (nobody, False),
    (vague, False),
    (broken, False),
]


@pytest.mark.parametrize(("allow", "is_in"), ALLOWED)
async def test_only_who_was_named_is_let_in(allow: Any, is_in: bool) -> None:
    assert await Access(allow=allow).admits(said()) is is_in


async def test_an_async_function_may_decide() -> None:
    async def decide(incoming: Incoming) -> bool:
        return incoming.sender.id == "4711"

    assert await Access(allow=decide).admits(said())
    assert not await Access(allow=decide).admits(said(sender=Sender(id="1")))


async def test_everybody_is_let_in_only_when_that_is_said() -> None:
    assert await Access(open=True).admits(said(sender=Sender(id="1")))


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({}, "does not say who may talk"),
        ({"allow": ["1"], "open": True}, "two things"),
        ({"allow": []}, "empty allow="),
        ({"allow": [None]}, "None in allow="),
        ({"allow": [True]}, "True in allow="),
        ({"allow": ["@"]}, "'@' in allow="),
        ({"allow": [" "]}, "' ' in allow="),
    ],
)
def test_a_channel_that_lets_in_nobody_or_says_it_twice_is_refused(options: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigurationError, match=told) as error:
        Access(channel="MyChannel", **options)
    assert str(error.value).startswith("MyChannel")


def test_many_strangers_are_told_once_each_and_forgotten_in_time() -> None:
    access = Access(allow=["1"])
    assert all(access.is_to_be_told(said(sender=Sender(id=f"s{number}"))) for number in range(10_001))
    assert not access.is_to_be_told(said(sender=Sender(id="s10000")))
    assert access.is_to_be_told(said(sender=Sender(id="s0")))


def test_a_group_of_strangers_is_told_once() -> None:
    access = Access(allow=["1"])
    assert access.is_to_be_told(said(is_group=True))
    assert not access.is_to_be_told(said(is_group=True, sender=Sender(id="5")))
    assert access.is_to_be_told(said())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/new", SpokenCommand("new")),
        ("  /NEW  ", SpokenCommand("new")),
        ("/new@my_bot", SpokenCommand("new")),
        ("/new@My_Bot and more", SpokenCommand("new", "and more")),
        ("/new@other", SpokenCommand("new", is_ours=False)),
        ("/say a\nb ", SpokenCommand("say", "a\nb")),
        ("/usr/bin", None),
        ("/", None),
        ("/ new", None),
        ("/new-thing", None),
        ("say /new", None),
        ("", None),
        (f"/{'x' * 65}", None),
    ],
)
def test_a_command_is_one_word_behind_a_slash(text: str, expected: SpokenCommand | None) -> None:
    assert parse_command(text, bot_name="My_bot") == expected


@given(st.text())
def test_whatever_is_said_is_a_command_or_none(text: str) -> None:
    found = parse_command(f"/{text}")
    assert found is None or (found.name and found.name.isascii())


CONTENTS = st.one_of(
    st.text(max_size=5).map(Content.from_text),
    st.just(Content.from_uri("https://example.org/a.png", media_type="image/png")),
    st.just(Content.from_function_call("c", "add", arguments="{}")),
    st.just(Content.from_text_reasoning(text="hm")),
)
UPDATES = st.builds(
    AgentResponseUpdate,
    contents=st.lists(CONTENTS, max_size=3),
    role=st.sampled_from([None, "assistant", "tool"]),
    author_name=st.sampled_from([None, "a", "b"]),
    message_id=st.sampled_from([None, "m1", "m2"]),
    merge_mode=st.sampled_from([None, None, None, "replace"]),
)


@given(st.lists(UPDATES, max_size=12))
def test_what_is_shown_while_it_grows_is_what_the_finished_response_says(updates: list[AgentResponseUpdate]) -> None:
    answer = Answer()
    for update in updates:
        answer.add(update)
    response = AgentResponse[Any].from_updates(updates)
    assert answer.text == text_of(response)
    assert files_of(answer.contents) == files_of(contents_of(response))


def test_messages_of_an_answer_are_its_paragraphs_and_tools_are_not_shown() -> None:
    answer = Answer()
    for role, text in (("assistant", "Let me see."), ("tool", "{}"), ("assistant", "It is 5.")):
        answer.add(AgentResponseUpdate(contents=[Content.from_text(text)], role=role))  # pyright: ignore[reportArgumentType] - core takes any text for a role
    assert answer.text == "Let me see.\n\nIt is 5."


def test_where_somebody_has_to_sign_in_the_link_is_shown() -> None:
    contents = [Content.from_text("Please sign in."), Content.from_oauth_consent_request("https://example.org/in")]
    answer = Answer()
    answer.add(AgentResponseUpdate(contents=contents, role="assistant"))
    assert answer.text.split() == ["Please", "sign", "in.", "https://example.org/in"]


def test_files_are_those_that_can_be_sent() -> None:
    drawn = Content("image_generation_tool_result", outputs=[Content.from_data(b"png", "image/png")])
    contents = [
        Content.from_data(b"x", "application/pdf", additional_properties={"filename": "a.pdf"}),
        drawn,
        Content.from_uri("http://insecure.example.org/a.png", media_type="image/png"),
        Content.from_uri("file:///etc/passwd", media_type="text/plain"),
        Content.from_uri("data:text/plain,plain", media_type="text/plain"),
    ]
    assert [(file.name, file.media_type, file.data) for file in files_of(contents)] == [
        ("a.pdf", "application/pdf", b"x"),
        ("file1.png", "image/png", b"png"),
    ]


def test_no_two_chats_have_one_session() -> None:
    platform = Chats()
    keys = {
        session_key(platform, said()),
        session_key(platform, said(thread="2")),
        session_key(platform, said(chat="-100:2")),
        session_key(Chats(account="bot2"), said()),
        session_key(Chats(name="other"), said()),
        session_key(Chats(name="chats:bot1", account="-100"), said(chat="")),
        personal_key(platform, said()),
        personal_key(platform, said(sender=Sender(id="1"))),
    }
    assert len(keys) == 8


def test_a_person_is_somebody_of_this_bots_platform() -> None:
    principal = principal_of(Chats(), said())
    assert (principal.id, principal.kind) == ("chats:bot1:4711", "native")


def test_a_record_comes_back_as_it_was_sealed_and_a_newer_one_is_refused() -> None:
    record = Record(text="a", files=files_of([Content.from_data(b"\x00\xff", "image/png")]), session="s")
    assert Record.read(record.sealed()) == Record(text="a", files=list(record.files), asked=[], session="s")
    with pytest.raises(ValueError, match="newer"):
        Record.read({"schema_version": 2})
