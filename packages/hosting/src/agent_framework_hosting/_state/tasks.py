"""The port to accepted work: tasks that outlive their caller, and the process that accepted them.

Each method is one transaction. The tasks of a line are taken one at a time, in the order in which they were accepted; a
task that waits to be tried again keeps its place. `attempt` grows whenever a task is taken, and what is said of a task
counts only while nobody has taken it since.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Literal, Protocol, TypeAlias

import msgspec

from ..types import Owner

Outcome: TypeAlias = Literal["done", "failed", "cancelled"]
"""How a task ended for good."""

StopCause: TypeAlias = Literal["cancelled", "lease_lost"]
"""Why a task has to stop: somebody cancels it, or another process has taken it over."""


class NewTask(msgspec.Struct, frozen=True, kw_only=True):
    """A task that is to be accepted.

    `payload` and `circumstances` (who asked, and in which trace) are opaque here. At most `max_waiting` others of its
    line, and `max_open` in all, may be open already.
    """

    owner: Owner
    kind: str
    id: str
    line: str
    payload: bytes
    circumstances: bytes
    max_waiting: int
    max_open: int

    @property
    def tenant(self) -> str:
        """The partition that its line is in."""
        return self.owner[0]


class TakenTask(msgspec.Struct, frozen=True, kw_only=True):
    """A task that is this process's to run.

    `failures` says how often it failed, or its process died: perhaps of it. `is_suspect` says that it was running at
    two deaths at least.
    """

    number: int
    attempt: int
    failures: int
    is_suspect: bool
    kind: str
    id: str
    line: str
    payload: bytes
    circumstances: bytes


class TaskState(msgspec.Struct, frozen=True):
    """Where a task is: it waits, runs, or has ended; and how often it was taken."""

    status: Literal["waiting", "running"] | Outcome
    attempt: int

    @property
    def has_ended(self) -> bool:
        """Whether nothing more will become of it."""
        return self.status not in ("waiting", "running")


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
