"""Where a text may be cut without tearing a character apart that people see as one.

The rules are the greater part of Unicode's (UAX 29): marks, joiners, variation selectors, skin tones and tags stay with
what they belong to, flags and syllables of Hangul stay whole. Scripts whose syllables take more than that may be cut
inside a syllable, never inside a code point.
"""

from __future__ import annotations

import unicodedata
from typing import Final

_ZERO_WIDTH_JOINER: Final = "\u200d"
_EXTENDING: Final = ("Mn", "Me", "Mc")
_SKIN_TONES: Final = range(0x1F3FB, 0x1F400)
_TAGS: Final = range(0xE0020, 0xE0080)
_FLAG_LETTERS: Final = range(0x1F1E6, 0x1F200)
_HANGUL_LEADING: Final = range(0x1100, 0x1160)
_HANGUL_FOLLOWING: Final = range(0x1160, 0x1200)
_HANGUL_SYLLABLES: Final = range(0xAC00, 0xD7A4)
_FARTHEST: Final = 64
"""Code points that are looked back over for the beginning of one visible character."""


def is_boundary(text: str, at: int, *, since: int = 0) -> bool:
    """Whether a text may be cut before the code point at this index; `since` is an earlier place where it may be."""
    if at <= 0 or at >= len(text):
        return True
    before, after = text[at - 1], text[at]
    if after.isascii():
        return not (before == "\r" and after == "\n")
    if _ZERO_WIDTH_JOINER in (before, after) or unicodedata.category(after) in _EXTENDING:
        return False
    point = ord(after)
    if point in _SKIN_TONES or point in _TAGS:
        return False
    if point in _FLAG_LETTERS:
        return _letters_before(text, at, since=since) % 2 == 0
    return not _continues_syllable(ord(before), point)


def boundary_before(text: str, at: int, *, after: int) -> int:
    """Return the last index up to `at` where the text may be cut, if there is one beyond `after`; else `at`.

    It may be cut at `after`, too.
    """
    lowest = max(after, at - _FARTHEST)
    for index in range(at, lowest, -1):
        if is_boundary(text, index, since=after):
            return index
    return at


def _letters_before(text: str, at: int, *, since: int) -> int:
    count = 0
    while count < at - since and ord(text[at - 1 - count]) in _FLAG_LETTERS:
        count += 1
    return count


def _continues_syllable(before: int, after: int) -> bool:
    if after in _HANGUL_FOLLOWING:
        return before in _HANGUL_LEADING or before in _HANGUL_FOLLOWING or before in _HANGUL_SYLLABLES
    return before in _HANGUL_LEADING and (after in _HANGUL_LEADING or after in _HANGUL_SYLLABLES)
