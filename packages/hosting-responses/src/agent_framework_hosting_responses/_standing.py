"""Where a response stands, wherever that is kept: with its turn, with what was accepted, or with its run.

Rule of this file: what has ended stays as it ended. A response is cancelled, or completed, or failed once, and whoever
reads it sees the same from then on.
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing, suppress
from typing import TYPE_CHECKING, Final

from agent_framework_hosting.channel import RunStatus
from agent_framework_hosting.errors import UnknownId
from agent_framework_hosting.parsing.refusals import shown
from agent_framework_hosting.types import JSON

from ._accepted import Accepted, AcceptedKeys, AcceptedResponses
from ._errors import Failure
from ._log import number_of
from ._outbound.envelope import error_object
from ._record import is_background, is_response, stands, tape_of
from ._settings import BACKGROUND

if TYPE_CHECKING:
    from agent_framework_hosting.channel import ChannelContext

_LOST: Final = Failure("server_error", "What became of this response is not known any more.")
_BEHIND_ALL: Final = (2**31 - 1, 2**31 - 1)
GIVEN_UP: Final = Failure("server_error", "The server has tried to answer this request several times, and gave up.")


class Standing:
    """Responses of whoever is calling, as they stand now.

    Args:
        context: The host's.
        channel: What the channel is called.
    """

    def __init__(self, context: ChannelContext, *, channel: str) -> None:
        self._context = context
        self._accepted = AcceptedResponses(context)
        self._keys = AcceptedKeys(context, channel=channel)

    async def find(self, response: str) -> JSON:
        """Return the record of a response; of one that has not ended, as it is now.

        Raises:
            UnknownId: There is none of that id for this caller.
        """
        record = await self._stored(response)
        if record is not None and not is_background(record):
            return record
        accepted = await self._accepted.find(response)
        if accepted is None:
            # Its turn may have been stored between the two looks.
            return record or await self._required(response)
        if not accepted.is_open:
            return accepted.record
        return record or await self._open(response, accepted)

    async def settle(self, response: str, record: JSON) -> JSON:
        """Keep how a response ended of which no turn is stored, and return it.

        None will be: a process that stood still meanwhile may still be at one. If it was quicker, that is the end. One
        that ended without a word of its own says so behind all that was said before.

        Raises:
            UnknownId: It was forgotten.
        """
        await self._keys.disown(response)
        stored = await self._stored(response)
        if stored is not None:
            return stored
        is_silent = tape_of(record) is None
        ended = stands(record, first=await self.next_number(response)) if is_silent else record
        # Looked at behind the number: whoever was quicker has let go of what was said, so that it may be none of them.
        kept = await self._accepted.find(response)
        if kept is not None and not kept.is_open:
            return kept.record
        if not await self._accepted.settle(response, ended):
            raise unknown(response)
        await self._context.runs.forget(response, kind=BACKGROUND)
        return ended

    async def next_number(self, response: str) -> int:
        """Return the sequence number behind all that a response has said until now."""
        last = await self._context.runs.last(response, kind=BACKGROUND)
        return 0 if last is None else number_of(last.data) + 1

    async def wait(self, response: str, *, patience: float) -> JSON:
        """Wait until a response has ended, `patience` seconds at the most, and return its record as `find` does."""
        runs = self._context.runs
        with suppress(TimeoutError, UnknownId):
            async with (
                asyncio.timeout(patience),
                aclosing(await runs.events(response, kind=BACKGROUND, after=_BEHIND_ALL)) as events,
            ):
                async for _ in events:
                    continue
        return await self.find(response)

    async def _open(self, response: str, accepted: Accepted) -> JSON:
        try:
            run = await self._context.runs.status(response, kind=BACKGROUND)
        except UnknownId:
            run = None
        if run is not None and not run.has_ended:
            is_queued = run.status == "waiting" and not run.attempt
            return stands(accepted.record, status="queued" if is_queued else "in_progress")
        # What the run stored last may have come after the first look.
        record = await self._stored(response)
        if record is not None:
            return record
        again = await self._accepted.find(response)
        if again is None or not again.is_open:
            return again.record if again is not None else await self._required(response)
        return await self.settle(response, _end_of(accepted.record, run))

    async def _stored(self, response: str) -> JSON:
        try:
            record = await self._context.read_record(response)
        except UnknownId:
            return None
        return record if is_response(record) else None

    async def _required(self, response: str) -> JSON:
        record = await self._stored(response)
        if record is None:
            raise unknown(response)
        return record


def _end_of(record: JSON, run: RunStatus | None) -> JSON:
    """Return how a response ended whose run has left no record."""
    if run is not None and run.status == "cancelled":
        return cancelled(record)
    return failed(record, GIVEN_UP if run is not None and run.status == "failed" else _LOST)


def cancelled(record: JSON) -> JSON:
    """Return the record of a response that was cancelled before it said anything."""
    return stands(record, status="cancelled")


def failed(record: JSON, failure: Failure) -> JSON:
    """Return the record of a response that failed before it said anything."""
    error = error_object(failure.code, failure.message, failure.reason)
    return stands(record, status="failed", error=error)


def unknown(response: str) -> UnknownId:
    """Say that there is no such response."""
    return UnknownId(f"Response with id '{shown(response)}' not found.", param="response_id")
