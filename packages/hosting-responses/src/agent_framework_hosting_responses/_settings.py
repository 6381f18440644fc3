"""How a channel was set up."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import msgspec

from agent_framework_hosting.parsing.policy import CallerInstructions

if TYPE_CHECKING:
    from agent_framework import TokenizerProtocol

    from agent_framework_hosting.hooks import ChannelResponseHook, ChannelRunHook, ChannelStreamUpdateHook

BACKGROUND: Final = "responses.background"
"""What the runs of responses in the background are called."""


class EstimatedTokens:
    """Counts as Agent Framework does where it compacts: by characters."""

    def count_tokens(self, text: str) -> int:
        """Return about how many tokens a text has."""
        # Its module is large, and most hosts are never asked to count.
        from agent_framework import CharacterEstimatorTokenizer

        return CharacterEstimatorTokenizer().count_tokens(text)


class CreationSettings(msgspec.Struct, frozen=True, kw_only=True):
    """See `ResponsesChannel`."""

    channel: str
    run_hook: ChannelRunHook | None
    response_hook: ChannelResponseHook | None
    stream_update_hook: ChannelStreamUpdateHook | None
    response_id_factory: Callable[[str | None], str] | None
    caller_instructions: CallerInstructions
    show_tool_calls: bool
    tokenizer: TokenizerProtocol | None
