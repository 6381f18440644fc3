"""The ports to the parts of a store: what is kept beside sessions and their turns; loaded as `port` is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from ..types import Owner
from .documents import Document, NewDocument
from .events import Event, Position, RunName
from .recordstore import Told
from .store import Claim
from .tasks import NewTask, Outcome, StopCause, TakenTask, TaskState


class DocumentStore(Protocol):
    """Keeps documents. Each method is one transaction; a document of somebody else's is one that is not there."""

    async def add(self, owner: Owner, root: str, new: Sequence[NewDocument]) -> bool:
        """Make documents, in this order: all of them, or none when the owner has one of that kind and id already.

        Returns whether they were made.
        """
        ...

    async def find(self, owner: Owner, kind: str, id: str) -> Document | None:
        """Return a document; unknown, expired and another owner's are the same `None`."""
        ...

    async def replace(self, owner: Owner, kind: str, id: str, body: bytes) -> bool:
        """Give a document another body; says whether there is one."""
        ...

    async def remove(self, owner: Owner, kind: str, id: str) -> bool:
        """Drop a document; says whether there was one."""
        ...

    async def listed(self, owner: Owner, kind: str, root: str, *, after: int, limit: int) -> Sequence[Document]:
        """Return the documents of a session key that were made after the one with that number, the oldest first."""
        ...

    async def discard(self, owner: Owner, kind: str, root: str, *, until: int | None = None) -> None:
        """Drop the documents of a session key, up to the one with that number."""
        ...


class RecordStore(Protocol):
    """Reads and forgets records. Each method is one transaction."""

    async def newest(self, tenant: str, key: str) -> bytes | None:
        """Return the record of the newest turn of the session that a key stands for now.

        It is empty when it was forgotten; `None` when the session has no turn.
        """
        ...

    async def told(
        self, owner: Owner, root: str, *, start: str | None, newest_first: bool, limit: int
    ) -> Sequence[Told]:
        """Return the owner's records of a conversation, its branches and resets included, in the order of their making.

        Args:
            owner: Whose they are.
            root: The session key that the conversation began with.
            start: The turn that comes first; without one it is the oldest, or the newest. Nothing is returned when
                there is no such turn.
            newest_first: The other way round.
            limit: How many at the most.
        """
        ...

    async def forget(self, owner: Owner, turn_id: str) -> bool:
        """Forget a turn's id and record, and the idempotency key that it was asked under.

        It can no more be read or continued. What later turns have of it in their history stays there.

        Returns:
            Whether there was such a turn.
        """
        ...


class EventLog(Protocol):
    """Keeps what runs say."""

    async def append(self, run: RunName, events: Sequence[Event]) -> bool:
        """Add events of the newest attempt; `False` when there is a later one, or the run has ended."""
        ...

    async def read(self, run: RunName, *, after: Position | None, most: int) -> Sequence[Event]:
        """Return up to `most` events, in order: those behind a position, or of the newest attempt from its start."""
        ...

    async def last(self, run: RunName) -> Event | None:
        """Return the newest event of the newest attempt that has said anything."""
        ...

    async def forget(self, run: RunName) -> None:
        """Forget what a run said."""
        ...


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


class TaskStore(Protocol):
    """Keeps accepted tasks until they are done, and their ids for some time longer."""

    @property
    def is_durable(self) -> bool:
        """Whether tasks outlive this process."""
        ...

    def watch(self, on_wake: Callable[[], None]) -> None:
        """Have `on_wake` called when it is time to `look` and to `take`."""
        ...

    async def accept(self, new: NewTask) -> bool:
        """Keep a task; when this returns it is safe. Returns whether it is new: `False` when its id is known.

        Raises:
            QueueFull: Too many wait in its line, or in all.
            InvalidRequest: Its id or line cannot be kept.
        """
        ...

    async def take(self, kinds: Sequence[str], *, most: int, suspects: bool = False) -> Sequence[TakenTask]:
        """Take tasks whose turn it is, those of dead processes among them: either the suspects, or all others."""
        ...

    async def open_kinds(self) -> Mapping[str, int]:
        """Return how many tasks there are that are not done, by their kinds."""
        ...

    async def look(self, held: Sequence[TakenTask]) -> Mapping[int, StopCause]:
        """Return which of the tasks that this process runs have to stop, by number.

        What is this process's and not `held` was taken by a transaction whose answer was lost, and is put back.
        """
        ...

    async def settle(self, taken: TakenTask, outcome: Outcome) -> bool:
        """End a task, and let the next one of its line be taken; `False` when somebody else has it by now."""
        ...

    async def put_back(self, taken: TakenTask, *, after: float, has_failed: bool) -> bool:
        """Let a task be taken again in `after` seconds, in its old place; `False` when somebody else has it."""
        ...

    async def find(self, owner: Owner, kind: str, task_id: str) -> TaskState | None:
        """Return where a task is; `None` when it is unknown, forgotten, or another owner's."""
        ...

    async def cancel(self, owner: Owner, kind: str, task_id: str) -> bool:
        """End a task that waits, and have one that runs stopped; `False` when it is unknown or has ended."""
        ...

    async def cancel_line(self, tenant: str, line: str) -> int:
        """Do the same with all tasks of a line; returns how many there were."""
        ...
