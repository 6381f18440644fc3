"""What a streamed answer says, and what becomes its last event."""

from __future__ import annotations

import asyncio
import gc
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, TypeAlias

import pytest

from agent_framework_hosting.limits import Limits
from agent_framework_hosting.web.events import Buffers, EventStream
from agent_framework_hosting.web.telling import Telling, tell

Hear: TypeAlias = Callable[[Telling[str]], Awaitable[list[bytes]]]


class Shouting:
    """Makes an event of each update that is not empty."""

    def start(self) -> bytes:
        return b"<"

    def feed(self, update: str) -> bytes:
        return update.upper().encode()

    def closing(self) -> bytes:
        return b">"


class Said:
    """Says words, and then fails if it has a failure to tell."""

    def __init__(self, *words: str, failure: Exception | None = None) -> None:
        self.words = words
        self.failure = failure
        self.is_closed = False

    async def __aiter__(self) -> AsyncIterator[str]:
        for word in self.words:
            yield word
        if self.failure is not None:
            raise self.failure

    async def aclose(self) -> None:
        self.is_closed = True


def ended(error: Exception) -> bytes:
    return f"!{error}".encode()


def impossible(error: Exception) -> bytes:
    raise AssertionError("An answer that has an end was given another one.") from error


async def pulled(events: Telling[str]) -> list[bytes]:
    """Return what an answer says, taken from it as from any generator."""
    return [event async for event in events]


async def written(events: Telling[str], buffers: Buffers | None = None, **bounds: Any) -> list[bytes]:
    """Return what an answer says, as the writer of event streams sends it."""
    sent = list[bytes]()

    async def send(message: Any) -> None:
        sent.append(message.get("body", b""))

    async def stays() -> Any:
        return await asyncio.Event().wait()

    await EventStream(events, limits=Limits(**bounds), buffers=buffers)({}, stays, send)
    return [b"".join(sent)]


each_way = pytest.mark.parametrize("heard", [pulled, written])


@each_way
async def test_an_answer_is_told_from_its_start_to_its_end_and_silence_is_no_event(heard: Hear) -> None:
    said, log = Said("a", "", "b"), list[str]()

    async def on_commit() -> None:
        log.append("committed")

    assert b"".join(await heard(tell(Shouting(), said, ended=impossible, on_commit=on_commit))) == b"<AB>"
    assert log == ["committed"]
    assert said.is_closed


async def test_the_end_is_told_behind_the_commit() -> None:
    log = list[bytes]()

    async def on_commit() -> None:
        log.append(b"committed")

    async for event in tell(Shouting(), Said("a"), ended=impossible, on_commit=on_commit):
        log.append(event)
    assert log == [b"<", b"A", b"committed", b">"]


@each_way
async def test_a_failure_is_the_last_event_of_an_answer_that_has_begun(heard: Hear) -> None:
    said = Said("a", failure=ValueError("no"))
    assert b"".join(await heard(tell(Shouting(), said, ended=ended))) == b"<A!no"
    assert said.is_closed


async def test_a_failure_that_is_not_to_be_told_ends_the_events(caplog: pytest.LogCaptureFixture) -> None:
    def raised(error: Exception) -> bytes:
        raise error

    said, heard = Said("a", failure=ValueError("no")), list[bytes]()
    with pytest.raises(ValueError, match="no"):
        async for event in tell(Shouting(), said, ended=raised):
            heard.append(event)
    assert heard == [b"<", b"A"]
    assert said.is_closed

    said = Said("a", failure=ValueError("no"))
    assert await written(tell(Shouting(), said, ended=raised)) == [b"<A"]
    assert said.is_closed
    assert "did not render" in caplog.text


@each_way
async def test_the_end_of_a_committed_turn_is_told_whatever_comes_after_it(heard: Hear) -> None:
    async def fails() -> None:
        raise ValueError("too late")

    assert b"".join(await heard(tell(Shouting(), Said(), ended=impossible, on_commit=fails))) == b"<>"


async def test_the_end_of_a_committed_turn_is_told_also_where_there_is_no_room_for_it() -> None:
    events = tell(Shouting(), Said(), ended=impossible)
    assert [await anext(events), await anext(events)] == [b"<", b">"]
    # Whoever reads found no room for it.
    assert await events.athrow(ValueError("no room")) == b">"

    assert await written(tell(Shouting(), Said("a" * 9, "", ""), ended=impossible), max_response_bytes=9) == [
        b"<" + b"A" * 9 + b">"
    ]


async def test_an_answer_that_grows_too_large_says_so_as_its_last_event() -> None:
    said = Said("a" * 9, "", "b", "c")
    assert await written(
        tell(Shouting(), said, ended=lambda error: type(error).__name__.encode()), max_response_bytes=9
    ) == [b"<AAAAAAAAABResponseTooLarge"]
    assert said.is_closed


async def test_an_error_that_cannot_be_told_is_asked_for_once_and_what_was_said_before_it_is_sent() -> None:
    asked, handled = list[str](), list[BaseException | None]()

    def broken(error: Exception) -> bytes:
        asked.append(type(error).__name__)
        handled.append(sys.exception())
        raise ValueError("nothing to say")

    said = Said("a" * 9, "b", "c")
    assert await written(tell(Shouting(), said, ended=broken), max_response_bytes=9) == [b"<AAAAAAAAAB"]
    assert asked == ["ResponseTooLarge"]
    # Whoever logs it, or raises it again, does so as in any handler.
    assert [type(error).__name__ for error in handled] == asked
    assert said.is_closed


async def test_an_answer_for_which_there_is_no_room_any_more_is_cut_before_its_run_is_asked_for_anything() -> None:
    asked = list[str]()

    class Asked(Said):
        async def __aiter__(self) -> AsyncIterator[str]:
            asked.append("asked")
            yield "a"

    said, buffers = Asked(), Buffers(max_bytes=100, held=101)
    told = tell(Shouting(), said, ended=lambda error: type(error).__name__.encode())
    assert await written(told, buffers) == [b"<ResponseTooLarge"]
    assert not asked
    assert said.is_closed
    assert buffers.held == 101


async def test_an_answer_that_is_closed_before_it_began_stops_the_run_too() -> None:
    said = Said("a")
    await tell(Shouting(), said, ended=impossible).aclose()
    assert said.is_closed


async def test_events_that_nobody_wants_any_more_stop_the_run() -> None:
    said = Said("a", "b")
    events = tell(Shouting(), said, ended=impossible)
    await anext(events)
    await events.aclose()
    assert said.is_closed


async def test_events_that_are_dropped_in_the_middle_stop_the_run_at_once() -> None:
    """Some who send them close nothing, and the garbage collector may be long in coming."""
    said = Said("a", "b")
    gc.disable()
    try:
        events = tell(Shouting(), said, ended=impossible)
        await anext(events)
        del events
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    finally:
        gc.enable()
    assert said.is_closed


@each_way
async def test_a_run_that_says_nothing_for_long_lets_others_have_their_turn(heard: Hear) -> None:
    turns, is_over = 0, False

    async def others() -> None:
        nonlocal turns
        while not is_over:
            await asyncio.sleep(0)
            turns += 1

    other = asyncio.create_task(others())
    assert b"".join(await heard(tell(Shouting(), Said(*[""] * 6_400), ended=impossible))) == b"<>"
    is_over = True
    await other
    assert turns >= 100
