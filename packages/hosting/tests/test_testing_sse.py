"""The reader of Server-Sent Events: strict, and indifferent to how the bytes are split."""

from __future__ import annotations

from collections.abc import AsyncIterator
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_framework_hosting.testing import ServerSentEvent, SSEError, SSEReader, events_from, read_events

names = st.text(st.characters(exclude_characters="\r\n\0", codec="utf-8"), min_size=1)
lines = st.text(st.characters(exclude_characters="\r\n", codec="utf-8"))
events = st.builds(
    ServerSentEvent,
    event=names,
    data=st.lists(lines, min_size=1, max_size=3).map("\n".join),
    id=st.none() | st.text(st.characters(exclude_characters="\r\n\0", codec="utf-8")),
)
comments = st.builds(": {}".format, lines)
line_ends = st.sampled_from(["\n", "\r\n", "\r"])


def written(event: ServerSentEvent) -> list[str]:
    identity = [] if event.id is None else [f"id: {event.id}"]
    return [f"event: {event.event}", *identity, *(f"data: {line}" for line in event.data.split("\n")), ""]


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    return [data[start:stop] for start, stop in pairwise(edges)]


@given(items=st.lists(events | comments), line_end=line_ends, cuts=st.lists(st.integers(min_value=0), max_size=20))
def test_any_split_of_the_bytes_gives_the_same_events(
    items: list[ServerSentEvent | str], line_end: str, cuts: list[int]
) -> None:
    """Whatever the line ends and wherever a chunk is cut, even inside a character or a CRLF."""
    text = [line for item in items for line in ([item] if isinstance(item, str) else written(item))]
    data = "".join(line + line_end for line in text).encode()
    reader = SSEReader()
    read = [event for piece in pieces(data, cuts) for event in reader.feed(piece)]
    reader.close()
    assert read == [item for item in items if isinstance(item, ServerSentEvent)]
    assert reader.comments == sum(isinstance(item, str) for item in items)


def test_every_single_byte_may_come_alone() -> None:
    """The plain case of the property, with line ends mixed."""
    data = 'event: größe\r\ndata: {"n":\rdata: 1}\n\r\n: beat\n\ndata:[DONE]\r\r'.encode()
    reader = SSEReader()
    read = [event for byte in data for event in reader.feed(bytes([byte]))]
    reader.close()
    assert read == [ServerSentEvent("größe", '{"n":\n1}'), ServerSentEvent("message", "[DONE]")]
    assert reader.comments == 1


def test_data_is_json_or_raw() -> None:
    """`[DONE]` is no JSON; it is there as text."""
    first, last = events_from(b'id: 7\ndata: {"a": [1]}\n\ndata: [DONE]\n\n')
    assert (first.json(), first.id) == ({"a": [1]}, "7")
    assert (last.data, last.id) == ("[DONE]", None)


def test_numbers_that_are_no_json_are_refused() -> None:
    """A writer that lets NaN through breaks clients in other languages."""
    (event,) = events_from(b"data: NaN\n\n")
    with pytest.raises(ValueError, match="NaN is no JSON"):
        event.json()


def test_an_id_or_a_retry_alone_makes_no_event() -> None:
    """They are legal, and noted."""
    reader = SSEReader()
    assert reader.feed(b"retry: 1500\n\nid: 3\n\n") == []
    reader.close()
    assert reader.retry == 1500


def test_empty_data_is_an_event() -> None:
    """Only the lack of a data line is an error."""
    assert events_from(b"data\n\n") == events_from(b"data:\n\n") == [ServerSentEvent()]


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        (b"data: x\n", "ends inside an event"),
        (b"data: x", "ends inside an event"),
        (b"data: x\n\nevent: y\n", "ends inside an event"),
        (b"event: x\n\n", "has no data"),
        (b"dat: x\n\n", "No such line"),
        (b" data: x\n\n", "No such line"),
        (b'{"error": 1}\n', "No such line"),
        (b"retry: soon\n\n", "No such line"),
        (b"id: a\0b\ndata: x\n\n", "No such line"),
        (b"data: \xff\n\n", "not UTF-8"),
    ],
)
def test_what_a_browser_would_drop_or_mend_is_refused(body: bytes, complaint: str) -> None:
    """The message says what is wrong."""
    with pytest.raises(SSEError, match=complaint):
        events_from(body)


async def test_events_are_read_from_chunks_as_they_come() -> None:
    """An event is there before the next chunk is asked for; a reader passed in counts the comments."""
    asked: list[bytes] = []

    async def chunks() -> AsyncIterator[bytes]:
        for chunk in (b"data: 1\n\n: beat\nda", b"ta: 2\n\n"):
            asked.append(chunk)
            yield chunk

    reader = SSEReader()
    read = read_events(chunks(), reader=reader)
    assert (await anext(read)).data == "1"
    assert len(asked) == 1
    assert [event.data async for event in read] == ["2"]
    assert reader.comments == 1


async def test_a_stream_that_ends_early_is_told() -> None:
    """After the last whole event."""

    async def chunks() -> AsyncIterator[bytes]:
        yield b"data: 1\n\ndata: 2"

    read = read_events(chunks())
    assert (await anext(read)).data == "1"
    with pytest.raises(SSEError, match="ends inside an event"):
        await anext(read)
