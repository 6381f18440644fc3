"""A stream is sent again as it was sent, byte for byte, from what is kept beside its body."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable

import msgspec
import pytest
from agent_framework import AgentResponse, AgentResponseUpdate, Message
from hypothesis import given
from hypothesis import strategies as st

from agent_framework_hosting_responses._outbound.machine import ResponseMachine
from agent_framework_hosting_responses._record import Private, sealed
from agent_framework_hosting_responses._replay import said_again

from .responses_rules import read_events
from .responses_updates import any_update, calls, coherent_updates, machine, returns, says

Ending = Callable[[ResponseMachine], bytes]


def kept(machine: ResponseMachine) -> bytes:
    """Return the record of a stream as it comes out of a database."""
    assert machine.body is not None
    return msgspec.json.encode(sealed(machine.body.kept, Private(tape=machine.tape)))


def again(record: bytes, *, after: int = -1) -> bytes:
    return said_again(msgspec.json.decode(record), after=after)


def completes(responder: ResponseMachine) -> bytes:
    responder.complete(completed_at=1)
    return responder.closing()


def is_hooked(responder: ResponseMachine) -> bytes:
    other = AgentResponse(messages=[Message("assistant", ["something else"])])
    responder.complete(other, completed_at=1, override=True)
    return responder.closing()


def fails(responder: ResponseMachine) -> bytes:
    return responder.fail("server_error", "It broke.")


def is_cancelled(responder: ResponseMachine) -> bytes:
    return responder.cancel()


ENDINGS: list[Ending] = [completes, is_hooked, fails, is_cancelled]


def sent(updates: list[AgentResponseUpdate], end: Ending) -> tuple[bytes, bytes]:
    """Return the bytes of a stream, and its record."""
    responder = machine()
    data = [responder.start(), *(responder.feed(update) for update in updates), end(responder)]
    return b"".join(data), kept(responder)


@given(coherent_updates(), st.sampled_from(ENDINGS))
def test_whatever_was_streamed_is_streamed_again_byte_for_byte(
    updates: Callable[[], list[AgentResponseUpdate]], end: Ending
) -> None:
    data, record = sent(updates(), end)
    assert again(record) == data


def test_chunks_of_any_length_come_in_the_same_pieces() -> None:
    data, record = sent([says("x" * length) for length in (1, 254, 255, 256, 510, 3)], completes)
    assert again(record) == data


def test_of_an_open_text_little_more_than_the_text_is_kept() -> None:
    responder = machine()
    responder.start()
    responder.feed(says("The first. "))
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        for number in range(5_000):
            responder.feed(says(f"chunk {number:05}, "))
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    text = 5_000 * len("chunk 00000, ")
    assert after - before < 1.25 * text


def test_what_the_opening_said_of_the_response_is_not_kept_beside_the_response() -> None:
    responder = machine(echo={"instructions": "Be brief. " * 10_000})
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        opening = len(responder.start())
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert opening > 200_000
    assert after - before < 10_000


@given(st.lists(any_update(), max_size=8), st.sampled_from(ENDINGS))
def test_also_what_makes_no_sense(updates: list[AgentResponseUpdate], end: Ending) -> None:
    data, record = sent(updates, end)
    assert again(record) == data


@given(coherent_updates())
def test_cut_after_any_event_the_remainder_is_identical(updates: Callable[[], list[AgentResponseUpdate]]) -> None:
    data, record = sent(updates(), completes)
    events = read_events(data)
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    for event in events:
        assert read_events(again(record, after=event["sequence_number"])) == events[event["sequence_number"] + 1 :]
    assert again(record, after=10_000) == b"data: [DONE]\n\n"


@given(coherent_updates())
def test_one_that_was_not_streamed_is_folded_the_same_each_time(
    updates: Callable[[], list[AgentResponseUpdate]],
) -> None:
    responder = machine()
    for update in updates():
        responder.feed(update)
    record = msgspec.json.encode(sealed(responder.complete(completed_at=1).kept, Private()))
    events = read_events(again(record))
    for cut in range(-1, len(events)):
        assert read_events(again(record, after=cut)) == events[cut + 1 :]


@pytest.mark.parametrize("text", ["plain", "tür \u2028 \x85 😀", "100 % of %d and %b", 'a "quoted" \\ one\n'])
def test_texts_of_any_kind_come_back(text: str) -> None:
    data, record = sent([says(piece) for piece in text], completes)
    assert again(record) == data


def test_arguments_that_come_side_by_side_keep_their_order() -> None:
    updates = [
        says("look: "),
        says(calls("a", "ask", '{"x":')),
        says(calls("b", "pick", '{"y":')),
        says(calls("a", "ask", "1}")),
        says(calls("b", "pick", "2}")),
        returns("c"),
        says("and more"),
    ]
    data, record = sent(updates, completes)
    assert again(record) == data


def test_a_tape_costs_a_few_bytes_for_each_delta_and_repeats_no_text() -> None:
    updates = [says("word ") for _ in range(10_000)]
    data, record = sent(updates, completes)
    responder = machine()
    for update in updates:
        responder.feed(update)
    bare = responder.complete(completed_at=1).json
    assert len(data) > 1_000_000
    assert len(record) - len(bare) < 2 * 10_000 + 3_000
