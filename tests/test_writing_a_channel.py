"""The channel of docs/writing-a-channel.md keeps the contract, as the page says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

PAGE = (Path(__file__).parents[1] / "docs" / "writing-a-channel.md").read_text()


def test_the_channel_of_the_how_to_keeps_the_contract_and_its_tests_run(pytester: pytest.Pytester) -> None:
    blocks = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    pytester.makepyfile(test_page="\n".join([*blocks, "TestNotesChannel.examples = 8"]))
    options = ["-p", "no:cacheprovider", "-p", "no:xdist", "-p", "agent_framework_hosting.testing.fixtures"]
    # In this process another test may have imported the plugin already, which pytest warns of.
    outcomes = pytester.runpytest_inprocess(*options, "-W", "ignore::pytest.PytestAssertRewriteWarning").parseoutcomes()
    assert outcomes.keys() == {"passed", "skipped"}
    # Three tests need conversations with names, one needs a reset.
    assert outcomes["skipped"] == 4
    assert outcomes["passed"] > 50
