"""An answer is shown while it is made, and always delivered whole."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from messaging_parts import Place

from agent_framework_hosting.messaging.outlet import (
    FormatRefused,
    Gone,
    NotOffered,
    OutcomeUnknown,
    OutletTraits,
    RetryAfter,
    StreamMode,
    TextLimits,
    Unreachable,
)
from agent_framework_hosting.messaging.pacing import Gate, Gates
from agent_framework_hosting.messaging.rendering import Progress, StreamRenderer
from agent_framework_hosting.messaging.voice import Voice
from agent_framework_hosting.testing import FakeClock

LONG = "\n\n".join(f"Paragraph {number}: " + "words and more words " * 20 for number in range(70))


def place(*streaming: StreamMode, max_length: int = 4096, typing_every: float | None = None) -> Place:
    limits = TextLimits(max_length=max_length, unit="utf16")
    return Place(OutletTraits(limits=limits, streaming=streaming, interval=1.5, typing_every=typing_every))


def speaking(at: Place, clock: FakeClock, *, patience: float = 900.0) -> Voice:
    return Voice(at, Gate(clock=clock, patience=patience))


async def passing(clock: FakeClock, until: asyncio.Task[Any], *, step: float = 0.5) -> None:
    """Let time pass until a task is done."""
    async with asyncio.timeout(30):
        while not until.done():
            await asyncio.sleep(0)
            if clock.sleeping:
                clock.advance(step)
    await until


async def settle() -> None:
    """Let everybody do what can be done without time passing."""
    for _ in range(20):
        await asyncio.sleep(0)


async def test_a_short_answer_comes_as_one_message() -> None:
    at = place("edit")
    async with StreamRenderer(speaking(at, FakeClock())) as renderer:
        renderer.show("Hel")
        await settle()
        await renderer.finish("Hello.")
    assert [(call.method, call.text) for call in at.calls] == [("send", "Hello.")]


async def test_an_answer_grows_in_one_message_at_most_once_in_an_interval() -> None:
    at, clock = place("edit"), FakeClock()
    async with StreamRenderer(speaking(at, clock)) as renderer:
        for number in range(100):
            renderer.show("word " * (number + 1))
            await settle()
            clock.advance(0.1)
        await renderer.finish("word " * 101)
    assert len(at.messages) == 1
    assert at.texts == [("word " * 101).strip()]
    assert 5 <= len(at.calls) <= 8


async def test_a_draft_is_shown_and_becomes_one_message() -> None:
    at, clock = place("draft", "edit"), FakeClock()
    async with StreamRenderer(speaking(at, clock)) as renderer:
        for text in ("One", "One two", "One two three"):
            renderer.show(text)
            await settle()
            clock.advance(1.5)
            await settle()
        await renderer.finish("One two three.")
    assert at.drafts == ["One", "One two", "One two three"]
    assert at.texts == ["One two three."]


async def test_the_newest_text_wins() -> None:
    at, clock = place("draft"), FakeClock()
    async with StreamRenderer(speaking(at, clock)) as renderer:
        renderer.show("1")
        await settle()
        for text in ("1 2", "1 2 3", "1 2 3 4"):
            renderer.show(text)
            await settle()
        clock.advance(1.5)
        await settle()
    assert at.drafts == ["1", "1 2 3 4"]


async def test_nothing_is_shown_twice() -> None:
    at, clock = place("edit"), FakeClock()
    async with StreamRenderer(speaking(at, clock)) as renderer:
        for _ in range(5):
            renderer.show("The same.")
            await settle()
            clock.advance(1.5)
            await settle()
        await renderer.finish("The same.")
    assert len(at.calls) == 1


async def test_where_drafts_are_refused_the_message_is_edited_and_where_that_is_refused_it_comes_at_the_end() -> None:
    at, clock = place("draft", "edit"), FakeClock()
    at.fail("draft", NotOffered("no drafts here"))
    at.fail("edit", NotOffered("no edits here"))
    async with StreamRenderer(speaking(at, clock)) as renderer:
        for text in ("One", "One two", "One two three"):
            renderer.show(text)
            await settle()
            clock.advance(1.5)
            await settle()
        await renderer.finish("One two three.")
    assert [call.method for call in at.calls] == ["draft", "send", "edit", "edit"]
    assert at.texts == ["One two three."]


async def test_a_message_that_cannot_be_edited_any_more_is_followed_by_the_whole_answer() -> None:
    at, clock = place("edit"), FakeClock()
    async with StreamRenderer(speaking(at, clock)) as renderer:
        renderer.show("One")
        await settle()
        clock.advance(1.5)
        await settle()
        at.messages.clear()  # somebody deleted it
        await renderer.finish("One two.")
    assert at.texts == ["One two."]


async def test_a_place_without_streaming_gets_the_answer_at_its_end() -> None:
    at = place()
    async with StreamRenderer(speaking(at, FakeClock())) as renderer:
        renderer.show("One")
        await settle()
        assert not at.calls
        await renderer.finish("One two.")
    assert at.texts == ["One two."]


@pytest.mark.parametrize("streaming", [(), ("edit",), ("draft", "edit")])
async def test_thirty_thousand_characters_arrive_whole_in_order_and_within_the_limit(
    streaming: Sequence[StreamMode],
) -> None:
    at, clock = place(*streaming), FakeClock()
    assert len(LONG) > 29_000
    async with StreamRenderer(speaking(at, clock)) as renderer:
        for end in range(0, len(LONG), 300):
            renderer.show(LONG[:end])
            await settle()
            clock.advance(0.2)
        await passing(clock, asyncio.create_task(renderer.finish(LONG)))
    assert "".join(" ".join(at.texts).split()) == "".join(LONG.split())
    assert len(at.messages) <= 9
    assert len(at.made("send")) == len(at.messages)


async def test_a_penalty_never_loses_the_answer() -> None:
    at, clock = place("edit"), FakeClock()
    voice = speaking(at, clock)
    began = clock.time()
    at.fail("edit", RetryAfter(126))
    async with StreamRenderer(voice) as renderer:
        for text in ("One", "One two"):
            renderer.show(text)
            await settle()
            clock.advance(1.5)
            await settle()
        await passing(clock, asyncio.create_task(renderer.finish("One two three.")))
    assert at.texts == ["One two three."]
    assert [call.method for call in at.calls] == ["send", "edit", "edit"]
    assert clock.time() - began >= 126 + 1.5


async def test_nobody_disturbs_an_address_that_wants_silence() -> None:
    clock = FakeClock()
    gates = Gates(clock=clock)
    one, other = place("draft"), place("draft")
    one.fail("send", RetryAfter(30))
    first = asyncio.create_task(Voice(one, gates.at("bot:chat")).say("To one thread."))
    await settle()
    voice = Voice(other, gates.at("bot:chat"))
    second = asyncio.create_task(voice.say("To another thread."))
    async with StreamRenderer(voice) as renderer, voice.typing():
        renderer.show("An unfinished answer.")
        await settle()
        clock.advance(29)
        await settle()
        assert not other.calls
    await passing(clock, asyncio.gather(first, second))  # pyright: ignore[reportArgumentType] - a future is waited for alike
    assert (one.texts, other.texts) == (["To one thread."], ["To another thread."])
    assert Voice(other, gates.at("bot:elsewhere")).gate.until_open() == 0


async def test_an_answer_that_the_platform_does_not_take_is_tried_again() -> None:
    at, clock = place(), FakeClock()
    at.fail("send", *[Unreachable("502")] * 4)
    await passing(clock, asyncio.create_task(speaking(at, clock).say("Hello.")))
    assert at.texts == ["Hello."]


async def test_patience_ends() -> None:
    at, clock = place(), FakeClock()
    at.fail("send", *[Unreachable("502")] * 100)
    with pytest.raises(Unreachable):
        await passing(clock, asyncio.create_task(speaking(at, clock, patience=60).say("Hello.")))
    at = place()
    at.fail("send", RetryAfter(3600))
    with pytest.raises(RetryAfter):
        await speaking(at, clock, patience=60).say("Hello.")


async def test_a_message_that_may_have_arrived_is_not_sent_again(caplog: pytest.LogCaptureFixture) -> None:
    at = place()
    at.fail("send", OutcomeUnknown("the connection broke"))
    await speaking(at, FakeClock()).say("Hello.")
    assert len(at.calls) == 1
    assert "Nobody knows whether a message arrived" in caplog.text


async def test_a_part_that_the_place_does_not_take_keeps_no_other_back(caplog: pytest.LogCaptureFixture) -> None:
    at = place(max_length=40)
    at.fail("send", None, NotOffered("the text is empty"))
    await StreamRenderer(speaking(at, FakeClock())).finish(
        "The first part of it.\n\n<!-- nothing to see here -->\n\nThe last part."
    )
    assert at.texts == ["The first part of it.", "The last part."]
    assert "left out" in caplog.text


async def test_half_an_answer_that_may_have_arrived_is_followed_by_the_whole_one() -> None:
    at, clock = place("edit"), FakeClock()
    at.fail("send", OutcomeUnknown("the connection broke"))
    async with StreamRenderer(speaking(at, clock)) as renderer:
        for text in ("One", "One two"):
            renderer.show(text)
            await settle()
            clock.advance(1.5)
            await settle()
        await renderer.finish("One two three.")
    assert [(call.method, call.text) for call in at.calls] == [("send", "One"), ("send", "One two three.")]


async def test_an_edit_whose_outcome_is_unknown_is_made_again() -> None:
    at, clock = place("edit"), FakeClock()
    at.fail("edit", OutcomeUnknown("the connection broke"))
    async with StreamRenderer(speaking(at, clock)) as renderer:
        renderer.show("One")
        await settle()
        clock.advance(1.5)
        await settle()
        await renderer.finish("One two.")
    assert at.texts == ["One two."]
    assert [call.method for call in at.calls] == ["send", "edit", "edit"]


async def test_markup_that_is_refused_goes_as_plain_text() -> None:
    at = place()
    at.fail("send", FormatRefused("can't parse entities"))
    await speaking(at, FakeClock()).say("*Hello.")
    assert [(call.text, call.plain) for call in at.calls] == [("*Hello.", False), ("*Hello.", True)]


async def test_somebody_who_has_blocked_us_is_left_alone() -> None:
    at, clock = place("draft", typing_every=4), FakeClock()
    at.fail("draft", Gone("blocked"))
    at.fail("typing", Gone("blocked"))
    voice = speaking(at, clock)
    async with StreamRenderer(voice) as renderer, voice.typing():
        for text in ("One", "One two", "One two three"):
            renderer.show(text)
            await settle()
            clock.advance(5)
            await settle()
        assert sorted(call.method for call in at.calls) == ["draft", "typing"]
        at.fail("send", Gone("blocked"))
        with pytest.raises(Gone):
            await renderer.finish("One two three.")


async def test_what_was_sent_by_an_earlier_try_is_not_sent_again() -> None:
    at, clock, progress = place(max_length=40), FakeClock(), Progress()
    text = "The first paragraph of it.\n\nThe second paragraph of it.\n\nThe third paragraph of it."
    at.fail("send", None, Unreachable("502"))
    voice = Voice(at, Gate(clock=clock, patience=0))
    with pytest.raises(Unreachable):
        await StreamRenderer(voice, progress=progress).finish(text)
    await StreamRenderer(voice, progress=progress).finish(text)
    assert at.texts == text.split("\n\n")


async def test_an_answer_that_becomes_shorter_leaves_no_old_text_behind() -> None:
    at, clock = place("edit", max_length=40), FakeClock()
    async with StreamRenderer(speaking(at, clock)) as renderer:
        renderer.show("This paragraph will be gone.\n\nAnd so will this one here be.")
        await settle()
        clock.advance(1.5)
        await settle()
        assert len(at.messages) == 2
        await renderer.finish("Only this.")
    assert at.texts == ["Only this.", "…"]


async def test_typing_is_shown_until_the_block_ends_also_by_an_error() -> None:
    at, clock = place(typing_every=4), FakeClock()
    with pytest.raises(ValueError, match="no"):
        async with speaking(at, clock).typing():
            await settle()
            clock.advance(4)
            await settle()
            raise ValueError("no")
    assert [call.method for call in at.calls] == ["typing", "typing"]
    assert clock.sleeping == 0


async def test_an_outlet_with_a_defect_does_not_lose_the_answer(caplog: pytest.LogCaptureFixture) -> None:
    at, clock = place("draft"), FakeClock()
    at.fail("draft", KeyError("a defect"))
    async with StreamRenderer(speaking(at, clock)) as renderer:
        renderer.show("One")
        await settle()
        await renderer.finish("One two.")
    assert at.texts == ["One two."]
    assert "could not be shown" in caplog.text


FAULTS = st.lists(
    st.sampled_from(
        [
            None,
            RetryAfter(3),
            Unreachable("502"),
            FormatRefused("no"),
            NotOffered("no"),
        ]
    ),
    max_size=12,
)


@given(
    streaming=st.sampled_from([(), ("edit",), ("draft",), ("draft", "edit")]),
    steps=st.lists(st.integers(1, 90), min_size=1, max_size=12),
    drafts=FAULTS,
    edits=FAULTS,
    sends=FAULTS.map(lambda faults: [fault for fault in faults if not isinstance(fault, NotOffered)]),
)
async def test_whatever_goes_wrong_on_the_way_the_answer_arrives_whole(
    streaming: Sequence[StreamMode],
    steps: list[int],
    drafts: list[Exception | None],
    edits: list[Exception | None],
    sends: list[Exception | None],
) -> None:
    at, clock = place(*streaming, max_length=100), FakeClock()
    at.fail("draft", *drafts)
    at.fail("edit", *edits)
    at.fail("send", *sends)
    whole = " ".join(f"w{number}" for number in range(sum(steps)))
    async with StreamRenderer(speaking(at, clock)) as renderer:
        end = 0
        for step in steps:
            end += step * 4
            renderer.show(whole[:end])
            await settle()
            clock.advance(1.0)
        await passing(clock, asyncio.create_task(renderer.finish(whole)))
    said = " ".join(at.texts).split()
    # Where a message could not be edited the whole of it was sent once more, behind those that were there.
    expected = whole.split()
    assert said == expected or set(said) >= set(expected)
    if not any(isinstance(fault, NotOffered) for fault in edits):
        assert said == expected
