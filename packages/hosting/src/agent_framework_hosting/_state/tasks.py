"""The port to accepted work: tasks that outlive their caller, and the process that accepted them.

Each method is one transaction. The tasks of a line are taken one at a time, in the order in which they were accepted; a
task that waits to be tried again keeps its place. `attempt` grows whenever a task is taken, and what is said of a task
counts only while nobody has taken it since.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

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
