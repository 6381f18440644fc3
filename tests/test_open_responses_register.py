"""docs/open-responses.md names tests that exist for every requirement of the specification, and every test of them."""

import re
from typing import Final

import pytest

from .registers import ROOT, defined_in

FILE: Final = "tests/test_open_responses.py"
TABLE: Final = (ROOT / "docs" / "open-responses.md").read_text()
ROW: Final = re.compile(r"^\| (?P<section>[^|]+) \| (?P<requirement>[^|]+) \| (?P<tests>[^|]*) \|$", re.MULTILINE)


def mistakes(table: str) -> list[str]:
    """What is wrong with the table, each in a sentence."""
    rows = [row for row in ROW.finditer(table) if row["section"] not in ("section", "---")]
    found = [] if rows else ["there are no rows"]
    named: set[str] = set()
    for row in rows:
        tests = re.findall(r"`(test_\w+)`", row["tests"])
        found += [] if tests else [f"'{row['requirement']}' has no test"]
        found += [f"{test} is no test" for test in tests if test not in defined_in(FILE)]
        named |= {*tests}
    return found + [f"{test} stands in no row" for test in sorted(defined_in(FILE) - named)]


def test_every_requirement_has_tests_and_every_test_a_requirement() -> None:
    assert mistakes(TABLE) == []


@pytest.mark.parametrize(
    ("words", "instead", "mistake"),
    [
        ("`test_http_requests_bodies_are_json`", "", "'Bodies are JSON.' has no test"),
        ("`test_http_requests_bodies_are_json`", "`test_other`", "test_other is no test"),
        ("`test_http_requests_bodies_are_json`", "`test_other`", "test_http_requests_bodies_are_json stands in no row"),
        ("|", "", "there are no rows"),
    ],
)
def test_a_mistake_is_noticed(words: str, instead: str, mistake: str) -> None:
    assert mistake in mistakes(TABLE.replace(words, instead))
