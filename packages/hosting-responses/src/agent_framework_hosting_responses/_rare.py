"""What few clients ask for: each part is loaded with the first request for it, and stays.

Most hosts only create responses. What reads them, counts, compacts, keeps conversations and works in the background is
half of this package; none of it is needed before somebody asks.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from ._settings import BACKGROUND, CreationSettings
from ._turns import Turns

if TYPE_CHECKING:
    from agent_framework_hosting.channel import ChannelContext, RunWriter, Task

    from ._background import Background
    from ._compact import Compaction
    from ._conversations import ConversationEndpoints
    from ._counting import Counting
    from ._following import Following
    from ._reading import Reading
    from ._standing import Standing


class Rare:
    """The parts, of one channel.

    Args:
        context: The host's.
        settings: How the channel was set up.
        turns: Reads requests and runs them.
    """

    def __init__(self, context: ChannelContext, settings: CreationSettings, turns: Turns) -> None:
        self._context = context
        self._settings = settings
        self._turns = turns
        # What was accepted is done by whichever process takes it, whether or not anybody has asked this one.
        context.runs.handle(BACKGROUND, self._do, on_give_up=self._give_up, needs_start=False, keeps_log=False)

    @cached_property
    def _standing(self) -> Standing:
        # One for all: they find the end of a response together.
        from ._standing import Standing

        return Standing(self._context, channel=self._settings.channel)

    @cached_property
    def background(self) -> Background:
        """Accepts responses, and does them."""
        from ._background import Background

        return Background(self._context, self._turns, self._standing)

    @cached_property
    def following(self) -> Following:
        """Reads streams of responses that run."""
        from ._following import Following

        return Following(self._context, self._standing)

    @cached_property
    def reading(self) -> Reading:
        """Reads responses, and forgets them."""
        from ._reading import Reading

        return Reading(self._context, self.background, self._standing, self.following)

    @cached_property
    def compaction(self) -> Compaction:
        """Packs conversations."""
        from ._compact import Compaction

        return Compaction(self._context)

    @cached_property
    def counting(self) -> Counting:
        """Counts tokens."""
        from ._counting import Counting

        return Counting(self._context, self._turns, self._settings.tokenizer)

    @cached_property
    def conversations(self) -> ConversationEndpoints:
        """Keeps conversations."""
        from ._conversations import ConversationEndpoints

        return ConversationEndpoints(self._context, caller_instructions=self._settings.caller_instructions)

    async def _do(self, task: Task, writer: RunWriter) -> None:
        await self.background.do(task, writer)

    async def _give_up(self, task: Task) -> None:
        await self.background.give_up(task)
