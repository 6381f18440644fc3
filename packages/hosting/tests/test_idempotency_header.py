"""The header `Idempotency-Key` is described as it is read."""

from __future__ import annotations

import re

from hypothesis import example, given
from hypothesis import strategies as st

from agent_framework_hosting.errors import InvalidRequest
from agent_framework_hosting.web.idempotency import HEADER, idempotency_key

PRINTABLE = st.characters(min_codepoint=0x20, max_codepoint=0x7E)


def is_read(value: str) -> bool:
    try:
        key = idempotency_key({"headers": [(b"idempotency-key", value.encode())]}, b"")
    except InvalidRequest:
        return False
    return key is not None


@given(
    st.text(st.sampled_from(' "\tab~é') | PRINTABLE, max_size=6)
    | st.builds(
        "{}{}{}".format,
        *(
            st.sampled_from(["", '"', " "]),
            st.integers(250, 260).map(lambda size: "k" * size),
            st.sampled_from(["", '"', "\t"]),
        ),
    )
)
@example('""')
@example('" "')
@example('"')
@example('"a')
@example(" a b\t")
@example("a\tb")
@example("a\x1f")
@example("\x0ba")
def test_the_pattern_fits_what_is_read_and_nothing_else(value: str) -> None:
    assert bool(re.search(HEADER["schema"]["pattern"], value)) == is_read(value)
