"""What a user's own code says went wrong, without the way that led to it."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from types import TracebackType
from typing import Final

_PACKAGE: Final = __name__.partition(".")[0]


def users_part(error: BaseException) -> str:
    """Return the traceback of an error from where this package called what is not its own.

    One that was raised in this package comes whole: nobody else can tell what it means.
    """
    steps = list(_steps(error.__traceback__))
    own = [index for index, step in enumerate(steps) if _top(step) == _PACKAGE]
    theirs = steps[own[-1] + 1 :] if own else steps
    while theirs and _top(theirs[0]) == "importlib":
        theirs.pop(0)
    is_told = bool(theirs) or isinstance(error, SyntaxError)  # which says itself where it is
    start = (theirs[0] if theirs else None) if is_told else error.__traceback__
    return "".join(traceback.format_exception(type(error), error, start)).rstrip()


def _steps(step: TracebackType | None) -> Iterator[TracebackType]:
    while step is not None:
        yield step
        step = step.tb_next


def _top(step: TracebackType) -> str:
    return str(step.tb_frame.f_globals.get("__name__", "")).partition(".")[0]
