"""The contract for channel authors: background runs, which say something while they run."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias

from ._alike import alike
from .tasks import Task, TaskHandler
from .types import JSON, Principal


@alike
@dataclass(frozen=True, slots=True)
class RunEvent:
    """One event of a background run.

    Args:
        attempt: Which attempt at the run said it; where it grows, what was said before counts no more.
        sequence: Its number in the attempt, from 0.
        data: What it says, in the channel's words.
    """

    attempt: int
    sequence: int
    data: bytes

    @property
    def position(self) -> tuple[int, int]:
        """Where it stands, to read on from."""
        return (self.attempt, self.sequence)


@alike
@dataclass(frozen=True, slots=True)
class RunStatus:
    """Where a background run is, and how many attempts it has taken."""

    status: Literal["waiting", "running", "done", "failed", "cancelled"]
    attempt: int

    @property
    def has_ended(self) -> bool:
        """Whether nothing more will become of it."""
        return self.status not in ("waiting", "running")


class RunWriter(Protocol):
    """Takes what a background run says."""

    async def write(self, data: bytes) -> None:
        """Add an event; it is kept, and shown to those who read, a moment later and in any case before the run ends.

        Raises:
            ResponseTooLarge: The run has said more than `Limits.max_response_bytes`.
            RunCancelled: Another process has taken the run over, or it was forgotten.
        """
        ...


RunHandler: TypeAlias = Callable[[Task, RunWriter], Awaitable[None]]
"""Does a background run; see `TaskHandler`."""


class Runs(Protocol):
    """Background runs: tasks that say something while they run, which can be read from any point, by any process.

    A run is its principal's: an id that is unknown, forgotten or another principal's is the same `UnknownId`. What a
    run said is kept for `Limits.record_ttl`; without a database it is bounded by `Limits.max_buffered_bytes` together,
    and gone with the process.
    """

    def handle(
        self,
        kind: str,
        handler: RunHandler,
        *,
        on_give_up: TaskHandler | None = None,
        needs_start: bool = True,
        keeps_log: bool = True,
    ) -> None:
        """Let runs of a kind be done by `handler`; see `Tasks.handle`.

        Without `keeps_log` what a run said is forgotten as soon as it is done, or cancelled while it runs: for handlers
        that keep it elsewhere. Who reads then may be told less than all.
        """
        ...

    async def start(
        self, *, kind: str, line: str, payload: JSON, id: str | None = None, principal: Principal | None = None
    ) -> str:
        """Accept a run, and return its id: one of its own that nobody can guess when left out; see `Tasks.accept`.

        Whoever may ask a second time names the run, so that it is begun once.
        """
        ...

    async def status(self, id: str, *, kind: str, principal: Principal | None = None) -> RunStatus:
        """Return where a run is.

        Raises:
            UnknownId: There is no such run of this principal.
        """
        ...

    async def events(
        self, id: str, *, kind: str, after: tuple[int, int] | None = None, principal: Principal | None = None
    ) -> AsyncGenerator[RunEvent]:
        """Return what a run says until it has ended: behind a position, or from the start of its newest attempt.

        It ends early when this host drains and the run goes on elsewhere.

        Raises:
            UnknownId: There is no such run of this principal.
        """
        ...

    async def last(self, id: str, *, kind: str, principal: Principal | None = None) -> RunEvent | None:
        """Return what a run said last; nothing when it has said nothing, it is forgotten, or there is no such run."""
        ...

    async def forget(self, id: str, *, kind: str, principal: Principal | None = None) -> None:
        """Forget what a run said; its outcome stays known for a time."""
        ...

    async def cancel(self, id: str, *, kind: str, principal: Principal | None = None) -> bool:
        """Stop a run, wherever it runs or waits; `False` when it has ended.

        Raises:
            UnknownId: There is no such run of this principal.
        """
        ...
