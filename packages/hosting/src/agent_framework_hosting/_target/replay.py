"""What a resumed stream says again.

Some providers begin anew when a stream is resumed, others go on where it ended, and none says which. So what comes is
compared with what was said: as long as it is the same, it is held back.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterable, Sequence
from typing import Any, Final

from agent_framework import AgentResponseUpdate, Content

_PART: Final = "\x1e"
"""Before the kind of a part, which the next character ends; no provider writes either into its kinds."""
_KIND: Final = "\x1f"
_PIECES: Final = {"text": "text", "text_reasoning": "text", "function_call": "arguments"}
"""Contents that come in pieces, and where their pieces lie."""


class Replay:
    """Takes the updates of a resumed stream and lets through what is new.

    Args:
        said: The updates that the resumed stream may say again.
    """

    def __init__(self, said: Iterable[AgentResponseUpdate]) -> None:
        writer = _Writer()
        self._said = "".join(writer.write(content) for update in said for content in update.contents)
        self._again = _Writer()
        self._same = 0
        self._held: list[AgentResponseUpdate] = []
        self._is_settled = not self._said
        self.began_anew = False
        """Whether the stream has said all again that had been said."""

    def feed(self, update: AgentResponseUpdate) -> Sequence[AgentResponseUpdate]:
        """Return what may pass by now."""
        if self._is_settled:
            return [update]
        self._held.append(update)
        for at, content in enumerate(update.contents):
            more = self._again.write(content)
            left = len(self._said) - self._same
            if not self._said.startswith(more[:left], self._same):
                return self._settle(self._held)
            if len(more) >= left:
                self.began_anew = True
                return self._settle([_only(update, [*_behind(content, more[left:]), *update.contents[at + 1 :]])])
            self._same += len(more)
        return []

    def end(self, *, is_finished: bool) -> Sequence[AgentResponseUpdate]:
        """Return what was held back and is new after all: a stream that began anew would have said all by its end."""
        return self._settle(self._held) if is_finished and not self._is_settled else []

    def _settle(self, passing: Sequence[AgentResponseUpdate]) -> Sequence[AgentResponseUpdate]:
        self._is_settled, self._held = True, []
        return passing


class _Writer:
    """Writes contents one behind the other, so that it does not matter in which pieces they come."""

    def __init__(self) -> None:
        self._kind = ""

    def write(self, content: Content) -> str:
        """Return what this content adds."""
        piece = getattr(content, _PIECES[content.type]) if content.type in _PIECES else None
        if isinstance(piece, str) and content.merge_mode is None:
            kind = f"{content.type} {content.call_id or ''}"
            begin = "" if kind == self._kind else f"{_PART}{kind}{_KIND}"
            self._kind = kind
            return begin + piece
        self._kind = ""
        told: Any = content.to_dict(exclude={"raw_representation"})
        return _PART + json.dumps(told, sort_keys=True, default=str)


def _behind(content: Content, surplus: str) -> list[Content]:
    # Only a content that comes in pieces can go beyond what was said: of any other all was said, or nothing.
    if not surplus:
        return []
    rest = copy.copy(content)
    setattr(rest, _PIECES[content.type], surplus)
    return [rest]


def _only(update: AgentResponseUpdate, contents: list[Content]) -> AgentResponseUpdate:
    rest = copy.copy(update)
    rest.contents = contents
    return rest
