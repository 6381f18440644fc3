"""A stream is sent again as it was sent, byte for byte, from what is kept beside its body."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from typing import Final

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

EARLIER: Final = (
    rb'{"id":"resp_1","object":"response","created_at":1,"completed_at":1,"status":"completed",'
    rb'"model":"agent","output":[{"id":"msg_1_0","type":"message","status":"completed","role":"assistant",'
    rb'"content":[{"type":"output_text","text":"Hello, you there!","annotations":[],"logprobs":[]}]},'
    rb'{"id":"fc_1_1","type":"function_call","status":"completed","name":"ask","arguments":"{\"what\":1}",'
    rb'"call_id":"c1"}],'
    rb'"_hosting":{"tape":[[["event: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\",'
    rb"\"item_id\":\"msg_1_0\",\"output_index\":0,\"content_index\":0,\"logprobs\":[],"
    rb'\"sequence_number\":%d,\"delta\":%b}\n\n",[0,2]],'
    rb'["event: response.function_call_arguments.delta\ndata: {\"type\":\"response.function_call_arguments.delta\",'
    rb'\"item_id\":\"fc_1_1\",\"output_index\":1,\"sequence_number\":%d,\"delta\":%b}\n\n",[1,1]]],[[0,'
    rb'"response.created",{},{}],[0,"response.in_progress",{},{}],[0,"response.output_item.added",'
    rb'{"output_index":0,"item":{"id":"msg_1_0","type":"message","status":"in_progress","role":"assistant",'
    rb'"content":[]}},{}],[0,"response.content_part.added",{"item_id":"msg_1_0","output_index":0,'
    rb'"content_index":0,"part":{"type":"output_text","text":"","annotations":[],"logprobs":[]}},{}],[1,0,'
    rb'[7,10]],[0,"response.output_text.done",{"item_id":"msg_1_0","output_index":0,"content_index":0,'
    rb'"logprobs":[],"text":null},{"text":[0,2]}],[0,"response.content_part.done",{"item_id":"msg_1_0",'
    rb'"output_index":0,"content_index":0,"part":null},{"part":[0,1]}],[0,"response.output_item.done",'
    rb'{"output_index":0,"item":null},{"item":[0,0]}],[0,"response.output_item.added",{"output_index":1,'
    rb'"item":{"id":"fc_1_1","type":"function_call","status":"in_progress","name":"ask","arguments":"",'
    rb'"call_id":"c1"}},{}],[1,1,[10]],[0,"response.function_call_arguments.done",{"item_id":"fc_1_1",'
    rb'"output_index":1,"name":"ask","arguments":null},{"arguments":[1,1]}],[0,"response.output_item.done",'
    rb'{"output_index":1,"item":null},{"item":[1,0]}]]],"usual":1}}'
)
"""The record of a stream as an earlier release has written it."""

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


def test_what_an_earlier_release_has_kept_is_streamed_again_as_it_was_sent() -> None:
    responder = machine(created_at=1)
    said = [responder.start(), *map(responder.feed, [says("Hello, "), says("you there!")])]
    said.append(responder.feed(says(calls("c1", "ask", '{"what":1}'))))
    assert again(EARLIER) == b"".join([*said, completes(responder)])


def test_a_hook_that_changes_nothing_makes_no_record_larger() -> None:
    text = "one and two " * 200
    lengths: list[int] = []
    for is_overridden in (False, True):
        responder = machine()
        responder.feed(says(text))
        final = AgentResponse(messages=[Message("assistant", [text])])
        responder.complete(final, completed_at=1, override=is_overridden)
        lengths.append(len(kept(responder)))
    assert lengths[0] == lengths[1] < 2 * len(text)


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


@given(st.lists(st.text(), max_size=6))
def test_a_stream_of_one_text_is_taken_down_as_its_events_are_one_by_one(chunks: list[str]) -> None:
    responder = machine()
    responder.start()
    for chunk in chunks:
        responder.feed(says(chunk))
    responder.complete(completed_at=1_700_000_009)
    before = bytes(responder.tape)
    # With its last event it is no tape of the usual entries any more, and that event is on none.
    responder.closing()
    assert bytes(responder.tape) == before
