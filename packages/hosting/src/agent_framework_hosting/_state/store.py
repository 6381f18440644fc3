"""The port to all that must be true together: order, turns, what was answered, what was asked twice.

Each method is one transaction. A store that `encodes` gets snapshots as bytes and outlives this process; one that does
not keeps the objects as they are.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, TypeAlias

import msgspec

from ..types import Owner
from .documents import DocumentStore
from .events import EventLog
from .recordstore import RecordStore
from .tasks import TaskStore
from .turns import SessionName

Concurrency: TypeAlias = Literal["queue", "reject", "interrupt"]
"""What a turn does when its session is busy: wait, be refused, or stop what runs and waits."""

LossReason: TypeAlias = Literal["interrupted", "lease_lost"]


@dataclass(frozen=True, slots=True)
class Encoded:
    """A snapshot as bytes, as the difference to the one before; `is_base` when nothing before it is needed.

    `rest` is the state without its messages; `None` when it is that of the turn before. `number` is that of the row
    which it was read from.
    """

    added: bytes
    rest: bytes | None
    is_base: bool = False
    number: int | None = field(default=None, compare=False)


class StoredTurn(msgspec.Struct, frozen=True):
    """A turn that was found: whose it is, where it stands, and the channel's sealed record.

    `point` is what a snapshot of it is loaded by. Two turns are the same when their points are equal. One that is not
    `is_finished` can be read, and not be continued.
    """

    owner: Owner
    id: str
    session: SessionName
    point: Any
    record: bytes
    is_finished: bool = True


class Claim(msgspec.Struct, frozen=True, gc=False):
    """An idempotency key in its scope, and a hash of what was asked under it."""

    channel: str
    key: str
    body_hash: bytes


class TurnRequest(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What a turn asks for when it is accepted.

    `answers` are ids of requests for approval that this turn answers: each can be answered once in a conversation,
    which `root` names where the key does not. `turn_id` is the id that the outcome is to have.
    """

    tenant: str
    owner: Owner
    key: str | None
    parent: str | None = None
    root: str | None = None
    turn_id: str | None = None
    concurrency: Concurrency = "queue"
    max_waiting: int = 64
    answers: Sequence[str] = ()
    claim: Claim | None = None

    @property
    def name(self) -> str:
        """What the turn is called in all of its attempts; empty without an idempotency key."""
        if self.claim is None:
            return ""
        scope = [*self.owner, self.claim.channel, self.claim.key]
        return hashlib.sha256(msgspec.json.encode(scope)).hexdigest()[:32]


class Replay(msgspec.Struct, frozen=True):
    """What an earlier request under the same idempotency key was answered."""

    record: bytes


class Opened(msgspec.Struct, frozen=True, gc=False):
    """A session at the moment at which a turn of it begins.

    `head` is the point of its newest turn, `version` grows with everything that is written to it.
    """

    name: SessionName
    version: int
    head: Any


class Finished(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """How a turn ended that is part of the history from now on.

    `parent` is the point that the snapshot continues; `version` is the session's as the turn knew it.
    """

    session: SessionName
    version: int
    parent: Any
    owner: Owner
    turn_id: str | None
    snapshot: Any
    record: bytes


class Unfinished(msgspec.Struct, frozen=True, kw_only=True):
    """What a turn left behind that is no part of the history.

    `rest` is the state beside the messages, when it changed; `record` what was sent, to be read under `turn_id`.
    """

    session: SessionName
    version: int
    rest: bytes | None = None
    owner: Owner
    turn_id: str | None = None
    record: bytes | None = None


class ClaimStore(Protocol):
    """Keeps idempotency keys of requests that are answered without a turn, such as one for work that is done later.

    They are the keys that turns are asked under: one of them stands for one request, whichever way that came. Each
    method is one transaction.
    """

    async def find(self, owner: Owner, wanted: Claim) -> bytes | None:
        """Return what a request was answered; `None` when nobody has asked under its key.

        Raises:
            IdempotencyConflict: The key is in use, or was used for something else.
        """
        ...

    async def keep(self, owner: Owner, wanted: Claim, record: bytes) -> bytes:
        """Answer a request with `record`; returns that, or what it was answered before.

        Raises:
            IdempotencyConflict: The key is in use, or was used for something else.
        """
        ...

    async def forget(self, owner: Owner, wanted: Claim) -> None:
        """Let a key be used again that was answered so; the key of a turn goes with its turn."""
        ...


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
