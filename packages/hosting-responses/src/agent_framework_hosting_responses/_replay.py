"""A stream that was sent, sent again: event for event, from wherever a reader was cut off."""

from __future__ import annotations

from itertools import islice

from agent_framework_hosting.types import JSON

from ._outbound.fold import fold
from ._outbound.replaying import replay
from ._outbound.wire import DONE
from ._record import body_of, first_of, tape_of


def said_again(record: JSON, *, after: int = -1) -> bytes:
    """Return the events of a response from behind the sequence number `after`.

    Of a response that was streamed these are the very events that were sent; one that was not says every text in one
    piece, and the same each time.
    """
    body, tape, first = body_of(record), tape_of(record), first_of(record)
    if tape is None:
        return fold(body, first=first, after=after)
    return b"".join([*islice(replay(tape, body, first=first), max(0, after + 1 - first), None), DONE])
