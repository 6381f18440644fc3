"""A stream that is folded from a final body says what the body says, by the rules of every stream."""

from __future__ import annotations

from collections.abc import Callable

from agent_framework import AgentResponseUpdate
from hypothesis import given

from agent_framework_hosting_responses._outbound.fold import fold

from .responses_rules import check
from .responses_updates import coherent_updates, stream


@given(coherent_updates())
def test_whatever_was_streamed_can_be_streamed_again(updates: Callable[[], list[AgentResponseUpdate]]) -> None:
    body = check(stream(*updates())).body
    again = check(fold(body))
    assert again.body == body
