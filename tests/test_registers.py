"""The threat model and the promises name, for each of their lines, tests that exist."""

from __future__ import annotations

import re

import pytest

from .registers import ROOT, is_test

ROW = re.compile(r"^\| (?P<id>[A-Z]\d+) \|.*\| (?P<tests>[^|]*?) ?\|$", re.MULTILINE)


def mistakes(page: str, *, letter: str) -> list[str]:
    """Return what is wrong with a page's table, each in a sentence."""
    rows = [(row["id"], row["tests"]) for row in ROW.finditer(page)]
    wanted = [f"{letter}{number}" for number in range(1, len(rows) + 1)]
    found = [] if [id for id, _ in rows] == wanted else [f"the rows are not numbered {wanted[:1]} to {wanted[-1:]}"]
    found += [] if page.count(f"\n| {letter}") == len(rows) else ["a row has not the columns of the others"]
    for id, tests in rows:
        found += [f"{id} names a test that is none: {test!r}" for test in tests.split("<br>") if not is_test(test)]
    return found


@pytest.mark.parametrize(("page", "letter", "least"), [("threat-model.md", "T", 30), ("promises.md", "P", 18)])
def test_every_line_is_shown_by_tests_that_exist(page: str, letter: str, least: int) -> None:
    text = (ROOT / "docs" / page).read_text()
    assert len(ROW.findall(text)) >= least
    assert mistakes(text, letter=letter) == []


GOOD = "\n| T1 | One | thing | `tests/test_names.py::test_all_packages_carry_one_version` |"


@pytest.mark.parametrize(
    ("page", "mistake"),
    [
        (f"{GOOD}\n| T2 | Two | things | `tests/test_names.py::test_no` |", "T2 names a test that is none"),
        (f"{GOOD}\n| T2 | Two | things |  |", "T2 names a test that is none: ''"),
        (f"{GOOD}\n| T2 | Two | things | pending |", "T2 names a test that is none: 'pending'"),
        (GOOD + GOOD, "the rows are not numbered"),
        (f"{GOOD}\n| T2 | Two", "a row has not the columns"),
    ],
)
def test_a_table_cannot_be_wrong_unnoticed(page: str, mistake: str) -> None:
    assert mistakes(GOOD, letter="T") == []
    (found,) = mistakes(page, letter="T")
    assert found.startswith(mistake)
