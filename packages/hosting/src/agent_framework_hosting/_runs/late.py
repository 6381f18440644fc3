"""Background runs, of a host that may never have one; see `channel.Runs`. What does them is loaded with the first."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from functools import cached_property
from typing import TYPE_CHECKING

from .._tasks.accepted import AcceptedWork
from ..limits import Limits
from ..types import JSON, Principal

if TYPE_CHECKING:
    from .._state.events import Position
    from .._state.port import StateStore
    from ..channel import RunEvent, RunHandler, RunStatus, Task, TaskHandler
    from .service import RunService


class LateRuns:
    """The host's background runs."""

    def __init__(self, *, work: AcceptedWork, store: StateStore, limits: Limits) -> None:
        self._work = work
        self._store = store
        self._limits = limits

    @cached_property
    def _service(self) -> RunService:
        from .service import RunService

        return RunService(tasks=self._work.service, store=self._store, limits=self._limits)

    def handle(
        self,
        kind: str,
        handler: RunHandler,
        *,
        on_give_up: TaskHandler | None = None,
        needs_start: bool = True,
        keeps_log: bool = True,
    ) -> None:
        """See `channel.Runs`."""

        async def do(task: Task) -> None:
            await self._service.do(handler, task, keeps_log=keeps_log)

        self._work.handle(kind, do, on_give_up=on_give_up, needs_start=needs_start)

    async def start(
        self, *, kind: str, line: str, payload: JSON, id: str | None = None, principal: Principal | None = None
    ) -> str:
        """See `channel.Runs`."""
        return await self._service.start(kind=kind, line=line, payload=payload, id=id, principal=principal)

    async def status(self, id: str, *, kind: str, principal: Principal | None = None) -> RunStatus:
        """See `channel.Runs`."""
        return await self._service.status(id, kind=kind, principal=principal)

    async def events(
        self, id: str, *, kind: str, after: Position | None = None, principal: Principal | None = None
    ) -> AsyncGenerator[RunEvent]:
        """See `channel.Runs`."""
        return await self._service.events(id, kind=kind, after=after, principal=principal)

    async def cancel(self, id: str, *, kind: str, principal: Principal | None = None) -> bool:
        """See `channel.Runs`."""
        return await self._service.cancel(id, kind=kind, principal=principal)

    async def last(self, id: str, *, kind: str, principal: Principal | None = None) -> RunEvent | None:
        """See `channel.Runs`."""
        return await self._service.last(id, kind=kind, principal=principal)

    async def forget(self, id: str, *, kind: str, principal: Principal | None = None) -> None:
        """See `channel.Runs`."""
        await self._service.forget(id, kind=kind, principal=principal)
