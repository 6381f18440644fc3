"""The official JavaScript client against the served demo: one test for each script in `node/scenarios/openai`."""

from __future__ import annotations

import pytest

from .conftest import Scenario, scenarios_of


@pytest.mark.parametrize("name", scenarios_of("openai"))
def test_the_javascript_client(scenario: Scenario, name: str) -> None:
    scenario("openai", name)
