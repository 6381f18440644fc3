"""Texts as contents: made quickly, and no other than Agent Framework makes them."""

from __future__ import annotations

from collections.abc import Hashable

from agent_framework import Content

from agent_framework_hosting.parsing.contents import text_content


def test_a_text_is_the_content_that_agent_framework_makes_of_it() -> None:
    """Each of its fields is there, and says the same."""
    made, expected = text_content("Hello"), Content.from_text("Hello")
    assert type(made) is type(expected)
    assert vars(made) == vars(expected)
    assert made.to_dict() == expected.to_dict()


def test_two_texts_share_nothing_that_can_be_changed() -> None:
    """Whoever marks one content marks no other."""
    one, other = text_content("Hello"), text_content("Hello")
    shared = [name for name, value in vars(one).items() if value is vars(other)[name]]
    assert all(isinstance(vars(one)[name], Hashable) for name in shared)
    one.additional_properties["seen"] = True
    assert other.additional_properties == text_content("Hello").additional_properties == {}
