"""Accepted work, of a host that may never accept any; see `channel.Tasks`.

What looks after it is loaded when there may be something to look after: with the first task, or at the start of a host
whose database may hold some. Until then it is only known what would be done, and by whom.
"""

from __future__ import annotations

from collections.abc import Generator
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from typing import TYPE_CHECKING

import msgspec

from .._admission import Admission
from ..errors import ConfigurationError
from ..limits import Limits
from ..types import JSON, Principal

if TYPE_CHECKING:
    from .._state.port import StateStore
    from ..channel import TaskHandler
    from .service import TaskService


class Doer(msgspec.Struct, frozen=True):
    """Who does the tasks of a kind, who is told of one that is given up, for which channel, and whether at a start."""

    handler: TaskHandler
    on_give_up: TaskHandler | None
    channel: str
    needs_start: bool


class AcceptedWork:
    """The host's.

    Args:
        store: Where it is kept.
        admission: Says whether anything more is done.
        limits: The host's.
        is_in_memory: Whether what was accepted goes with this process, so that nothing can be there at its start.
    """

    def __init__(self, *, store: StateStore, admission: Admission, limits: Limits, is_in_memory: bool) -> None:
        self._store = store
        self._admission = admission
        self._limits = limits
        self._is_in_memory = is_in_memory
        self._doers: dict[str, Doer] = {}
        self._service: TaskService | None = None
        self._channel = ""
        self._has_started = False
        self._without: AbstractSet[str] = frozenset()

    @property
    def is_used(self) -> bool:
        """Whether there is anything without which the host cannot do its work."""
        return any(doer.needs_start for doer in self._doers.values())

    @property
    def running(self) -> int:
        """How many tasks are being done here."""
        return self._service.running if self._service is not None else 0

    @property
    def is_durable(self) -> bool:
        """See `channel.Tasks`."""
        return not self._is_in_memory and self._store.tasks.is_durable

    @property
    def service(self) -> TaskService:
        """What looks after it."""
        if self._service is None:
            from .service import TaskService

            self._service = TaskService(
                store=self._store.tasks, admission=self._admission, limits=self._limits, doers=self._doers
            )
            if self._has_started:
                self._service.start(without=self._without)
        return self._service

    def handle(
        self, kind: str, handler: TaskHandler, *, on_give_up: TaskHandler | None = None, needs_start: bool = True
    ) -> None:
        """See `channel.Tasks`."""
        if kind in self._doers:
            raise ConfigurationError(
                f"Tasks of the kind {kind!r} have a handler already. Let each channel name its kinds by its own name."
            )
        self._doers[kind] = Doer(handler, on_give_up, self._channel, needs_start)
        if self._service is not None or (self._has_started and not self._is_in_memory):
            # What was accepted before may wait for it.
            self.service.watch()

    async def accept(self, *, kind: str, id: str, line: str, payload: JSON, principal: Principal | None = None) -> bool:
        """See `channel.Tasks`."""
        return await self.service.accept(kind=kind, id=id, line=line, payload=payload, principal=principal)

    async def cancel(self, *, kind: str, id: str, principal: Principal | None = None) -> bool:
        """See `channel.Tasks`."""
        return await self.service.cancel(kind=kind, id=id, principal=principal)

    async def cancel_line(self, line: str, *, principal: Principal | None = None) -> int:
        """See `channel.Tasks`."""
        return await self.service.cancel_line(line, principal=principal)

    @contextmanager
    def handled_by(self, channel: str) -> Generator[None]:
        """Take whatever is handled from inside the block for this channel's."""
        self._channel = channel
        try:
            yield
        finally:
            self._channel = ""

    def start(self, *, without: AbstractSet[str] = frozenset()) -> None:
        """Do what was accepted, from now on; not that of channels that did not start, which waits for others."""
        self._has_started, self._without = True, without
        if self._service is not None:
            self._service.start(without=without)
        elif self._doers and not self._is_in_memory:
            _ = self.service

    async def warn_of_strays(self) -> None:
        """Say which work was accepted by another release, or another host, that nobody does here."""
        if not self._is_in_memory:
            await self.service.warn_of_strays()

    async def stop(self) -> None:
        """Do nothing more; what still runs although the host has drained is put back as it is."""
        self._has_started = False
        if self._service is not None:
            await self._service.stop()
