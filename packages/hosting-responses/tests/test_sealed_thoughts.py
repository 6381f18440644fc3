"""A seal gives back what was put in, and nothing for what others sealed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_framework_hosting_responses._sealed_thoughts import Thought, seal, unseal


@given(st.text(), st.text(min_size=1))
def test_what_was_sealed_comes_back(provider_id: str, protected: str) -> None:
    assert unseal(seal(Thought(provider_id, protected))) == Thought(provider_id, protected)


@given(st.text())
def test_any_text_is_a_seal_of_ours_or_nothing(text: str) -> None:
    thought = unseal(text)
    assert thought is None or seal(thought) == text


@pytest.mark.parametrize("foreign", ["", "gAAAAB", "af1", "af1.", "af1.0.", "af1.4.rs_7", "af1.04.rs_7x", "af2.0.x"])
def test_a_foreign_seal_is_none_of_ours(foreign: str) -> None:
    assert unseal(foreign) is None


def test_an_id_beyond_all_reason_is_left_behind() -> None:
    assert unseal(seal(Thought("x" * 10_000, "sealed"))) == Thought("", "sealed")
