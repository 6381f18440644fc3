"""What the offline model says of images and files."""

from __future__ import annotations

import pytest
from agent_framework import Content, Message

from agent_framework_hosting_responses._demo._attachments import describe, listed
from agent_framework_hosting_responses._demo._conversation import read
from agent_framework_hosting_responses._demo._rules import decide
from agent_framework_hosting_responses._demo._turn import Say, Tool, Turn

PICTURE = Content.from_data(b"x" * 68, "image/png")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (PICTURE, "an image (image/png, 68 bytes)"),
        (Content.from_data(b"x", "application/pdf", name="a.pdf"), 'a file named "a.pdf" (application/pdf, 1 byte)'),
        (Content.from_data(b"", "audio/wav"), "a sound (audio/wav, 0 bytes)"),
        (Content.from_uri("data:text/plain,a%20b", media_type="text/plain"), "a file (text/plain, 3 bytes)"),
        (
            Content.from_uri("https://example.test/a.png", media_type="image/png"),
            "an image at https://example.test/a.png (image/png)",
        ),
        (Content.from_uri("https://example.test/a", media_type="image/*"), "an image at https://example.test/a"),
        (Content.from_uri("https://example.test/a"), "a file at https://example.test/a"),
        (Content.from_hosted_file("file_1"), "a file with the id file_1"),
    ],
)
def test_what_was_attached_is_named(content: Content, said: str) -> None:
    assert describe([content]) == (said,)
    reply = decide(Turn(read([Message("user", ["What is this?", content])])))
    assert reply == Say(f"You sent {said}. I am an offline demo model: that I can tell, but not what is in there.")


@pytest.mark.parametrize("size", range(5))
def test_the_size_is_that_of_the_bytes(size: int) -> None:
    assert describe([Content.from_data(b"x" * size, "image/png")])[0].endswith(
        f"{size} byte)" if size == 1 else f"{size} bytes)"
    )


def test_many_attachments_are_counted() -> None:
    assert listed(["a", "b", "c"]) == "a, b and c"
    assert listed([str(number) for number in range(12)]) == "0, 1, 2, 3, 4, 5, 6, 7, 8, 9 and 2 more"


def test_an_image_and_a_question_may_come_as_two_messages() -> None:
    reply = decide(Turn(read([Message("user", [PICTURE]), Message("user", ["What is this?"])])))
    assert isinstance(reply, Say)
    assert reply.text.startswith("You sent an image (image/png, 68 bytes).")


def test_the_image_of_an_earlier_turn_is_not_named_again() -> None:
    messages = [Message("user", [PICTURE]), Message("assistant", ["Nice."]), Message("user", ["What is this?"])]
    reply = decide(Turn(read(messages)))
    assert isinstance(reply, Say)
    assert reply.text.startswith('You said: "What is this?"')


def test_an_image_does_not_keep_the_rules_from_their_work() -> None:
    assert decide(Turn(read([Message("user", [PICTURE, "say hello"])]))) == Say("hello")


def test_the_image_that_a_tool_answered_with_is_named() -> None:
    messages = [
        Message("user", ["call photograph {}"]),
        Message("assistant", [Content.from_function_call("c1", "photograph", arguments="{}")]),
        Message("tool", [Content.from_function_result("c1", result=[Content.from_text("Done."), PICTURE])]),
    ]
    reply = decide(Turn(read(messages), tools=[Tool("photograph")]))
    assert reply == Say("photograph answered: Done. [an image (image/png, 68 bytes)]")
