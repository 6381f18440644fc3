"""Events as bytes: whichever way one is made, it is the same."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from agent_framework_hosting.rendering.text import to_json
from agent_framework_hosting_responses._outbound.wire import (
    ABOUT,
    Framed,
    delta_template,
    event,
    members,
    opening,
    unframed,
)

TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)
RESERVED = frozenset({"type", "sequence_number", "response", "delta"})
FIELDS = st.dictionaries(TEXTS.filter(lambda name: name not in RESERVED), VALUES, max_size=4)
NAMES = st.sampled_from(["response.created", "response.queued", "response.in_progress", "response.completed"])


@given(name=NAMES, number=st.integers(0, 2**53), fields=FIELDS, value=VALUES)
def test_an_event_whose_last_value_is_json_already_is_the_one_that_the_encoder_makes(
    name: str, number: int, fields: dict[str, Any], value: Any
) -> None:
    written = ABOUT % (opening(name), number, members(fields), b"response", to_json(value))

    assert written == event(name, number, {**fields, "response": value})
    assert [framed.name for framed in unframed(written)] == [name]


@given(name=NAMES, number=st.integers(0, 2**53), fields=FIELDS, delta=TEXTS)
def test_a_template_makes_the_event_with_its_fields_in_another_order(
    name: str, number: int, fields: dict[str, Any], delta: str
) -> None:
    written = delta_template(name, members(fields)) % (number, to_json(delta))

    [framed] = unframed(written)
    expected = {"type": name, **fields, "sequence_number": number, "delta": delta}
    assert framed == Framed(name, to_json(expected))


def test_a_response_that_looks_like_a_template_is_sent_as_it_is() -> None:
    written = ABOUT % (opening("response.created"), 3, b"", b"response", to_json({"model": "100%d %b"}))

    data = b'{"type":"response.created","sequence_number":3,"response":{"model":"100%d %b"}}'
    assert unframed(written) == [Framed("response.created", data)]
