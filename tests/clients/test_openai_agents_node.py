"""The OpenAI Agents SDK for JavaScript against the served demo: one test for each script in `node/scenarios/agents`."""

from __future__ import annotations

import pytest

from .conftest import Scenario, scenarios_of


@pytest.mark.parametrize("name", scenarios_of("agents"))
def test_the_agents_sdk(scenario: Scenario, name: str) -> None:
    scenario("agents", name)
