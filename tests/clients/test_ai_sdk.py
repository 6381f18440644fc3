"""The AI SDK against the served demo, through both of its providers for the Responses API.

One test for each provider and each script in `node/scenarios/ai`; those in `ai_openai` are for `@ai-sdk/openai` alone.
"""

from __future__ import annotations

import pytest

from .conftest import Scenario, scenarios_of


@pytest.mark.parametrize("provider", ["openai", "open-responses"])
@pytest.mark.parametrize("name", scenarios_of("ai"))
def test_the_ai_sdk(scenario: Scenario, name: str, provider: str) -> None:
    scenario("ai", name, provider)


@pytest.mark.parametrize("name", scenarios_of("ai_openai"))
def test_what_one_provider_can_do(scenario: Scenario, name: str) -> None:
    scenario("ai_openai", name, "openai")
