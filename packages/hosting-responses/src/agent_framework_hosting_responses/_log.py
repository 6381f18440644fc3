"""The log of a response in the background: its events one by one, each with its sequence number in front.

Rules of this file:
1. An event is what a reader gets, byte for byte; the last one brings the end of the stream along.
2. Every attempt at a response goes on with the numbers of the one before, so that they only ever grow.
"""

from __future__ import annotations

from collections.abc import Iterator

from ._outbound.wire import DONE

_END = b"\n\n"


def each_event(data: bytes) -> Iterator[bytes]:
    r"""Yield the events of a piece of a stream.

    Example:
        >>> list(each_event(b"event: a\ndata: {}\n\nevent: b\ndata: {}\n\ndata: [DONE]\n\n"))
        [b'event: a\ndata: {}\n\n', b'event: b\ndata: {}\n\ndata: [DONE]\n\n']
    """
    start = 0
    while start < len(data):
        end = data.index(_END, start) + len(_END)
        if data.startswith(DONE, end):
            end += len(DONE)
        yield data[start:end]
        start = end


def entry(number: int, event: bytes) -> bytes:
    """Return what the log keeps of an event."""
    return b"%d\n%b" % (number, event)


def number_of(kept: bytes) -> int:
    r"""Return the sequence number of an event in the log.

    Example:
        >>> number_of(entry(12, b"event: a\ndata: {}\n\n"))
        12
    """
    return int(kept[: kept.index(b"\n")])


def event_of(kept: bytes) -> bytes:
    """Return the event itself."""
    return kept[kept.index(b"\n") + 1 :]


def is_last(event: bytes) -> bool:
    """Say whether an event ends its stream."""
    return event.endswith(DONE)
