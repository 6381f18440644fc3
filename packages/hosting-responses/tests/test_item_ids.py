"""An item's id leads back to its response, whatever the response's id looks like."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_framework_hosting_responses._item_ids import item_id, response_id_of

PREFIXES = ["msg_", "rs_", "fc_", "mcp_", "mcpr_"]
response_ids = st.text(min_size=1) | st.text("resp_0123456789", min_size=1)
places = st.tuples(st.sampled_from(PREFIXES), st.integers(0, 10**9 - 1))


def test_an_item_wears_the_name_of_its_response() -> None:
    assert item_id("resp_5f2c", prefix="msg_", index=3) == "msg_5f2c_3"
    assert item_id("turn 7", prefix="fc_", index=0) == "fc_turn 7_0"


@given(response_ids, places)
def test_the_response_of_an_item_is_among_the_candidates(response_id: str, place: tuple[str, int]) -> None:
    prefix, index = place
    assert response_id in response_id_of(item_id(response_id, prefix=prefix, index=index))


@given(response_ids, places, places)
def test_the_items_of_a_response_have_different_ids(
    response_id: str, one: tuple[str, int], other: tuple[str, int]
) -> None:
    ids = {item_id(response_id, prefix=prefix, index=index) for prefix, index in (one, other)}
    assert len(ids) == len({one, other})


@given(st.text())
def test_any_text_has_at_most_two_candidates_none_of_them_empty(text: str) -> None:
    candidates = response_id_of(text)
    assert len(candidates) <= 2
    assert all(candidates)


@pytest.mark.parametrize("foreign", ["", "msg", "msg_5f2c", "msg_5f2c_", "msg_5f2c_00", "_5f2c_0", "MSG_5f2c_0"])
def test_an_id_of_another_form_has_no_candidates(foreign: str) -> None:
    assert response_id_of(foreign) == []
