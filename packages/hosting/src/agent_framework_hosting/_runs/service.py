"""Background runs: tasks with a log of what they say; see `channel.Runs`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import suppress
from functools import partial
from typing import Final

from .._deadlines import in_background
from .._state.events import EventLog, Position, RunName
from .._state.store import StateStore
from .._state.tasks import TaskState
from .._tasks.service import TaskService
from ..channel import RunEvent, RunHandler, RunStatus, Task, TaskHandler
from ..errors import UnknownId
from ..ids import mint
from ..isolation import current_principal
from ..limits import Limits
from ..types import JSON, Principal
from .writer import Writer

_LOOK: Final = 0.2
"""Seconds between two looks at a run that another process does."""
_LONG_LOOK: Final = 1.0
"""The same for one that this process does, which says so when it has stored something."""
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

    def handle(self, kind: str, handler: RunHandler, *, on_give_up: TaskHandler | None = None) -> None:
        """See `channel.Runs`."""
        self._tasks.handle(kind, partial(self._do, handler), on_give_up=on_give_up)

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
    ) -> AsyncIterator[RunEvent]:
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

    async def _do(self, handler: RunHandler, task: Task) -> None:
        run = RunName(task.principal.owner, task.kind, task.id)
        writer = Writer(
            self._log,
            run,
            task.attempt,
            max_bytes=self._limits.max_response_bytes,
            on_stored=partial(self._tell, run),
        )
        self._here.add(run)
        try:
            with in_background():
                await handler(task, writer)
        finally:
            # Readers look at once from now on, since the end of a task is not said here.
            self._here.discard(run)
            await writer.close()
            self._tell(run)

    async def _read(self, run: RunName, after: Position | None) -> AsyncGenerator[RunEvent]:
        told = asyncio.Event()
        self._readers.setdefault(run, set()).add(told)
        try:
            has_ended = False
            while True:
                told.clear()
                events = await self._log.read(run, after=after, most=_MOST)
                for event in events:
                    yield RunEvent(event.attempt, event.sequence, event.data)
                    after = (event.attempt, event.sequence)
                if events:
                    continue
                if has_ended:
                    return
                state = await self._store.tasks.find(run.owner, run.kind, run.id)
                # When it has, there is one more look: what it said last may have come in between.
                has_ended = state is None or state.has_ended
                if not has_ended:
                    with suppress(TimeoutError):
                        async with asyncio.timeout(_LONG_LOOK if run in self._here else _LOOK):
                            await told.wait()
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


def _name(run_id: str, kind: str, principal: Principal | None) -> RunName:
    return RunName((principal or current_principal()).owner, kind, run_id)
