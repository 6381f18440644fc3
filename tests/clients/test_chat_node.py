"""The official JavaScript client at Chat Completions: one test for each script in `node/scenarios/chat`."""

from __future__ import annotations

import pytest

from .conftest import Scenario, scenarios_of


@pytest.mark.parametrize("name", scenarios_of("chat"))
def test_the_javascript_client(chat_scenario: Scenario, name: str) -> None:
    chat_scenario("chat", name)
