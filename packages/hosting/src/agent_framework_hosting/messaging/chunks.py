"""Cuts Markdown into messages that a platform takes.

A cut is made where it hurts least: between paragraphs, else between lines, words, visible characters. Code that is cut
is closed in one message and opened again in the next one. What was cut stays cut in the same places when more text is
appended, so that messages which were sent need not change.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Final

from ..rendering.text import clean
from .fences import Fence, Fences
from .graphemes import boundary_before
from .outlet import TextLimits, TextUnit

_KINDS: Final = (("\n\n", 0.5), ("\n", 0.3), (" ", 0.2))
"""What text is cut behind, the best first, and how full a message has to be for that."""
_LONGEST_FENCE: Final = 0.2
"""How much of a message a fence may take; a longer one is text like any other."""
_LENGTHS: Final[dict[TextUnit, Callable[[str], int]]] = {
    "characters": lambda _: 1,
    "utf16": lambda character: 2 if character > "\uffff" else 1,
    "bytes": lambda character: len(character.encode()),
}


@dataclass(frozen=True, slots=True)
class Chunk:
    """One message.

    Args:
        text: What is sent: never longer than the limit, never blank.
        source: The part of the whole that it stands for; all of them together are the whole.
    """

    text: str
    source: str


def split(text: str, limits: TextLimits) -> list[Chunk]:
    """Cut a text into messages; a blank one gives none.

    Example:
        >>> [chunk.text for chunk in split("one two three, four five, six seven", TextLimits(max_length=16))]
        ['one two three,', 'four five, six', 'seven']
    """
    text = clean(text)
    if not text.strip():
        return []
    cutter = _Cutter(text, limits)
    pieces = [(start, shown) for start, end in cutter.pieces() if (shown := cutter.shown(start, end))]
    # What is blank between two messages belongs to the one before, and to the first one before that.
    bounds = [0, *(start for start, _ in pieces[1:]), len(text)]
    return [Chunk(shown, text[start:end]) for (_, shown), (start, end) in zip(pieces, pairwise(bounds), strict=True)]


class _Cutter:
    def __init__(self, text: str, limits: TextLimits) -> None:
        self._text = text
        self._most = limits.max_length
        self._fences = Fences(text, longest=int(limits.max_length * _LONGEST_FENCE))
        self._measure = limits.measure
        # How long the text is up to each index, so that any part of it is measured by a subtraction.
        self._lengths = [0, *accumulate(map(_LENGTHS[limits.unit], text))]

    def pieces(self) -> Iterator[tuple[int, int]]:
        start = self._past_blank_lines(0)
        while start < len(self._text):
            end = self._end(start)
            yield start, end
            start = end if self._fences.at(end) is not None else self._past_blank_lines(end)

    def shown(self, start: int, end: int) -> str:
        if not self._text[start:end].strip():
            return ""
        opened, closed = self._fences.at(start), self._fences.at(end)
        lines = [self._text[start : self._content_end(start, end, closed)]]
        if opened is not None:
            lines.insert(0, opened.opening)
        if closed is not None:
            lines.append(closed.closing)
        return "\n".join(lines)

    def _end(self, start: int) -> int:
        if self._fits(start, len(self._text)):
            return len(self._text)
        opened = self._fences.at(start)
        room = self._most - (self._measure(opened.opening) + 1 if opened is not None else 0)
        highest = bisect_right(self._lengths, self._lengths[start] + room) - 1
        if self._fences.at(highest) is None:
            # Blank ends of text are not sent, so that they need no room; those of code are, and do.
            while highest < len(self._text) and self._text[highest].isspace():
                highest += 1
        for end in self._candidates(start, highest):
            if self._fits(start, end):
                return end
        return self._torn(start, highest)

    def _candidates(self, start: int, highest: int) -> Iterator[int]:
        for mark, least in _KINDS:
            lowest = start + max(int((highest - start) * least), 1)
            at = self._text.rfind(mark, lowest, highest)
            while at >= 0:
                end = at + len(mark)
                is_in_paragraph = mark != "\n\n" or self._fences.at(end) is None
                if is_in_paragraph and self._fences.is_good_cut(end):
                    yield end
                at = self._text.rfind(mark, lowest, end - 1)

    def _torn(self, start: int, highest: int) -> int:
        for end in range(highest, start + 1, -1):
            if self._fits(start, end):
                return boundary_before(self._text, end, after=start)
        return start + 1

    def _fits(self, start: int, end: int) -> bool:
        opened, closed = self._fences.at(start), self._fences.at(end)
        length = self._lengths[self._content_end(start, end, closed)] - self._lengths[start]
        for line in (opened and opened.opening, closed and closed.closing):
            length += self._measure(line) + 1 if line else 0
        return length <= self._most

    def _content_end(self, start: int, end: int, closed: Fence | None) -> int:
        if closed is not None:
            # Blank lines of code are kept; the last line's end is the one before the line that closes it.
            return end - 1 if end > start and self._text[end - 1] == "\n" else end
        while end > start and self._text[end - 1].isspace():
            end -= 1
        return end

    def _past_blank_lines(self, index: int) -> int:
        """Return the beginning of the next line with something on it, or the index when it is in the middle of one."""
        first = index
        while first < len(self._text) and self._text[first].isspace():
            first += 1
        if first == len(self._text):
            return first
        return max(self._text.rfind("\n", index, first) + 1, index)
