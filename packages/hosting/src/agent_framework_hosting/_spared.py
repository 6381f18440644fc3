"""What was there when a process began to serve, and stays: the garbage collector need not look through it again."""

from __future__ import annotations

import gc
from collections.abc import Generator
from contextlib import contextmanager
from typing import Final

_serving: Final[set[object]] = set()


@contextmanager
def spared() -> Generator[None]:
    """Spare what is there now from the garbage collector, until the last of those blocks has ended.

    A process that has loaded an agent has fifty thousand objects and more for good. Each full collection looks through
    all of them, while nobody is answered, and long streams of an `Agent` make it come often.
    """
    block = object()
    _serving.add(block)
    gc.freeze()
    try:
        yield
    finally:
        _serving.discard(block)
        if not _serving:
            gc.unfreeze()
