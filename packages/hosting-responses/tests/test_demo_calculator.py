"""The demo's calculator: right where it answers, clear where it refuses, and quick on whatever it is given."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent_framework_hosting_responses._demo._calculator import MAX_BITS, CalculationError, evaluate, show


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("6 * 7", 42),
        ("(1 + 2) * 3 ** 2", 27),
        ("2^10", 1024),
        ("-2 ** 2", -4),
        ("7 // 2 + 7 % 2", 4),
        ("1 / 8", 0.125),
        ("2 ** -1", 0.5),
        ("6 \u00d7 7 \u00f7 2 \u2212 1", 20),
        ("1e3 + .5", 1000.5),
        (" 1\n+\t1 ", 2),
        ("1 ** 99999", 1),
    ],
)
def test_arithmetic_has_its_value(expression: str, value: float) -> None:
    assert evaluate(expression) == value


@pytest.mark.parametrize(
    ("value", "text"), [(0.1 + 0.2, "0.3"), (6 / 3, "2"), (10**20, "1" + "0" * 20), (1 / 3, "0.333333333333")]
)
def test_numbers_are_shown_as_people_write_them(value: float, text: str) -> None:
    assert show(value) == text


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("", "empty"),
        ("   ", "empty"),
        ("1 / 0", "division by zero"),
        ("0 ** -1", "division by zero"),
        ("5 % 0", "division by zero"),
        ("9 ** 9 ** 9", "too large"),
        ("2 ** 99999999999999", "too large"),
        ("1e308 * 10", "too large"),
        ("1e999", "too large"),
        ("2.0 ** 5000", "too large"),
        ("(2 ** 1023) * (2 ** 1023) * (2 ** 1023)", "too large"),
        ("(-8) ** .5", "root of a negative"),
        ("1 +", "not well formed"),
        ("1 (2)", "no arithmetic"),
        ("1 if 2 else 3", "only numbers"),
        ("__import__('os').system('true')", "only numbers"),
        ("a := 1", "only numbers"),
        ("0x10", "only numbers"),
        ("\u0661 + \u0661", "only numbers"),
        ("007", "not well formed"),
        ("-" * 60 + "1", "nested deeper"),
        ("(" * 99 + "1" + ")" * 99, None),
        ("1" * 201, "longer than 200"),
        ("9" * 200, None),
        ("1\x00", "only numbers"),
    ],
)
def test_what_has_no_value_is_refused_with_the_reason(expression: str, reason: str | None) -> None:
    if reason is None:
        assert evaluate(expression) == int(expression.strip("()"))
        return
    with pytest.raises(CalculationError, match=reason):
        evaluate(expression)


@dataclass(frozen=True)
class Sum:
    """An expression together with what Python's integers say that it is worth."""

    text: str
    value: int


def _join(left: Sum, sign: str, right: Sum) -> Sum:
    values = {"+": left.value + right.value, "-": left.value - right.value, "*": left.value * right.value}
    return Sum(f"({left.text} {sign} {right.text})", values[sign])


SUMS = st.recursive(
    st.integers(0, 99).map(lambda value: Sum(str(value), value)),
    lambda inner: st.builds(_join, inner, st.sampled_from("+-*"), inner),
    max_leaves=12,
)


@given(SUMS)
def test_any_sum_of_products_is_exact(wanted: Sum) -> None:
    assert evaluate(wanted.text) == wanted.value


@given(st.text() | st.text(alphabet="0123456789.+-*/%()^eE \u00d7\u00f7\u2212", max_size=220))
@settings(max_examples=max(500, settings().max_examples))
def test_any_text_gives_a_bounded_number_or_a_clear_message(text: str) -> None:
    began = time.process_time()
    try:
        value = evaluate(text)
    except CalculationError:
        return
    finally:
        assert time.process_time() - began < 0.5
    assert math.isfinite(value)
    assert isinstance(value, float) or value.bit_length() <= MAX_BITS
    assert show(value)
