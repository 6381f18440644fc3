"""The input as it is listed afterwards, whichever way it was written."""

from __future__ import annotations

import pytest

from agent_framework_hosting_responses._inbound.listing import listed


@pytest.mark.parametrize("first", [0, 7])
def test_a_text_is_listed_as_the_message_that_it_stands_for(first: int) -> None:
    """Clients send either, and read the same."""
    item = {"role": "user", "content": "Hello"}
    as_text, as_item = (listed(value, response_id="resp_5f2c", first=first) for value in ("Hello", [item]))
    assert as_text == as_item
    assert list(as_text[0]) == list(as_item[0])
    assert as_text[0]["id"] == f"msg_5f2c_i{first}"


def test_an_empty_text_lists_nothing() -> None:
    """It says nothing."""
    assert listed("", response_id="resp_5f2c") == []
