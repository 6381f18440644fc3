"""Takes accepted work, runs it when its turn comes, and sees to it that it ends.

Rules of this file:
1. What is stored is the truth. This process looks there whenever it is woken, and from time to time in case that a wake
   was lost, another process died, or a task is to be tried again.
2. A task is taken only while there is room, and while the host takes work.
3. Of those that were running at two deaths of their processes one runs at a time: when it is one of them that kills,
   the others do not fail with it.
4. How a task ended is stored however long that takes: until then it is this process's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Final

import msgspec

from .._admission import Admission, Run
from .._state.tasks import NewTask, TakenTask
from .._stepping import turn
from ..errors import ConfigurationError, Draining, InvalidRequest, NotStarted, RequestTooLarge, StateUnavailable
from ..isolation import current_principal
from ..limits import Limits
from ..logs import logger
from ..types import JSON, Owner, Principal
from .accepted import Doer
from .circumstances import described
from .running import Ending, end_of

if TYPE_CHECKING:
    from .._state.parts import TaskStore

_LOOK: Final = 1.0
"""Seconds between two looks, and between two tries when the store does not answer."""
_GRACE: Final = 1.0
"""Seconds that handlers get to let themselves be cancelled, once the host has drained and told them."""


class _Running(msgspec.Struct, frozen=True):
    taken: TakenTask
    run: Run
    task: asyncio.Task[None]


class TaskService:
    """Looks after the host's accepted work; see `channel.Tasks`.

    Args:
        store: Where it is kept.
        admission: Says whether anything more is done.
        limits: The host's.
        doers: Who does the tasks of each kind; those who come later are told of by `watch`.
    """

    def __init__(self, *, store: TaskStore, admission: Admission, limits: Limits, doers: Mapping[str, Doer]) -> None:
        self._store = store
        self._admission = admission
        self._limits = limits
        self._doers = doers
        self._running: dict[int, _Running] = {}
        self._wanted = asyncio.Event()
        self._worker: asyncio.Task[None] | None = None
        self._has_started = False
        self._without: AbstractSet[str] = frozenset()

    @property
    def is_draining(self) -> bool:
        """Whether nothing more is taken here."""
        return self._admission.draining

    @property
    def running(self) -> int:
        """How many tasks are being done here."""
        return len(self._running)

    async def accept(self, *, kind: str, id: str, line: str, payload: JSON, principal: Principal | None = None) -> bool:
        """See `channel.Tasks`."""
        if kind not in self._doers:
            raise ConfigurationError(f"Nobody does tasks of the kind {kind!r}. Call `handle` for it first.")
        self._admission.check()
        if not self._has_started:
            raise NotStarted(
                "The host has not been started, so nobody would do what it accepts. Pass lifespan=host.lifespan to "
                "the application that mounts host.app, or use `async with host:`."
            )
        principal = principal or current_principal()
        try:
            encoded = msgspec.json.encode(payload)
        except UnicodeEncodeError as error:
            raise InvalidRequest("A text of the task has half a surrogate pair in it, which is no Unicode.") from error
        if len(encoded) > self._limits.max_request_bytes:
            raise RequestTooLarge(
                f"The task has {len(encoded)} bytes, which is more than the {self._limits.max_request_bytes} of "
                "Limits.max_request_bytes."
            )
        return await self._store.accept(
            NewTask(
                owner=principal.owner,
                kind=kind,
                id=id,
                line=line,
                payload=encoded,
                circumstances=described(principal),
                max_waiting=self._limits.max_waiting,
                max_open=self._limits.max_tasks,
            )
        )

    async def cancel(self, *, kind: str, id: str, principal: Principal | None = None) -> bool:
        """See `channel.Tasks`."""
        return await self._store.cancel((principal or current_principal()).owner, kind, id)

    async def cancel_line(self, line: str, *, principal: Principal | None = None) -> int:
        """See `channel.Tasks`."""
        return await self._store.cancel_line((principal or current_principal()).tenant, line)

    def start(self, *, without: AbstractSet[str] = frozenset()) -> None:
        """Do what was accepted, from now on; not that of channels that did not start, which waits for others."""
        self._without = without
        self._has_started = True
        self.watch()

    async def warn_of_strays(self) -> None:
        """Say which work was accepted by another release, or another host, that nobody does here."""
        if not self._store.is_durable:
            return
        try:
            kinds = await self._store.open_kinds()
        except StateUnavailable:
            return  # the store has said so, and the next start looks again
        strays = ", ".join(f"{kinds[kind]} of the kind {kind}" for kind in sorted(kinds.keys() - self._doers.keys()))
        if strays:
            logger.warning(
                "No channel of this host does some of the accepted work in its database: %s. It waits, and what came "
                "after it in its lines, for a host that does it, or until `Limits.record_ttl`. Serve the channel that "
                "accepted it, or forget it with `af-hosting purge`.",
                strays,
            )

    def watch(self) -> None:
        """Look for work, once there is somebody to do it."""
        # A host without such work asks its database nothing.
        if self._has_started and self._doers and self._worker is None:
            # An event belongs to the loop in which it was waited for first, and a host may be started again in another.
            self._wanted = asyncio.Event()
            self._store.watch(self._wanted.set)
            self._wanted.set()
            self._worker = asyncio.create_task(self._work())

    async def stop(self) -> None:
        """Do nothing more; what still runs although the host has drained is put back as it is."""
        worker, self._worker = self._worker, None
        self._has_started = False
        if worker is None:
            return
        late = list(self._running.values())
        ending = {worker, *(running.task for running in late)}
        for task in ending:
            task.cancel()
        _, stubborn = await asyncio.wait(ending, timeout=_GRACE)
        for running in late:
            if running.task in stubborn:
                logger.error(
                    "A task does not let itself be stopped, and is put back while it runs (%s %s).",
                    running.taken.kind,
                    running.taken.id,
                )
        self._running.clear()
        with suppress(StateUnavailable):  # then others take it once this process is known to be dead
            for running in late:
                await self._store.put_back(running.taken, after=0, has_failed=False)
            # What was taken at the last moment, and not begun, too.
            await self._store.look([])

    async def _work(self) -> None:
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(_LOOK):
                    await self._wanted.wait()
            self._wanted.clear()
            try:
                await self._stop_some()
                await self._begin_some()
            except StateUnavailable:
                await asyncio.sleep(_LOOK)
            except Exception:  # noqa: BLE001 - accepted work must not wait for a restart because one look went wrong
                logger.exception("Accepted work could not be looked after; it is tried again.")
                await asyncio.sleep(_LOOK)

    async def _stop_some(self) -> None:
        held = [running.taken for running in self._running.values()]
        for number, cause in (await self._store.look(held)).items():
            if number in self._running:
                self._running[number].run.stop(cause)

    async def _begin_some(self) -> None:
        kinds = tuple(kind for kind, doer in self._doers.items() if doer.channel not in self._without)
        for suspects in (False, True):
            room = self._limits.max_running_tasks - len(self._running)
            if suspects:
                room = min(room, 0 if any(running.taken.is_suspect for running in self._running.values()) else 1)
            if room > 0 and kinds and not self._admission.draining:
                for taken in await self._store.take(kinds, most=room, suspects=suspects):
                    await self._begin(taken)

    async def _begin(self, taken: TakenTask) -> None:
        try:
            run = self._admission.enter()
        except Draining:
            await self._store.put_back(taken, after=0, has_failed=False)
        else:
            self._running[taken.number] = _Running(taken, run, asyncio.create_task(self._do(taken, run)))

    async def _do(self, taken: TakenTask, run: Run) -> None:
        try:
            # In a loop whose tasks begin at once this would be over before it is known to be running.
            await turn()
            doer, is_ours = self._doers[taken.kind], partial(self._is_ours, taken)
            ending = await end_of(taken, run, doer, limits=self._limits, is_ours=is_ours)
            await self._store_end(taken, ending)
        except Exception:  # noqa: BLE001 - the next look finds that nobody runs the task, and puts it back
            logger.exception("How a task ended could not be stored (%s %s).", taken.kind, taken.id)
        finally:
            # What was put back may have been taken again before this is reached.
            if self._has(taken):
                del self._running[taken.number]
            run.end()
            self._wanted.set()

    def _has(self, taken: TakenTask) -> bool:
        running = self._running.get(taken.number)
        return running is not None and running.taken is taken

    async def _is_ours(self, taken: TakenTask, owner: Owner) -> bool:
        while self._has(taken):
            try:
                state = await self._store.find(owner, taken.kind, taken.id)
            except StateUnavailable:
                await asyncio.sleep(_LOOK)
            else:
                return state is not None and not state.has_ended and state.attempt == taken.attempt
        return False

    async def _store_end(self, taken: TakenTask, ending: Ending) -> None:
        while self._has(taken):
            try:
                if ending.outcome is not None:
                    await self._store.settle(taken, ending.outcome)
                elif not ending.is_lost:
                    await self._store.put_back(taken, after=ending.after, has_failed=ending.has_failed)
                    self._wake_in(ending.after)
                return
            except StateUnavailable:
                await asyncio.sleep(_LOOK)

    def _wake_in(self, seconds: float) -> None:
        if self._worker is not None:
            asyncio.get_running_loop().call_later(seconds, self._wanted.set)
