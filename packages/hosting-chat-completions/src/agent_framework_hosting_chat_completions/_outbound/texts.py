"""What an answer says, by kinds: the text itself, a refusal, and the model's thoughts.

Rules of this file:
1. An answer is one text, an agent's answer may be several messages: a blank line stands between them.
2. What was said stays said: a replacement adds what is missing; one that contradicts begins anew behind a blank line.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from agent_framework_hosting.rendering.pieces import missing

_BETWEEN: Final = "\n\n"


@dataclass(slots=True, eq=False)
class Text:
    """One kind of text of an answer; `said` puts what has to be sent into `deltas` under the kind's name.

    `begun` is where the text of the current message begins, `settled` how much of it a replacement has confirmed.
    """

    kind: str
    deltas: list[dict[str, Any]]
    chunks: list[str] = field(default_factory=list[str])
    begun: int = 0
    settled: int = 0
    is_fresh: bool = True

    @property
    def whole(self) -> str:
        """All that was said."""
        if len(self.chunks) > 1:
            self.chunks[:] = ["".join(self.chunks)]
        return self.chunks[0] if self.chunks else ""

    def restart(self) -> None:
        """Let what is said next be a message of its own."""
        self.is_fresh = True

    def say(self, text: str) -> None:
        """Add text."""
        if not text:
            return
        if self.is_fresh:
            self._separate()
        self._send(text)

    def replace(self, text: str) -> None:
        """Let this text stand for what the current message has said."""
        if self.is_fresh:
            self.say(text)
            return
        added = missing(self.whole[self.begun :], self.settled, text)
        if added is None:
            self.restart()
            self.say(text)
        else:
            self.say(added)
        self.settled = len(self.whole) - self.begun

    def _separate(self) -> None:
        said = self.whole
        if said and not said.endswith("\n"):
            self._send(_BETWEEN)
        self.is_fresh, self.begun, self.settled = False, len(self.whole), 0

    def _send(self, text: str) -> None:
        self.chunks.append(text)
        self.deltas.append({self.kind: text})
