"""Background runs: tasks with a log of what they say; see `channel.Runs`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Final

from .._deadlines import in_background
from .._state.events import Position, RunName
from .._state.tasks import TaskState
from .._tasks.service import TaskService
from ..channel import RunEvent, RunHandler, RunStatus, Task
from ..errors import UnknownId
from ..ids import mint
from ..isolation import current_principal
from ..limits import Limits
from ..types import JSON, Principal
from .writer import Writer

if TYPE_CHECKING:
    from .._state.parts import EventLog
    from .._state.port import StateStore

_LOOK: Final = 0.2
"""Seconds between two looks at a run that another process does."""
_LONG_LOOK: Final = 1.0
"""The same for one that this process does, which says so when it has stored something."""
_QUICK_LOOK: Final = 0.02
"""The same for one that this process has just done: its end is about to be stored."""
_QUICK_LOOKS: Final = 25
_MOST: Final = 500
"""Events that are read at once."""
_LONGEST: Final = 64
"""Characters of a caller's id that a message repeats."""


class RunService:
    """The host's background runs."""

    def __init__(self, *, tasks: TaskService, store: StateStore, limits: Limits) -> None:
        self._tasks = tasks
        self._store = store
        self._limits = limits
        self._readers: dict[RunName, set[asyncio.Event]] = {}
        self._here: set[RunName] = set()

    @property
    def _log(self) -> EventLog:
        return self._store.events

    async def start(
        self, *, kind: str, line: str, payload: JSON, id: str | None = None, principal: Principal | None = None
    ) -> str:
        """See `channel.Runs`."""
        run_id = mint("run_") if id is None else id
        await self._tasks.accept(kind=kind, id=run_id, line=line, payload=payload, principal=principal)
        return run_id

    async def status(self, id: str, *, kind: str, principal: Principal | None = None) -> RunStatus:
        """See `channel.Runs`."""
        state = await self._state(_name(id, kind, principal))
        return RunStatus(state.status, state.attempt)

    async def events(
        self, id: str, *, kind: str, after: Position | None = None, principal: Principal | None = None
    ) -> AsyncGenerator[RunEvent]:
        """See `channel.Runs`."""
        run = _name(id, kind, principal)
        await self._state(run)
        return self._read(run, after)

    async def cancel(self, id: str, *, kind: str, principal: Principal | None = None) -> bool:
        """See `channel.Runs`."""
        run = _name(id, kind, principal)
        await self._state(run)
        cancelled = await self._store.tasks.cancel(run.owner, run.kind, run.id)
        self._tell(run)
        return cancelled

    async def last(self, id: str, *, kind: str, principal: Principal | None = None) -> RunEvent | None:
        """See `channel.Runs`."""
        event = await self._log.last(_name(id, kind, principal))
        return RunEvent(event.attempt, event.sequence, event.data) if event is not None else None

    async def forget(self, id: str, *, kind: str, principal: Principal | None = None) -> None:
        """See `channel.Runs`."""
        await self._log.forget(_name(id, kind, principal))

    async def do(self, handler: RunHandler, task: Task, *, keeps_log: bool) -> None:
        """Do the task of a run."""
        run = RunName(task.principal.owner, task.kind, task.id)
        writer = Writer(
            self._log,
            run,
            task.attempt,
            max_bytes=self._limits.max_response_bytes,
            on_stored=partial(self._tell, run),
        )
        self._here.add(run)
        is_over = False
        try:
            with in_background():
                await handler(task, writer)
            is_over = True
        except asyncio.CancelledError as error:
            is_over = error.args[:1] == ("cancelled",)
            raise
        finally:
            # Readers look soon from now on, since the end of a task is not said here.
            self._here.discard(run)
            await writer.close()
            self._tell(run)
            if is_over and not keeps_log:
                await self._log.forget(run)

    async def _read(self, run: RunName, after: Position | None) -> AsyncGenerator[RunEvent]:
        told = asyncio.Event()
        self._readers.setdefault(run, set()).add(told)
        try:
            has_ended, quick = False, 0
            while True:
                told.clear()
                events = await self._log.read(run, after=after, most=_MOST)
                for event in events:
                    yield RunEvent(event.attempt, event.sequence, event.data)
                    after = (event.attempt, event.sequence)
                if events:
                    continue
                is_here = run in self._here
                if has_ended or (self._tasks.is_draining and not is_here):
                    return
                state = await self._store.tasks.find(run.owner, run.kind, run.id)
                # When it has, there is one more look: what it said last may have come in between.
                has_ended = state is None or state.has_ended
                if has_ended:
                    continue
                quick = _QUICK_LOOKS if is_here else quick - 1
                await _rung(told, within=_LONG_LOOK if is_here else _QUICK_LOOK if quick > 0 else _LOOK)
        finally:
            readers = self._readers[run]
            readers.discard(told)
            if not readers:
                del self._readers[run]

    async def _state(self, run: RunName) -> TaskState:
        state = await self._store.tasks.find(run.owner, run.kind, run.id)
        if state is None:
            raise UnknownId(f"There is no run with the id {run.id[:_LONGEST]!r}: it is unknown or has expired.")
        return state

    def _tell(self, run: RunName) -> None:
        for told in self._readers.get(run, ()):
            told.set()


async def _rung(told: asyncio.Event, *, within: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(within):
            await told.wait()


def _name(run_id: str, kind: str, principal: Principal | None) -> RunName:
    return RunName((principal or current_principal()).owner, kind, run_id)
