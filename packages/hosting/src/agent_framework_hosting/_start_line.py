"""What a host says of itself at its start, in one line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from ._doorway import Doorway
from ._lifespan import Channels
from ._state.folders import StateFolders
from ._tasks.accepted import AcceptedWork

if TYPE_CHECKING:
    from ._state.port import StateStore
    from ._target.session_store import StoredSessions
    from ._target.target import Target

_BESIDE = "turns of one session run side by side, and none remembers another"
_LOST = "work that was accepted and is not done is lost when the process ends: database= keeps it"


class StartLine(msgspec.Struct, frozen=True, kw_only=True):
    """What there is to say: what is served and by whom, where its state is, and who is calling."""

    target: Target
    channels: Channels
    database: str | StateStore | None
    session_store: StoredSessions | None
    folders: StateFolders
    max_sessions: int
    is_concurrent: bool
    tasks: AcceptedWork
    doorway: Doorway

    def said(self, *, bind: str | None) -> str:
        """Return the line, with the address when it is known."""
        where = f" on {bind}" if bind else ""
        notes = "".join(f"; {note}" for note in self._notes())
        return (
            f"Serving {self.target.name}{where}: {self._channels()}. State: {self._state()}{notes}. "
            f"Callers: {self.doorway}."
        )

    def _notes(self) -> Sequence[str]:
        is_lost = self.tasks.is_used and not self.tasks.is_durable
        return (*self.target.notes, *((_BESIDE,) if self.is_concurrent else ()), *((_LOST,) if is_lost else ()))

    def _channels(self) -> str:
        all_of_them = self.channels.contributions
        named = ", ".join(f"{each.name} at {each.path or '/'}" for each in all_of_them) or "no channels"
        disabled = ", ".join(sorted(self.channels.disabled))
        return f"{named} (disabled, since they failed to start: {disabled})" if disabled else named

    def _state(self) -> str:
        if self.database is not None:
            from ._state.database import described

            return described(self.database) if isinstance(self.database, str) else type(self.database).__name__
        sessions = f"at most {self.max_sessions} sessions, lost when the process ends"
        if self.session_store is not None:
            kept = f"sessions in {self.session_store.name}"
            return f"{kept}, {self.folders.description}" if self.folders.needs_start else kept
        if self.folders.needs_start:
            return f"{self.folders.description}; the rest in memory, {sessions}"
        # Where checkpoints are is the target's to say.
        return f"{'all but checkpoints in memory' if self.folders.guarded is not None else 'memory only'}, {sessions}"
