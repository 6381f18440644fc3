"""An item's id leads back to its response, whatever the response's id looks like."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_framework_hosting_responses._item_ids import item_id, response_id_of

PREFIXES = ["msg_", "rs_", "fc_", "mcp_", "mcpr_"]
response_ids = st.text(min_size=1) | st.text("resp_-01", min_size=1) | st.text("-_0").map("resp_".__add__)
places = st.tuples(st.sampled_from(PREFIXES), st.integers(0, 10**9 - 1))


def test_an_item_wears_the_name_of_its_response() -> None:
    assert item_id("resp_5f2c", prefix="msg_", index=3) == "msg_5f2c_3"
    assert item_id("turn 7", prefix="fc_", index=0) == "fc_-turn 7_0"


@given(response_ids, places)
def test_an_item_leads_back_to_its_response_and_to_no_other(response_id: str, place: tuple[str, int]) -> None:
    prefix, index = place
    assert response_id_of(item_id(response_id, prefix=prefix, index=index)) == [response_id]


@given(response_ids, places, places)
def test_the_items_of_a_response_have_different_ids(
    response_id: str, one: tuple[str, int], other: tuple[str, int]
) -> None:
    ids = {item_id(response_id, prefix=prefix, index=index) for prefix, index in (one, other)}
    assert len(ids) == len({one, other})


@given(st.text())
def test_any_text_leads_to_one_response_at_most(text: str) -> None:
    found = response_id_of(text)
    assert len(found) <= 1
    assert all(found)


@pytest.mark.parametrize(
    "foreign", ["", "msg", "msg_5f2c", "msg_5f2c_", "msg_5f2c_00", "_5f2c_0", "MSG_5f2c_0", "msg_-_0"]
)
def test_an_id_of_another_form_leads_nowhere(foreign: str) -> None:
    assert response_id_of(foreign) == []
