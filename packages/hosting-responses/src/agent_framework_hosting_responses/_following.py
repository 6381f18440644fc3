"""The stream of a response in the background, read while it runs: from any point, by anybody who may, in any process.

Rules of this file:
1. What a reader gets are the very events that every other reader gets, and those that are replayed when it has ended.
2. A stream tells of one attempt. When a later one has begun, the stream of the earlier one just ends; whoever asks
   again with the number of the last event gets the later one whole, from its `response.created` on.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from typing import TYPE_CHECKING

from agent_framework_hosting.channel import RunEvent
from agent_framework_hosting.errors import ResponseTooLarge, Unavailable, UnknownId
from agent_framework_hosting.logs import logger
from agent_framework_hosting.rendering.text import to_json
from agent_framework_hosting.types import JSON

from ._log import each_event, event_of, is_last, number_of
from ._outbound.events import EventWriter, say_queued
from ._record import body_of, first_of, has_ended
from ._replay import said_again
from ._settings import BACKGROUND
from ._standing import Standing

if TYPE_CHECKING:
    from agent_framework_hosting.channel import ChannelContext


class Following:
    """Reads streams of responses.

    Args:
        context: The host's.
        standing: Knows where they stand.
    """

    def __init__(self, context: ChannelContext, standing: Standing) -> None:
        self._context = context
        self._standing = standing

    async def follow(self, record: JSON, *, after: int) -> AsyncGenerator[bytes, None]:
        """Yield the events of a response from behind the sequence number `after`, until its end.

        They end early when a later attempt has begun, or the response has ended before one did; when this host shuts
        down, or when the reader is too slow. Then the last one is missing, and whoever asks again gets the rest.
        """
        try:
            last, response = None, body_of(record)["id"]
            if not has_ended(record):
                last = await self._context.runs.last(response, kind=BACKGROUND)
            if not has_ended(record) and last is None:
                # Nothing was said until now; or it has ended meanwhile, and all that was said is with its record.
                record = await self._standing.find(response)
            if has_ended(record):
                yield said_again(record, after=after)
                return
            async for data in self._live(record, last, after=after):
                yield data
        except UnknownId:
            # It was deleted under the reader's eyes.
            return
        except (Unavailable, ResponseTooLarge) as error:
            logger.info("A stream of a response in the background ends before its time: %s", error.message)

    async def _live(self, record: JSON, last: RunEvent | None, *, after: int) -> AsyncGenerator[bytes, None]:
        runs, response = self._context.runs, body_of(record)["id"]
        begun = None if last is None else number_of(last.data) - last.sequence
        position = None
        if last is None or begun is None:
            for number, data in enumerate(_queued(record)):
                if number > after:
                    yield data
                    after = number
        elif after >= begun:
            position = (last.attempt, after - begun)
        has_said = False
        async with aclosing(await runs.events(response, kind=BACKGROUND, after=position)) as events:
            async for event in events:
                number, data = number_of(event.data), event_of(event.data)
                if begun is not None and number - event.sequence != begun:
                    return
                begun = number - event.sequence
                if number > after:
                    yield data
                    after, has_said = number, True
                if is_last(data):
                    return
        ended = await self._standing.find(response)
        # What ended without its own last word tells it from its record. Where another attempt has said something here,
        # whoever asks again gets it from its beginning.
        if has_ended(ended) and (begun in (None, first_of(ended)) or not has_said):
            yield said_again(ended, after=after)


def _queued(record: JSON) -> Iterator[bytes]:
    writer = EventWriter()
    say_queued(writer, to_json({**body_of(record), "status": "queued"}))
    return each_event(writer.take())
