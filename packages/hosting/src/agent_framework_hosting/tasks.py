"""The contract for channel authors: work that is done once it was accepted."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

from ._alike import alike
from .types import JSON, Principal


@alike
@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A piece of accepted work, as its handler gets it.

    Args:
        kind: Which handler it is for.
        id: What the one who asked for it names it by, unique among the principal's tasks of its kind.
        line: The line that it stands in.
        payload: What is to be done, in the channel's words; JSON.
        attempt: Counts from 1; above 1 the same task was begun before, by this process or by one that died.
        principal: Who asked for it.
    """

    kind: str
    id: str
    line: str
    payload: Any
    attempt: int
    principal: Principal


TaskHandler: TypeAlias = Callable[[Task], Awaitable[None]]
"""Does a task. Whatever it raises is a failure, but for `TryAgain`."""


class TryAgain(Exception):
    """A handler wants its task to be tried again in `after` seconds, without that counting as a failure.

    The task keeps its place, so that its line waits meanwhile.
    """

    def __init__(self, *, after: float) -> None:
        super().__init__(f"The task is to be tried again in {after} seconds.")
        self.after = after


class Tasks(Protocol):
    """Work that is done once it was accepted: also when its caller goes away or, with a database, this process dies.

    The tasks of one line run one at a time, in the order in which they were accepted, over all processes. Lines are a
    tenant's and shared by all kinds; they have nothing to do with the sessions of that name. A task runs at least once:
    a handler that died before its task was settled is run again, so that it has to know what it has done already. What
    the agent did is known by itself when the handler names its run by the task (`idempotency=` of `run_stream`): a turn
    that was committed before the crash comes back as `Replayed`.

    A task that fails is tried again in its place, later each time, and given up after `Limits.task_failures`.
    """

    @property
    def is_durable(self) -> bool:
        """Whether accepted tasks outlive this process."""
        ...

    def handle(
        self, kind: str, handler: TaskHandler, *, on_give_up: TaskHandler | None = None, needs_start: bool = True
    ) -> None:
        """Let tasks of a kind be done by `handler`; call it in `contribute`.

        The handler runs as the principal who asked, in the trace and under the isolation keys of the request in which
        the task was accepted. It is cancelled where it waits when the task is (`cancel`), when another process has
        taken it over, and when the host has drained for long enough; then the task goes to another process. The tasks
        of a channel that is disabled, because it failed to start, wait for a process in which it has started.

        Args:
            kind: Names the work; tasks outlive releases, so that it has to stay the same. Put the channel's name in.
            handler: Does it.
            on_give_up: Called with a task that is given up, before it is forgotten; what it raises is logged.
            needs_start: Whether a host takes no request at all before it was started; without it only tasks of this
                kind are refused until then.

        Raises:
            ConfigurationError: The kind has a handler already.
        """
        ...

    async def accept(self, *, kind: str, id: str, line: str, payload: JSON, principal: Principal | None = None) -> bool:
        """Keep a task; with a database it has reached the disk when this returns, so that it can be acknowledged.

        Args:
            kind: Which handler it is for.
            id: Names it: one that is known already, running or done within `Limits.idempotency_ttl`, is not kept again.
            line: Where it stands in line.
            payload: What is to be done.
            principal: Who asks for it; whoever makes the request that is being handled when left out.

        Returns:
            Whether it is new; `False` when a task of that id is known.

        Raises:
            QueueFull: Too many wait in its line, or in all.
            InvalidRequest: Its id or line is one that cannot be kept.
            RequestTooLarge: The payload is larger than `Limits.max_request_bytes`.
            Unavailable: The host drains, has not started, or cannot reach its database. Then it is not known whether
                the task was kept; asking again with the same id is safe.
        """
        ...

    async def cancel(self, *, kind: str, id: str, principal: Principal | None = None) -> bool:
        """End a task that waits, and stop one that runs, wherever; `False` when it is unknown, not yours, or done."""
        ...

    async def cancel_line(self, line: str, *, principal: Principal | None = None) -> int:
        """Do the same with all tasks of a line in the principal's tenant, whoever asked for them; returns how many."""
        ...
