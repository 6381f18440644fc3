"""Characters that a provider has cut in two are put together, wherever they were cut."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from agent_framework import AgentResponseUpdate, Content
from hypothesis import given
from hypothesis import strategies as st

from agent_framework_hosting.rendering.halves import Halves
from agent_framework_hosting.rendering.text import clean

ODD = st.text(st.sampled_from("aé€🦊\ud83e\udd8a\ud800\udfff"), max_size=6)


def text(said: str, **fields: Any) -> Content:
    return Content.from_text(said, **fields)


def update(*contents: Content) -> AgentResponseUpdate:
    return AgentResponseUpdate(contents=list(contents), role="assistant")


def said(updates: Iterable[AgentResponseUpdate]) -> list[tuple[str, str]]:
    """Return what is given on of these updates and of their end, by the kinds of contents, as it is said."""
    halves = Halves()
    contents = [content for each in updates for content in halves.contents_of(each)]
    return [
        (content.type, clean(str(content.arguments if content.type == "function_call" else content.text)))
        for content in [*contents, *halves.released()]
    ]


@given(st.lists(st.lists(ODD, max_size=3), max_size=5))
def test_pieces_say_what_the_whole_text_would(pieces: list[list[str]]) -> None:
    told = said(update(*map(text, each)) for each in pieces)
    assert "".join(each for _, each in told) == clean("".join(map("".join, pieces)))


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=6), max_size=5))
def test_what_is_whole_is_given_as_it_came(pieces: list[str]) -> None:
    halves = Halves()
    for each in pieces:
        contents = update(text(each)).contents
        assert halves.contents_of(update(*contents)) == contents
        assert halves.held is None


def test_a_half_is_held_back_until_there_is_more_of_the_same_text() -> None:
    halves = Halves()
    assert [content.text for content in halves.contents_of(update(text("a\ud83e")))] == ["a"]
    usage = Content.from_usage({"input_token_count": 1})
    assert halves.contents_of(update(usage)) == [usage]
    assert [clean(content.text or "") for content in halves.contents_of(update(text("\udd8ab")))] == ["🦊b"]
    assert halves.released() == ()


def test_a_half_that_something_else_follows_stays_half() -> None:
    thought = Content.from_text_reasoning(text="\udd8a")
    assert said([update(text("a\ud83e")), update(thought)]) == [
        ("text", "a"),
        ("text", "\ufffd"),
        ("text_reasoning", "\ufffd"),
    ]


def test_two_texts_that_agent_framework_does_not_put_together_share_no_character() -> None:
    refusal = text("\udd8a", additional_properties={"core": {"model_output_kind": "refusal"}})
    assert said([update(text("a\ud83e")), update(refusal)]) == [("text", "a"), ("text", "\ufffd"), ("text", "\ufffd")]
    thoughts = [Content.from_text_reasoning(id=name, text=each) for name, each in (("r1", "\ud83e"), ("r2", "\udd8a"))]
    assert said([update(*thoughts)])[1:] == [("text_reasoning", "\ufffd"), ("text_reasoning", "\ufffd")]
    thoughts[1].id = None
    assert said([update(*thoughts)])[1:] == [("text_reasoning", "🦊")]


def test_a_replacement_stands_for_the_half_too() -> None:
    replacement = text("a🦊", merge_mode="replace")
    assert said([update(text("a\ud83e")), update(replacement)]) == [("text", "a"), ("text", "a🦊")]
    halves = Halves()
    halves.contents_of(update(text("a\ud83e", merge_mode="replace")))
    assert halves.released()[0].merge_mode is None


def test_arguments_of_a_call_are_put_together_and_those_of_two_calls_are_not() -> None:
    first = Content.from_function_call("one", "look", arguments='{"at":"\ud83e')
    assert said([update(first, Content.from_function_call("", "", arguments='\udd8a"}'))]) == [
        ("function_call", '{"at":"'),
        ("function_call", '🦊"}'),
    ]
    assert said([update(first, Content.from_function_call("two", "look", arguments="\udd8a"))]) == [
        ("function_call", '{"at":"'),
        ("function_call", "\ufffd"),
        ("function_call", "\ufffd"),
    ]


def test_the_agents_own_contents_are_left_as_they_are() -> None:
    own = text("a\ud83e")
    Halves().contents_of(update(own))
    assert own.text == "a\ud83e"
