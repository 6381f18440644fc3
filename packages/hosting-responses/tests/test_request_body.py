"""From bytes to an object: what is no JSON object is refused with the reason."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

import pytest

from agent_framework_hosting.errors import InvalidRequest, RequestTooLarge
from agent_framework_hosting.limits import Limits
from agent_framework_hosting_responses._inbound.request import parse


def refusal(body: Any, *, limits: Limits | None = None) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as caught:
        parse(body, limits=limits)
    return caught.value


def test_a_small_body_is_read_from_bytes_and_from_a_mapping_alike() -> None:
    """Bytes and what was decoded from them mean the same."""
    body = {"input": "Hello", "stream": True}
    for given in (json.dumps(body).encode(), body, MappingProxyType(body)):
        request = parse(given)
        assert (request.messages[0].text, request.stream, request.body) == ("Hello", True, body)


@pytest.mark.parametrize("body", [b"[]", b'"input"', b"null", b"17", b"true"])
def test_json_that_is_no_object_is_refused(body: bytes) -> None:
    """Only an object has fields."""
    assert refusal(body).message == "The request body must be a JSON object."


@pytest.mark.parametrize("body", [b"", b" \n\t "])
def test_an_empty_body_is_named_as_such(body: bytes) -> None:
    """The commonest mistake gets its own words."""
    assert "empty" in refusal(body).message


def test_broken_json_is_refused_with_the_place_where_it_breaks() -> None:
    """A person can find the spot."""
    assert "line 2, column 12" in refusal(b'{"input": "Hello",\n "stream": ]}').message


def test_half_a_surrogate_pair_is_refused_with_its_place() -> None:
    """A person can find the spot: no escape that only looks like it, and no pair."""
    body = b'{"input": "\\\\ud83e \\ud83e\\udd8a",\n "user": "a \\uD83E\\u0041"}'
    assert r"line 2, column 13 it has \uD83E" in refusal(body).message
    assert r"column 12 it has \udd8a" in refusal(b'{"input": "\\udd8a\\ud83e"}').message


def test_a_body_that_is_not_utf8_is_refused_with_the_byte() -> None:
    """The place of the first byte that cannot be read is said."""
    assert "not UTF-8: byte 11" in refusal(b'{"input": "\xff"}').message


@pytest.mark.parametrize(
    "body",
    [
        b'{"temperature": NaN}',
        b'{"temperature": Infinity}',
        b'{"temperature": 1e999}',
        b'{"seed": ' + b"9" * 5000 + b"}",
        b'{"input": "\\ud800"}',
        b'{"\\udfff": 1}',
        b'{"input": "' + b"x" * 70_000,
        b'{"input": "Hello"} trailing',
    ],
)
def test_what_json_cannot_carry_is_refused(body: bytes) -> None:
    """NaN, numbers without end, half a surrogate pair, half a body."""
    assert "not valid JSON" in refusal(body).message


@pytest.mark.timeout(20)
@pytest.mark.parametrize("behind", [b"", b"\\"])
def test_a_text_that_never_ends_is_read_in_one_go(behind: bytes) -> None:
    """Behind so many values that texts are looked at, with a million quotes in it, each of which might begin one."""
    body = b'{"input": [' + b"1," * 99_000 + b'", , ' + b'\\", ' * 1_000_000 + behind
    assert "not valid JSON" in refusal(body).message


@pytest.mark.parametrize("value", [float("nan"), datetime.now(UTC), {1, 2}, object(), b"bytes"])
def test_a_mapping_with_a_value_that_is_no_json_is_refused(value: object) -> None:
    """A mapping counts as the JSON that it would be."""
    assert "JSON cannot carry" in refusal({"input": "Hello", "temperature": value}).message


def test_a_mapping_that_contains_itself_is_refused() -> None:
    """A cycle has no JSON."""
    body: dict[str, Any] = {"input": "Hello"}
    body["metadata"] = body
    assert "JSON cannot carry" in refusal(body).message


def nested(levels: int) -> dict[str, Any]:
    """Return a body whose tool schema makes it this many levels deep."""
    schema: dict[str, Any] = {}
    for _ in range(levels - 4):  # body, tools, tool, and the innermost schema
        schema = {"items": schema}
    return {"input": "Hello", "tools": [{"type": "function", "name": "f", "parameters": schema}]}


def test_nesting_is_read_down_to_the_limit_and_not_beyond() -> None:
    """Exactly the limit passes, one level more does not."""
    limits = Limits(max_json_depth=10)
    assert parse(nested(10), limits=limits).client_tools
    assert "10 levels" in refusal(nested(11), limits=limits).message


@pytest.mark.parametrize("opening", [b"[", b'{"input":'])
def test_nesting_without_end_is_refused_and_never_exhausts_the_stack(opening: bytes) -> None:
    """A flood of brackets is bad input, nothing worse."""
    assert "nested too deeply" in refusal(opening * 40_000).message


def test_a_mapping_nested_without_end_is_refused() -> None:
    """The same holds for decoded input."""
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    assert "nested too deeply" in refusal({"input": deep}).message


def test_wide_bodies_are_not_taken_for_deep_ones() -> None:
    """Many containers beside each other are no nesting."""
    items = [{"role": "user", "content": [{"type": "input_text", "text": "x"}]}] * 500
    assert len(parse({"input": items}, limits=Limits(max_json_depth=5)).messages) == 500


def test_more_items_than_the_limit_are_too_large() -> None:
    """The status is that of a body that is too large."""
    items = [{"role": "user", "content": "x"}] * 4
    assert len(parse({"input": items}, limits=Limits(max_input_items=4)).messages) == 4
    with pytest.raises(RequestTooLarge) as caught:
        parse({"input": items}, limits=Limits(max_input_items=3))
    assert caught.value.param == "input"


def test_more_parts_than_the_items_limit_allows_are_too_large() -> None:
    """Nobody gets around the bound by putting everything into one item."""
    item = {"role": "user", "content": [{"type": "input_text", "text": "x"}] * 9}
    with pytest.raises(RequestTooLarge) as caught:
        parse({"input": [item]}, limits=Limits(max_input_items=2))
    assert caught.value.param == "input"


def test_the_last_of_two_equal_keys_counts() -> None:
    """As in every other JSON reader."""
    assert parse(b'{"input": "one", "input": "two"}').messages[0].text == "two"
