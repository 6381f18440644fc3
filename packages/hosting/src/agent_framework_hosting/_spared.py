"""What the garbage collector is spared while a process serves: what stays for good, and most looks at crowds."""

from __future__ import annotations

import gc
from collections.abc import Generator
from contextlib import contextmanager
from typing import Final

_SELDOM: Final = (5_000, 20, 2)
"""New objects between two looks at them, and looks before one at those that lived on, and at all.

An open stream has seventy. By Python's own figures a thousand that come at once are looked through three times before
the last one has its first event, which takes as long as all else that is done for them; by these, mostly once. What was
left in circles waits longer for it: an `Agent` leaves 250 objects of a stream, and the host none.
"""

_serving: Final[set[object]] = set()
_before: Final[list[tuple[tuple[int, int, int], tuple[int, int, int]]]] = []
"""What the collector was told before, and what it has made of the figures above: some Pythons do not keep the last."""


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
