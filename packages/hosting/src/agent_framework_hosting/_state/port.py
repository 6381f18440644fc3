"""The port to sessions and their turns: what a store has to be.

Only type checkers and those who write a store of their own read it, so no host that serves has it loaded.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from ..types import Owner
from .parts import ClaimStore, DocumentStore, EventLog, RecordStore, TaskStore
from .store import Finished, LossReason, Opened, Replay, StoredTurn, TurnRequest, Unfinished
from .turns import SessionName


class Place(Protocol):
    """A place in a session's line. Given up by `commit`, `leave` or `abandon`, whichever comes first."""

    @property
    def parent(self) -> StoredTurn | None:
        """The turn that is continued, as it was found at the acceptance."""
        ...

    @property
    def head(self) -> Any:
        """The point of the session's newest turn at the acceptance."""
        ...

    @property
    def attempt(self) -> int:
        """Which attempt at the request this is, when it has an idempotency key."""
        ...

    @property
    def name(self) -> str:
        """What the turn is called in all of its attempts; empty without an idempotency key."""
        ...

    def watch(self, on_loss: Callable[[LossReason], None]) -> None:
        """Have `on_loss` called when the run has to stop: somebody interrupts it, or its lease was taken over."""
        ...

    async def open(self) -> Opened:
        """Wait until everybody who came before has left, and return the session as it is then.

        It is the parent's, or the one that the key stands for.

        Raises:
            RunCancelled: A newer turn has interrupted this one, or somebody has cancelled it.
        """
        ...

    async def move(self, key: str) -> Opened:
        """Give the place up for one in the line of another key, and `open` the session of that."""
        ...

    async def commit(self, finished: Finished) -> Any:
        """Store the turn as the newest of its session, let the next one start, and return the turn's point.

        Raises:
            LeaseLost: Somebody else has the session by now; nothing was stored.
        """
        ...

    async def settle(self, record: bytes) -> None:
        """Keep what was answered under the idempotency key, store nothing of the turn, and let the next one start.

        Raises:
            LeaseLost: Somebody else has the line, or the key, by now; nothing was stored.
        """
        ...

    async def leave(self, unfinished: Unfinished | None = None, *, has_run: bool) -> None:
        """Let the next one start. A turn that has not run gives back what it had claimed."""
        ...

    def abandon(self) -> None:
        """Leave without waiting for it, from wherever: a turn that nobody will ever pull."""
        ...


class StateStore(Protocol):
    """Keeps sessions and their turns."""

    @property
    def encodes(self) -> bool:
        """Whether snapshots are handed over as `Encoded`, for sessions that outlive this process."""
        ...

    @property
    def is_well(self) -> bool:
        """Whether turns can be stored, as far as is known; what the readiness probe says."""
        ...

    @property
    def tasks(self) -> TaskStore:
        """Keeps accepted work, where the turns are kept."""
        ...

    @property
    def events(self) -> EventLog:
        """Keeps what background runs say."""
        ...

    @property
    def claims(self) -> ClaimStore:
        """Keeps idempotency keys of requests that are answered without a turn."""
        ...

    @property
    def documents(self) -> DocumentStore:
        """Keeps what channels keep beside turns, where the turns are kept."""
        ...

    @property
    def records(self) -> RecordStore:
        """Reads and forgets the records of turns."""
        ...

    async def start(self) -> None:
        """Be ready for everything else."""
        ...

    async def stop(self) -> None:
        """Let go of everything."""
        ...

    async def accept(self, request: TurnRequest) -> Place | Replay:
        """Take a place for a turn, with all that it claims.

        Raises:
            UnknownParent: The turn to continue is unknown, expired, or another owner's.
            AnsweredAlready: An approval has been answered before.
            IdempotencyConflict: The key is being used, or was used for something else.
            SessionBusy: Something runs in this session, and the turn does not want to wait.
            QueueFull: Too many wait already.
        """
        ...

    async def named(self, tenant: str, key: str) -> SessionName:
        """Return the session that a key stands for now."""
        ...

    async def find(self, owner: Owner, turn_id: str) -> StoredTurn | None:
        """Return the owner's turn of that id; unknown, expired and another owner's are the same `None`."""
        ...

    async def find_all(self, owner: Owner, turn_ids: Sequence[str]) -> Mapping[str, StoredTurn]:
        """Return those of the owner's turns that are known, by their ids, in one transaction."""
        ...

    async def head(self, session: SessionName) -> Any:
        """Return the point of a session's newest turn, `None` when it has none."""
        ...

    async def load(self, point: Any) -> Any:
        """Return the snapshot of a point: the object, or the `Encoded` ones from the last base on.

        There are none when the point has been forgotten meanwhile.
        """
        ...

    async def rest(self, session: SessionName) -> bytes | None:
        """Return the state beside the messages as the last run of the session left it, when it was handed over."""
        ...

    def rotate(self, tenant: str, key: str) -> Sequence[SessionName]:
        """Let a key stand for a session that has never been used, at once and for good; needs no event loop.

        Returns:
            The sessions that keys stand for again because their reset was forgotten; they must not come back.
        """
        ...

    async def cancel(self, tenant: str, key: str) -> bool:
        """Stop the turn that runs under a key, in whichever process, and those that wait there, as `interrupt` does.

        Returns:
            Whether there was one.
        """
        ...

    async def mark_answered(self, session: SessionName, request_ids: Sequence[str]) -> None:
        """Mark requests of a conversation as answered, besides those that an accepted turn has answered."""
        ...

    async def answered(self, session: SessionName) -> Sequence[str]:
        """Return the requests of a conversation that were answered."""
        ...

    async def forget(self, session: SessionName) -> None:
        """Drop a session with all its turns."""
        ...
