"""Which block of code is open where in a Markdown text."""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass
from typing import Final

_LINE: Final = re.compile(r"[^\n]*\n|[^\n]+")
_FENCE: Final = re.compile(r"(?P<indent>[ \t]*)(?P<marks>`{3,}|~{3,})(?P<info>[^\n]*)")


@dataclass(frozen=True, slots=True)
class Fence:
    """A block of code: the line that opens it, and one that closes it."""

    opening: str
    closing: str


class Fences:
    """The fenced blocks of a text.

    Args:
        text: Markdown; the last block may be open.
        longest: Characters of a fence, with its language; a longer line is no fence.
    """

    def __init__(self, text: str, *, longest: int) -> None:
        self._length = len(text)
        self._starts: list[int] = []
        self._open: list[Fence | None] = []
        self._closes: list[bool] = []
        fence: Fence | None = None
        start = 0
        for line in _lines(text):
            self._starts.append(start)
            self._open.append(fence)
            after = _after(line, fence, longest=longest)
            self._closes.append(fence is not None and after is None)
            fence = after
            start += len(line)
        self._last = fence

    def at(self, index: int) -> Fence | None:
        """Return the block that is open before the character at this index."""
        return self._last if index >= self._length else self._open[self._line(index)]

    def is_good_cut(self, index: int) -> bool:
        """Whether a cut here, at the beginning of a line, leaves no block without a line in it."""
        if index >= self._length:
            return True
        line = self._line(index)
        if self._starts[line] != index:
            return True
        has_just_opened = line > 0 and self._open[line] is not None and self._open[line - 1] is not self._open[line]
        return not self._closes[line] and not has_just_opened

    def _line(self, index: int) -> int:
        return bisect_right(self._starts, index) - 1


def _lines(text: str) -> list[str]:
    # Unlike for `str.splitlines`, nothing but a newline ends a line.
    return _LINE.findall(text)


def _after(line: str, fence: Fence | None, *, longest: int) -> Fence | None:
    found = _FENCE.match(line) if "`" in line or "~" in line else None
    if found is None:
        return fence
    marks, info = found["marks"], found["info"].strip()
    if fence is not None:
        closes = marks.startswith(fence.closing.strip()) and not info
        return None if closes else fence
    if len(found[0].rstrip()) > longest or ("`" in marks and "`" in info):
        return None
    return Fence(found[0].rstrip(), found["indent"] + marks)
