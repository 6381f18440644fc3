"""Markdown is cut into messages that are short enough, whole, and in order."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from agent_framework_hosting.errors import ConfigurationError
from agent_framework_hosting.messaging.chunks import split
from agent_framework_hosting.messaging.graphemes import is_boundary
from agent_framework_hosting.messaging.outlet import TextLimits, TextUnit
from agent_framework_hosting.rendering.text import clean

FAMILY = "👩‍👩‍👧"
BITS = [
    *"ab \n\n\t`~*_é\u0301🦊",
    "\n\n",
    "```\n",
    "```python\n",
    "\n```\n",
    "~~~~\n",
    "  ```\n",
    "word ",
    "a longer line of text.\n",
    FAMILY,
    "🇩🇪",
    "\ud83e",
    "\udd8a",
    "x" * 40,
    "- item\n",
]
MARKDOWN = st.lists(st.sampled_from(BITS), max_size=120).map("".join) | st.text(max_size=200)
LIMITS = st.builds(TextLimits, max_length=st.integers(16, 90), unit=st.sampled_from(("characters", "utf16", "bytes")))


def texts(text: str, max_length: int = 16, unit: TextUnit = "characters") -> list[str]:
    return [chunk.text for chunk in split(text, TextLimits(max_length=max_length, unit=unit))]


@given(MARKDOWN, LIMITS)
@example("```\n" + "a" * 200, TextLimits(max_length=20))
@example("\n" * 50 + "a", TextLimits(max_length=16))
def test_every_message_is_within_the_limit_and_says_something(text: str, limits: TextLimits) -> None:
    for chunk in split(text, limits):
        assert limits.measure(chunk.text) <= limits.max_length
        assert chunk.text.strip()
        chunk.text.encode()  # it can be sent at all


@given(MARKDOWN, LIMITS)
def test_the_messages_together_are_the_whole(text: str, limits: TextLimits) -> None:
    chunks = split(text, limits)
    assert "".join(chunk.source for chunk in chunks) == (clean(text) if text.strip() else "")
    for chunk in chunks:
        said = "".join(chunk.text.split())
        assert "".join(chunk.source.split()) in said


@given(MARKDOWN, MARKDOWN, LIMITS)
def test_more_text_changes_no_message_but_the_last_two(text: str, more: str, limits: TextLimits) -> None:
    before = texts(text, limits.max_length, limits.unit)
    after = texts(text + more, limits.max_length, limits.unit)
    settled = max(len(before) - 2, 0)
    assert after[:settled] == before[:settled]


@given(st.lists(st.sampled_from(["code line\n", "\n", "x = 1\n", "y" * 50 + "\n"]), min_size=5, max_size=60))
def test_code_that_is_cut_is_code_in_every_message_and_comes_back_line_by_line(lines: list[str]) -> None:
    code = "".join(lines)
    sent = texts(f"```python\n{code}```", 80)
    for text in sent:
        assert text.startswith("```python\n")
        assert text.endswith("\n```")
        assert text.count("```") == 2
    bodies = [text.removeprefix("```python\n").removesuffix("\n```") for text in sent]
    assert "".join("".join(bodies).split()) == "".join(code.split())


def test_a_blank_line_of_code_survives_the_cut() -> None:
    code = "".join(f"line {number}\n\n\n" for number in range(30))
    sent = texts(f"```\n{code}```", 60)
    assert len(sent) > 1
    bodies = "\n".join(text.removeprefix("```\n").removesuffix("\n```") for text in sent)
    assert bodies.rstrip() == code.rstrip()


@given(st.lists(st.sampled_from([FAMILY, "🇩🇪", "e\u0301", "👍🏽", "각", "각", "a"]), min_size=20, max_size=60))
def test_what_people_see_as_one_character_stays_whole(characters: list[str]) -> None:
    text = "".join(characters)
    at = 0
    for chunk in split(text, TextLimits(max_length=30, unit="utf16")):
        assert is_boundary(text, at)
        at += len(chunk.source)


def test_a_character_that_is_longer_than_a_message_is_cut_all_the_same() -> None:
    assert "".join(texts("a" + "\u0301" * 100)) == "a" + "\u0301" * 100


@pytest.mark.parametrize(
    ("unit", "expected"), [("characters", [16, 4]), ("utf16", [8, 8, 4]), ("bytes", [4, 4, 4, 4, 4])]
)
def test_a_message_is_as_long_as_the_platform_counts(unit: TextUnit, expected: list[int]) -> None:
    assert [len(text) for text in texts("🦊" * 20, 16, unit)] == expected


def test_cuts_come_between_paragraphs_then_lines_then_words() -> None:
    assert texts("first part\n\nsecond part") == ["first part", "second part"]
    assert texts("first line\nsecond line") == ["first line", "second line"]
    assert texts("one two three four five") == ["one two three", "four five"]
    assert texts("abcdefghijklmnopqrst") == ["abcdefghijklmnop", "qrst"]


def test_code_moves_whole_to_the_next_message_where_it_can() -> None:
    assert texts("Some words before it.\n\n```\nx = 1\ny = 2\n```\n", 32) == [
        "Some words before it.",
        "```\nx = 1\ny = 2\n```",
    ]


def test_a_fence_inside_a_longer_fence_is_text() -> None:
    sent = texts("````\n" + "```\nab\n```\n" * 10 + "````", 40)
    assert all(text.startswith("````\n") and text.endswith("\n````") for text in sent)


def test_what_looks_like_a_fence_and_is_too_long_is_text() -> None:
    sent = texts("```" + "x" * 50 + "\nafter it", 32)
    assert not any(re.search(r"^```$", text, re.MULTILINE) for text in sent)


def test_a_text_without_anything_to_see_gives_no_message() -> None:
    assert texts(" \n\t\n") == []


def test_halves_of_a_character_are_put_together_or_replaced() -> None:
    assert clean("a\ud83e\udd8ab") == "a🦊b"
    assert clean("a\ud83e") == "a\ufffd"


def test_limits_that_hold_nothing_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="at least 16"):
        TextLimits(max_length=3)


def test_thirty_thousand_characters_arrive_whole_in_order_and_within_the_limit() -> None:
    text = "\n\n".join(f"Paragraph {number}. " + "word 🦊 " * (number % 60) for number in range(150))
    text += "\n\n```python\n" + "".join(f"print({number})\n" for number in range(1500)) + "```\n\nThe end."
    assert len(text) > 30_000
    limits = TextLimits(max_length=4096, unit="utf16")
    chunks = split(text, limits)
    assert "".join(chunk.source for chunk in chunks) == text
    assert max(limits.measure(chunk.text) for chunk in chunks) <= 4096
    assert len(chunks) <= len(text) / 4096 * 1.5


@pytest.mark.parametrize(
    "text",
    [
        "```\n" + "a" * 4000 + " " * 120_000 + "\n```",
        "```\n" + "\n" * 120_000 + "x\n```",
        "🇩" * 250_000,
        "a" * 4000 + "\n" * 250_000 + "b",
    ],
    ids=["blanks in code", "blank lines in code", "flags", "blank lines"],
)
def test_a_model_that_repeats_itself_without_end_keeps_nobody_waiting(text: str) -> None:
    """All chats wait while one answer is cut: the time grows with the text, not with its square."""
    began = time.process_time()
    chunks = split(text, TextLimits(max_length=4096, unit="utf16"))
    assert time.process_time() - began < 2
    assert "".join(chunk.source for chunk in chunks) == text
