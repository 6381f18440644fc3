"""docs/contract-tests.md names, for every statement of docs/contract.md, tests that exist."""

import re

import pytest

from .registers import ROOT, is_test

CONTRACT = (ROOT / "docs" / "contract.md").read_text()
REGISTER = (ROOT / "docs" / "contract-tests.md").read_text()

PENDING_ALLOWED = 0
"""How many statements may wait for their test to be named."""

ITEM = re.compile(r"^- (?:\*\*(?P<id>[A-Z]\d+)\*\* )?(?P<text>.*(?:\n  .*)*)", re.MULTILINE)
ROW = re.compile(r"^\| (?P<id>[A-Z]\d+) \| (?P<text>.*) \| (?P<tests>.*?) ?\|$", re.MULTILINE)


def statements(contract: str) -> list[tuple[str | None, str]]:
    """Every list item of the contract, with the id that it should have."""
    return [(item["id"], " ".join(item["text"].split())) for item in ITEM.finditer(contract)]


def rows(register: str) -> list[tuple[str, str, list[str]]]:
    """Every row of the register: id, words, and what stands in the column of tests."""
    return [(row["id"], row["text"], [*filter(None, row["tests"].split("<br>"))]) for row in ROW.finditer(register)]


def mistakes(contract: str, register: str) -> list[str]:
    """What is wrong with the register, each in a sentence."""
    stated, registered = statements(contract), rows(register)
    found = [f"a statement has no id: {text}" for id, text in stated if id is None]
    for what, ids in (("contract", [id for id, _ in stated]), ("register", [id for id, _, _ in registered])):
        found += [f"{id} is twice in the {what}" for id in sorted({id for id in ids if id and ids.count(id) > 1})]
    words = {id: text for id, text, _ in registered}
    for id, text in stated:
        if id is not None and id not in words:
            found.append(f"{id} is not in the register")
        elif id is not None and words[id] != text:
            found.append(f"{id} reads differently in the register: {words[id]}")
    found += [f"{id} is not in the contract" for id in words if id not in {id for id, _ in stated}]
    for id, _, tests in registered:
        found += [f"{id} has no test"] if not tests else []
        found += [
            f"{id} names a test that is none: {test}" for test in tests if test != "pending" and not is_test(test)
        ]
    return found


def test_every_statement_is_held_by_tests_that_exist() -> None:
    assert len(statements(CONTRACT)) > 100
    assert mistakes(CONTRACT, REGISTER) == []


def test_no_more_statements_wait_for_their_test_than_are_allowed(capsys: pytest.CaptureFixture[str]) -> None:
    pending = [id for id, _, tests in rows(REGISTER) if "pending" in tests]
    with capsys.disabled():
        print(f"\n{len(pending)} statements of the contract are pending: {', '.join(pending) or 'none'}")  # noqa: T201 - whoever runs the tests is to see it
    assert len(pending) <= PENDING_ALLOWED, pending


FIRST = "- **A1** One thing\n  holds.\n"
SECOND = "- **A2** Another *too*.\n"
FIRST_ROW = "| A1 | One thing holds. | `tests/test_names.py::test_all_packages_carry_one_version` |\n"
SECOND_ROW = "| A2 | Another *too*. | pending |\n"


@pytest.mark.parametrize(
    ("contract", "register", "mistake"),
    [
        (FIRST + SECOND, FIRST_ROW, "A2 is not in the register"),
        (FIRST, FIRST_ROW + SECOND_ROW, "A2 is not in the contract"),
        (FIRST + FIRST, FIRST_ROW, "A1 is twice in the contract"),
        (FIRST, FIRST_ROW * 2, "A1 is twice in the register"),
        (FIRST + "- Something else.\n", FIRST_ROW, "a statement has no id: Something else."),
        (SECOND, SECOND_ROW.replace("too", "two"), "A2 reads differently in the register: Another *two*."),
        (SECOND, SECOND_ROW.replace("pending", ""), "A2 has no test"),
        (SECOND, SECOND_ROW.replace("pending", "`tests/test_names.py::test_no`"), "A2 names a test that is none: "),
        (SECOND, SECOND_ROW.replace("pending", "`tests/none.py::test_no`"), "A2 names a test that is none: "),
        (SECOND, SECOND_ROW.replace("pending", "to do"), "A2 names a test that is none: to do"),
    ],
)
def test_the_register_cannot_be_wrong_unnoticed(contract: str, register: str, mistake: str) -> None:
    assert mistakes(FIRST + SECOND, FIRST_ROW + SECOND_ROW) == []
    (found,) = mistakes(contract, register)
    assert found.startswith(mistake)
