"""One timer for many that wait equally long: each has its own time, and what is ended is left alone."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from agent_framework_hosting import _countdown
from agent_framework_hosting._countdown import Countdown

from .timers import rings, timers

Later = Callable[[float], None]


async def test_what_is_ended_is_left_alone_also_while_others_are_called_for(later: Later) -> None:
    called = list[str]()

    def ring(what: str) -> None:
        called.append(what)
        countdown.end("ended by another")

    countdown = Countdown[str](60, ring)
    for what in ("ended", "first", "ended by another", "last"):
        countdown.begin(what)
    countdown.end("ended")
    later(61)
    await rings()
    assert called == ["first", "last"]


async def test_each_has_its_own_time(later: Later) -> None:
    called = list[str]()
    countdown = Countdown[str](60, called.append)
    countdown.begin("first")
    later(30)
    countdown.begin("second")
    later(31)
    await rings()
    assert called == ["first"]
    later(30)
    await rings()
    assert called == ["first", "second"]


async def test_what_begins_soon_after_something_else_is_called_for_a_moment_later_and_together(
    later: Later, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_countdown, "_SOON", 20)
    called = list[str]()
    before, countdown = timers(), Countdown[str](600, called.append)
    for what in ("first", "second", "third"):
        countdown.begin(what)
        later(4)
    later(588)
    await rings()
    assert called == ["first"]
    later(10)
    await rings()
    assert called == ["first"]
    later(10)
    await rings()
    assert called == ["first", "second", "third"]
    assert timers() == before


async def test_what_begins_while_others_are_called_for_has_its_whole_time(later: Later) -> None:
    called = list[str]()

    def ring(what: str) -> None:
        called.append(what)
        if what == "first":
            countdown.begin("begun")

    before, countdown = timers(), Countdown[str](60, ring)
    countdown.begin("first")
    later(61)
    await rings()
    assert timers() == before + 1
    later(59)
    await rings()
    assert called == ["first"]
    later(1)
    await rings()
    assert called == ["first", "begun"]


def test_what_was_begun_in_the_loop_before_is_forgotten() -> None:
    called, has_rung = list[str](), asyncio.Event()

    def ring(what: str) -> None:
        called.append(what)
        if what == "here":
            has_rung.set()

    countdown = Countdown[str](0.05, ring)

    async def begin(what: str) -> None:
        countdown.begin(what)

    async def wait() -> None:
        countdown.begin("here")
        await has_rung.wait()

    asyncio.run(begin("before"))
    # On a busy machine its time may have come while that loop was ending.
    called.clear()
    asyncio.run(wait())
    assert called == ["here"]
