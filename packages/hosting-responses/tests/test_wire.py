"""Events as bytes: whichever way one is made, it is the same."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from agent_framework_hosting.rendering.text import to_json
from agent_framework_hosting_responses._outbound.wire import Framed, event, response_event, unframed

TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)
NAMES = st.sampled_from(["response.created", "response.queued", "response.in_progress", "response.completed"])


@given(name=NAMES, number=st.integers(0, 2**53), response=st.dictionaries(TEXTS, VALUES, max_size=4))
def test_an_event_of_a_response_that_is_json_already_is_the_one_that_the_encoder_makes(
    name: str, number: int, response: dict[str, Any]
) -> None:
    written = response_event(name, number, to_json(response))

    assert written == event(name, number, {"response": response})
    assert [framed.name for framed in unframed(written)] == [name]


def test_a_response_that_looks_like_a_template_is_sent_as_it_is() -> None:
    written = response_event("response.created", 3, to_json({"model": "100%d %b"}))

    data = b'{"type":"response.created","sequence_number":3,"response":{"model":"100%d %b"}}'
    assert unframed(written) == [Framed("response.created", data)]
