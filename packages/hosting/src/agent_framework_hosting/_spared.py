"""What the garbage collector is spared while a process serves: what stays for good, and most looks at crowds."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Generator
from contextlib import contextmanager, suppress
from typing import Final

_SELDOM: Final = (5_000, 20, 10)
"""New objects between two looks at them, and looks before one at those that lived on, and at all.

An open stream has seventy. By Python's own figures a thousand that come at once are looked through three times before
the last one has its first event, which takes as long as all else that is done for them. What was left in circles waits
longer for it: an `Agent` leaves 250 objects of a stream, and the host none.
"""
_DUE: Final = (5, 8)
"""How many of them are enough for a look at those that lived on, and at all, while nobody waits for an answer."""
_GROWN: Final = 5
"""What lived on since the last look at all is a fifth of what is looked at, when it is time for the next one.

So that many who stay, as live sessions do, are not looked through again for a few who came. Python waits for a quarter.
"""

_serving: Final[set[object]] = set()
_before: Final[list[tuple[tuple[int, int, int], tuple[int, int, int]]]] = []
"""What the collector was told before, and what it has made of the figures above: some Pythons do not keep the last."""


class _Tidying:
    """Has the collector look before it must, when nobody waits for an answer and next to nothing lives.

    Where it looks by itself is in the middle of the next crowd, at all that is open there: a thousand streams take it
    10 to 70 ms. It still does where somebody always waits.
    """

    def __init__(self) -> None:
        self.start_over()

    def start_over(self) -> None:
        """Know that all that was there has been taken out of what is looked through."""
        self._lived_on = self._all = 0

    def __call__(self) -> None:
        _, looks, looks_at_those = gc.get_count()
        if looks < _DUE[0]:
            return
        young = len(gc.get_objects(generation=0)) + len(gc.get_objects(generation=1))
        if looks_at_those >= _DUE[1] and (self._lived_on + young) * _GROWN >= self._all:
            gc.collect()
            self._lived_on, self._all = 0, len(gc.get_objects(generation=2))
        else:
            self._lived_on += young - gc.collect(1)


_tidy: Final = _Tidying()


@contextmanager
def spared() -> Generator[None]:
    """Spare what is there now from the garbage collector, and let it come seldom, until the last such block has ended.

    A process that has loaded an agent has fifty thousand objects and more for good. Each full collection looks through
    all of them, while nobody is answered, and long streams of an `Agent` make it come often. Where the collector was
    told to come as seldom already, or not at all, that stays.
    """
    block = object()
    _serving.add(block)
    gc.freeze()
    _tidy.start_over()
    known = gc.get_threshold()
    if 0 < known[0] < _SELDOM[0]:
        gc.set_threshold(*_SELDOM)
        _before.append((known, gc.get_threshold()))
    try:
        yield
    finally:
        _serving.discard(block)
        if not _serving:
            gc.unfreeze()
            if _before:
                # The last, since whoever has changed it meanwhile knows why.
                known, seldom = _before[-1]
                if gc.get_threshold() == seldom:
                    gc.set_threshold(*known)
                _before.clear()


def tidied_soon() -> None:
    """Say that nobody waits for an answer: a collector that was told above to come seldom looks now, if it is time."""
    if gc.get_count()[1] < _DUE[0]:
        return
    # Read once: the last host may end in another thread meanwhile.
    told = _before[-1:]
    if told and gc.isenabled() and gc.get_threshold() == told[0][1]:
        # A request that is thrown away after its loop has ended has nobody to tell.
        with suppress(RuntimeError):
            # What was answered last is sent before.
            asyncio.get_running_loop().call_soon(_tidy)
