"""What a session holds for an agent: its `AgentSession`, and what is known of its history."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from agent_framework import AgentSession, Message

from ..errors import StateUnavailable
from ..logs import logger
from .snapshots import (
    Histories,
    History,
    Snapshot,
    capture,
    clean_messages,
    exchange,
    histories,
    name_messages,
    restore,
    rewind,
)

if TYPE_CHECKING:
    from .session_store import StoredSessions

_NONE: Histories = dict[str, History]()


class AgentState:
    """An `AgentSession` with its history as the last finished turn left it, and the last snapshot that was taken.

    Every run of it says first that it will `begin`.

    Args:
        session: The session; one that was loaded has its history already.
        snapshot: What a fresh session is to look like.
        stored: Where the session is kept after every run.
    """

    __slots__ = ("_captured", "_finished", "_named", "_snapshot", "_stored", "session")

    def __init__(
        self, session: AgentSession, *, snapshot: Snapshot | None = None, stored: StoredSessions | None = None
    ) -> None:
        self.session = session
        self._snapshot = snapshot
        self._stored = stored
        if snapshot is not None:
            restore(snapshot, session)
        # Nothing is the rule for a session that begins.
        self._finished = histories(session) if session.state else _NONE
        self._captured = self._finished if snapshot is not None else _NONE
        # Whose messages have an id, each of them.
        self._named = _NONE

    def begin(self) -> None:
        """Name the messages of the turns before: most sessions have one turn, and need no names."""
        finished = self._finished
        if finished is self._named:
            return
        self._named = self._finished = name_messages(self.session, finished, known=self._named)
        if self._captured is finished:
            self._captured = self._finished

    async def settle(self, *, named: bool) -> Snapshot | None:
        """See `SessionState`."""
        lists = histories(self.session)
        if lists:
            lists = clean_messages(self.session, lists, known=self._finished)
        if self._stored is not None:
            # Before it is part of the history: a turn that could not be kept is taken out of it again.
            await self._stored.keep(self.session)
        if named:
            self._snapshot = capture(self.session, lists, parent=self._snapshot, known=self._captured)
        self._finished = lists
        if not named:
            return None
        self._captured = lists
        return self._snapshot

    async def rewind(self) -> None:
        """See `SessionState`."""
        rewind(self.session, self._finished)
        if self._stored is None:
            return
        try:
            await self._stored.keep(self.session)
        except StateUnavailable:
            # How the run ended is what the caller has to hear; the live session goes on with all that it used up.
            logger.error(
                "What an unfinished turn of the session %r used up is in memory alone until its next turn is kept.",
                self.session.session_id,
            )

    def exchange(self, old: Sequence[Message], *, by: Sequence[Message]) -> None:
        """See `unfinished.History`."""
        exchange(self.session, self._finished, old, by=by)

    def remains(self) -> bytes:
        """See `SessionState`."""
        from .snapshot_codec import encode_rest

        return encode_rest(capture(self.session, histories(self.session), parent=None, known=self._captured))
