"""Characters that were cut in two: their halves are put together before anything is said of them.

Whoever counts text in units of UTF-16, as JavaScript does, may end a chunk in the first half of a character and begin
the next one with the second. JSON lets both through, UTF-8 neither.

Rules of this file:
1. A half that a text ends in is held back until there is more of the same text, and given as it is when there is not.
2. What is whole is neither held nor copied.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from .pieces import is_refusal, replaces
from .reading import mapping_of, text_of

_FIRST: Final = ("\ud800", "\udbff")
_SECOND: Final = ("\udc00", "\udfff")
_SAID: Final[Mapping[str, str]] = {"text": "text", "text_reasoning": "text", "function_call": "arguments"}
"""Where contents that come in pieces have what they say."""


class Halves(msgspec.Struct, eq=False):
    r"""Reads the contents of one answer, update by update, and holds back the half that the last one ends in.

    Attributes:
        held: A content that says nothing but that half; `None` when there is none.

    Example:
        >>> from agent_framework import AgentResponseUpdate, Content
        >>> from agent_framework_hosting.rendering.text import clean
        >>> halves = Halves()
        >>> first = AgentResponseUpdate(contents=[Content.from_text("a fox \ud83e")])
        >>> [content.text for content in halves.contents_of(first)]
        ['a fox ']
        >>> second = AgentResponseUpdate(contents=[Content.from_text("\udd8a!")])
        >>> [clean(content.text) for content in halves.contents_of(second)] == ["🦊!"]
        True
    """

    held: Any = None

    def contents_of(self, holder: Any) -> Sequence[Any]:
        """Return the contents of an update or a message, which goes on where the one before has ended."""
        contents: Any = getattr(holder, "contents", None)
        given: Sequence[Any] = contents
        if not isinstance(contents, (list, tuple)):
            return ()
        if self.held is None:
            for content in given:
                said: Any = getattr(content, "text", None) or getattr(content, "arguments", None)
                if isinstance(said, str) and not said.isascii() and _FIRST[0] <= said[-1] <= _FIRST[1]:
                    break
            else:
                return given
        return self._joined(given)

    def released(self) -> Sequence[Any]:
        """Return what is held, which nothing has followed."""
        held, self.held = self.held, None
        return () if held is None else (held,)

    def _joined(self, contents: Sequence[Any]) -> list[Any]:
        given: list[Any] = []
        for each in contents:
            content, held = each, self.held
            if text_of(content, "type") == "usage":
                # It says nothing, so that what follows it is of the same text.
                given.append(content)
                continue
            if held is not None:
                if not _is_of_same(held, content):
                    given.append(held)
                elif not replaces(content):
                    content = _saying(content, _said(held) + _said(content))
            self.held, said = None, _said(content)
            if said and _FIRST[0] <= said[-1] <= _FIRST[1]:
                self.held, content = _saying(content, said[-1]), _saying(content, said[:-1])
                self.held.merge_mode = None
            given.append(content)
        return given


def joined(contents: Sequence[Any]) -> Sequence[Any]:
    """Return the contents of a message, none of which shares a character with the next; themselves when none does."""
    own: list[Any] | None = None
    for at in range(1, len(contents)):
        one, other = (own or contents)[at - 1], contents[at]
        said, more = _said(one), _said(other)
        is_cut = said and more and _FIRST[0] <= said[-1] <= _FIRST[1] and _SECOND[0] <= more[0] <= _SECOND[1]
        if is_cut and _is_of_same(one, other):
            # As the channels say it, which hold the first half back until the second is there.
            own = own or list(contents)
            own[at - 1 : at + 1] = _saying(one, said[:-1]), _saying(other, said[-1] + more)
    return contents if own is None else own


def _is_of_same(held: Any, content: Any) -> bool:
    """Whether a content goes on with what is held, or stands for it: where Agent Framework puts the two together."""
    kind = text_of(held, "type")
    if text_of(content, "type") != kind or not isinstance(getattr(content, _SAID[kind], None), str):
        return False
    if kind == "text":
        return is_refusal(_marks(content)) == is_refusal(_marks(held))
    if kind == "text_reasoning":
        return "" in (ids := (text_of(held, "id"), text_of(content, "id"))) or ids[0] == ids[1]
    return text_of(content, "call_id") in ("", text_of(held, "call_id"))


def _marks(content: Any) -> Mapping[str, Any]:
    return mapping_of(getattr(content, "additional_properties", None))


def _said(content: Any) -> str:
    said = getattr(content, _SAID.get(text_of(content, "type"), ""), None)
    return said if isinstance(said, str) else ""


def _saying(content: Any, said: str) -> Any:
    own = copy.copy(content)
    setattr(own, _SAID[text_of(content, "type")], said)
    return own
