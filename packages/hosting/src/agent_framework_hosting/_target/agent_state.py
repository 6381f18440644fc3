"""What a session holds for an agent: its `AgentSession`, and what is known of its history."""

from __future__ import annotations

from agent_framework import AgentSession

from .snapshots import Histories, History, Snapshot, capture, histories, restore, rewind

_NONE: Histories = dict[str, History]()


class AgentState:
    """An `AgentSession` with its history as the last finished turn left it, and the last snapshot that was taken."""

    __slots__ = ("_captured", "_finished", "_snapshot", "session")

    def __init__(self, session: AgentSession, *, snapshot: Snapshot | None = None) -> None:
        self.session = session
        self._snapshot = snapshot
        self._finished = self._captured = _NONE
        if snapshot is not None:
            restore(snapshot, session)
            self._finished = self._captured = histories(session)

    async def settle(self, *, named: bool) -> Snapshot | None:
        """See `SessionState`."""
        self._finished = histories(self.session)
        if not named:
            return None
        self._snapshot = capture(self.session, parent=self._snapshot, known=self._captured)
        self._captured = self._finished
        return self._snapshot

    def rewind(self) -> None:
        """See `SessionState`."""
        rewind(self.session, self._finished)
