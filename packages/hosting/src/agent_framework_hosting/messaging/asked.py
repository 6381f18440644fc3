"""What people were asked last and have not answered, and which messages cannot be meant as the answer."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from typing import Final, TypeVar

import msgspec

from ..channel import ChannelContext, Task
from ..clock import Clock
from ..errors import UnknownId
from ..logs import logger
from ..types import Principal
from .incoming import Incoming
from .phrases import Phrases
from .questions import is_yes_to_approval
from .record import Record

_REMEMBERED: Final = 10_000
"""Messages and conversations of which is known when something came or was asked, at the most."""
KeyT = TypeVar("KeyT", bound=Hashable)


class Outdated(Exception):
    """What was pressed answers nothing that is open."""


def last_turn(key: str) -> str:
    """Return the id of the newest turn of each person in a conversation: what it asks them is found under it."""
    return f"chat:{key}"


class Asked:
    """Knows what is open.

    Args:
        context: The host's.
        phrases: What counts as yes.
        clock: Tells what came first, of what comes and is asked in this process.
    """

    def __init__(self, context: ChannelContext, phrases: Phrases, *, clock: Clock) -> None:
        self._context = context
        self._phrases = phrases
        self._clock = clock
        self._came_at: OrderedDict[str, float] = OrderedDict()
        self._asked_at: OrderedDict[tuple[str, str], float] = OrderedDict()

    async def last(self, key: str, principal: Principal, *, session: str) -> Record:
        """Return what was said last to a person in this session, with what is open of it."""
        try:
            record = Record.read(await self._context.read_record(last_turn(key), principal=principal))
        except UnknownId:
            return Record()
        except msgspec.ValidationError as error:
            logger.warning("What was asked last cannot be read, and is taken for answered: %s", error)
            return Record()
        return record if record.session == session else Record()

    async def is_open(self, key: str, principal: Principal, answers: str) -> bool:
        """Whether this person may still answer in this conversation what bears the mark."""
        last = await self.last(key, principal, session=await self._context.session_id(key))
        return bool(last.asked) and last.mark == answers

    def has_come(self, task_id: str) -> None:
        """Remember that a message was there by now."""
        if task_id not in self._came_at:
            _remember(self._came_at, task_id, self._clock.monotonic())

    def was_put(self, key: str, principal: Principal) -> None:
        """Remember that somebody has been asked by now."""
        _remember(self._asked_at, (key, principal.id), self._clock.monotonic())

    def is_too_early(self, last: Record, incoming: Incoming, *, key: str, task: Task) -> bool:
        """Whether a message would allow what nobody had been asked about when it came.

        Raises:
            Outdated: It is a button of something that is not open.
        """
        if last.task == task.id:
            # Its own turn, done before, stands in the place of what it answered.
            return False
        if incoming.answers is not None:
            if not last.asked or incoming.answers != last.mark:
                raise Outdated
            return False
        came_at, asked_at = self._came_at.get(task.id), self._asked_at.get((key, task.principal.id))
        is_early = came_at is not None and asked_at is not None and came_at < asked_at
        return is_early and is_yes_to_approval(last.asked, incoming.text, self._phrases)


def _remember(times: OrderedDict[KeyT, float], key: KeyT, time: float) -> None:
    times[key] = time
    times.move_to_end(key)
    while len(times) > _REMEMBERED:
        times.popitem(last=False)
