"""The store over a database; see `StateStore`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Generator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, Final

from ...errors import ConfigurationError, RequestError, StateUnavailable
from ...ids import mint
from ...logs import logger
from ...types import Owner
from ..encoded import Encoded
from ..store import Finished, LossReason, Opened, Replay, StoredTurn, TurnRequest, Unfinished
from ..turns import SessionName
from . import accept, claims, forgetting, lanes, retention, turns
from .accept import Accepted, Refused
from .documents import SqlDocuments
from .doors import Doors
from .driver import Driver
from .events import SqlEvents
from .records import SqlRecords
from .retention import Ages
from .sqlclaims import SqlClaims
from .sqltasks import SqlTasks
from .timing import TimedDriver
from .worker import LEASE, Held, Worker

_SWEEP: Final = 60.0
"""Seconds between two sweeps."""
_BETWEEN_TRIES: Final = 1.0
_SWEPT: Final = 100
"""Conversations, ids, and keys of one sweep's transaction."""
_DAY: Final = 86_400.0
_TURNS: Final = 500
"""Turns of a conversation that are forgotten in one transaction."""


class SqlStore:
    """Keeps sessions, their turns and their lines in one database, for any number of processes.

    Args:
        driver: Runs the transactions.
        ages: How long what is kept.
        lease: Seconds for which a process may be silent before its sessions are taken over.
    """

    def __init__(self, driver: Driver, *, ages: Ages, lease: float = LEASE) -> None:
        driver = TimedDriver(driver)
        self._driver = driver
        self._ages = ages
        self._worker = Worker(driver, lease=lease)
        self.tasks = SqlTasks(driver, self._worker)
        self.events = SqlEvents(driver)
        self.claims = SqlClaims(driver, worker=self._worker.id)
        self.documents = SqlDocuments(driver)
        self.records = SqlRecords(driver)
        self._doors = Doors()
        self._sweeper: asyncio.Task[None] | None = None
        self._leaving: set[asyncio.Task[None]] = set()

    @property
    def encodes(self) -> bool:
        """See `StateStore`."""
        return True

    @property
    def is_well(self) -> bool:
        """See `StateStore`."""
        return self._worker.is_well

    async def start(self) -> None:
        """See `StateStore`."""
        await self._driver.start(self._woken)
        try:
            await self._worker.start()
        except StateUnavailable as error:
            await self._driver.stop()
            raise ConfigurationError(
                "The database cannot be used as the host's database: it answers, but takes no writing. The log says "
                "why. Mend it, restore it from a backup, or name another one in database=."
            ) from error
        except BaseException:
            await self._driver.stop()
            raise
        self._sweeper = asyncio.create_task(self._sweep())

    async def stop(self) -> None:
        """See `StateStore`; it is done to its end, which is bounded, also when whoever waits for it is cancelled."""
        stopping = asyncio.create_task(self._stop())
        try:
            await asyncio.shield(stopping)
        except asyncio.CancelledError:
            # Cut in the middle, it would leave behind what nobody can give back any more: connections, threads.
            await asyncio.wait({stopping})
            if not stopping.cancelled() and (error := stopping.exception()) is not None:
                logger.error("The database could not be let go of: %s", type(error).__name__, exc_info=error)
            raise

    async def _stop(self) -> None:
        sweeper, self._sweeper = self._sweeper, None
        if sweeper is not None:
            sweeper.cancel()
            _, late = await asyncio.wait([sweeper, *self._leaving], timeout=_BETWEEN_TRIES)
            for task in late:
                task.cancel()
        await self._worker.stop()
        await self._driver.stop()

    async def accept(self, request: TurnRequest) -> SqlPlace | Replay:
        """See `StateStore`."""
        held = Held(mint())
        self._worker.add(held)
        accepting = partial(accept.accept, request, ticket=held.id, worker=self._worker.id)
        try:
            await self._worker.be_alive()
            # Connections are not used in the order in which they are asked for, and those who come first go first.
            async with self._doors.at((request.tenant, request.key, request.parent)):
                accepted = await self._driver.run(accepting, durable=bool(request.answers))
            if isinstance(accepted, Accepted):
                self._worker.entered(held, accepted.fence)
                await self._worker.tell(accepted.wakes)
        except RequestError:
            self._worker.remove(held)
            raise
        except BaseException:
            self._worker.doubt(held)
            raise
        if isinstance(accepted, Refused):
            self._worker.doubt(held)
            raise accepted.error
        if isinstance(accepted, Replay):
            self._worker.remove(held)
            return accepted
        return SqlPlace(self, self._driver, self._worker, held=held, request=request, accepted=accepted)

    async def named(self, tenant: str, key: str) -> SessionName:
        """See `StateStore`."""
        return (await self._driver.read(partial(turns.open_session, tenant, key))).name

    async def find(self, owner: Owner, turn_id: str) -> StoredTurn | None:
        """See `StateStore`."""
        return await self._driver.read(partial(turns.find, owner, turn_id))

    async def find_all(self, owner: Owner, turn_ids: Sequence[str]) -> Mapping[str, StoredTurn]:
        """See `StateStore`."""
        return await self._driver.read(partial(turns.find_all, owner, turn_ids))

    async def head(self, session: SessionName) -> int | None:
        """See `StateStore`."""
        return (await self._driver.read(partial(turns.reopen, session))).head

    async def load(self, point: int) -> list[Encoded]:
        """See `StateStore`."""
        return await self._driver.read(partial(turns.chain, point))

    async def rest(self, session: SessionName) -> bytes | None:
        """Return the state beside the messages as the last run of the session left it."""
        return await self._driver.read(partial(turns.last_rest, session))

    async def mark_answered(self, session: SessionName, request_ids: Sequence[str]) -> None:
        """Mark requests of a conversation as answered; it has reached the disk when this returns."""
        marking = partial(claims.mark_answered, tenant=session.tenant, root=session.root, request_ids=request_ids)
        await self._driver.run(marking, durable=True, ahead=True)

    async def answered(self, session: SessionName) -> Sequence[str]:
        """Return the requests of a conversation that were answered."""
        return await self._driver.read(partial(claims.answered, tenant=session.tenant, root=session.root))

    async def forget(self, session: SessionName) -> None:
        """See `StateStore`."""
        await self._driver.run(partial(forgetting.forget, tenant=session.tenant, root=session.root), durable=True)

    def rotate(self, tenant: str, key: str) -> Sequence[SessionName]:
        """See `StateStore`."""
        self._driver.run_now(partial(turns.rotate, tenant, key, mint()))
        return ()

    async def cancel(self, tenant: str, key: str) -> bool:
        """See `StateStore`."""
        stopping = partial(lanes.stop, tenant=tenant, key=key, worker=self._worker.id)
        found, wakes = await self._driver.run(stopping, durable=False)
        await self._worker.tell(wakes)
        return found

    async def sweep(self) -> None:
        """Forget all that has expired."""
        before: list[tuple[str, str]] = []
        while (found := await self._expired()) and found != before:
            for tenant, root in found:
                await self._expire(tenant, root)
            # What stays although it has expired is being used: it is looked at again with the next sweep.
            before = found
        place, is_over = retention.BEGINNING, False
        while not is_over:
            sweeping = partial(retention.sweep, self._ages, most=_SWEPT, after=place)
            swept = await self._driver.run(sweeping, durable=False)
            is_over, place = swept.is_over, swept.place
            for kind, number in swept.undone.items():
                logger.warning(
                    "Accepted work is forgotten that nobody has done within %g days: %d of the kind %s.",
                    self._ages.records / _DAY,
                    number,
                    kind,
                )

    async def _expired(self) -> list[tuple[str, str]]:
        return await self._driver.run(partial(retention.expired, self._ages, most=_SWEPT), durable=False)

    async def _expire(self, tenant: str, root: str) -> None:
        run, ttl, where = self._driver.run, self._ages.sessions, {"tenant": tenant, "root": root}
        expiring = partial(forgetting.expire, **where, ttl=ttl, most=_TURNS)
        while (last := (await run(expiring, durable=False)).last) is None:
            pass
        if last:
            while await run(partial(forgetting.drop_turns, **where, last=last, most=_TURNS), durable=False):
                pass
            await run(partial(forgetting.expire_sessions, **where, ttl=ttl), durable=False)

    def leave_later(self, leaving: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Leave a line from where nobody can wait for it; tried until the database answers, or the host stops."""
        if self._sweeper is None:  # this process has given everything back, or is about to
            return
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:  # no event loop is left: the lease will run out
            return
        task = loop.create_task(_until_it_answers(leaving))
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)

    def _woken(self) -> None:
        self._worker.wake()
        self.tasks.wake()

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(_SWEEP)
            try:
                await self.sweep()
            except StateUnavailable:
                logger.warning("What has expired could not be forgotten now; it is tried again.")
            except Exception:  # noqa: BLE001 - what expires must not stay for ever because one sweep went wrong
                logger.exception("What has expired could not be forgotten; it is tried again.")


async def _until_it_answers(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    while True:
        try:
            return await work()
        except StateUnavailable:
            await asyncio.sleep(_BETWEEN_TRIES)


@contextmanager
def _after_a_run() -> Generator[None]:
    try:
        yield
    except StateUnavailable as error:
        raise StateUnavailable(
            "The request was run, but the server cannot reach its database, so that the turn may not be part of the "
            "conversation. Look at the conversation before you send the request again.",
            has_run=True,
        ) from error


class SqlPlace:
    """A place in a line of the database; see `Place`."""

    def __init__(
        self,
        store: SqlStore,
        driver: Driver,
        worker: Worker,
        *,
        held: Held,
        request: TurnRequest,
        accepted: Accepted,
    ) -> None:
        self.parent = accepted.parent
        self.key = accepted.key
        self.head = accepted.opened.head
        self.attempt = accepted.attempt
        self.name = request.name
        self._store = store
        self._driver = driver
        self._worker = worker
        self._held = held
        self._request = request
        self._root = accepted.parent.session.root if accepted.parent is not None else request.root or accepted.key
        self._opened = accepted.opened if accepted.fence is not None else None
        self._is_left = self._is_moving = False

    def watch(self, on_loss: Callable[[LossReason], None]) -> None:
        """See `Place`."""
        self._held.on_loss = on_loss

    async def open(self) -> Opened:
        """See `Place`."""
        await self._held.turn()
        if self._opened is not None:
            # Whose turn it was at once has read it then, and nobody else has been in between.
            return self._opened
        return await self._driver.run(
            partial(accept.open_turn, tenant=self._request.tenant, key=self.key, parent=self.parent), durable=False
        )

    async def move(self, key: str) -> Opened:
        """See `Place`."""
        held, self._held = self._held, Held(self._held.id)
        self._held.on_loss = held.on_loss
        self._is_moving = True
        self._worker.add(self._held)
        moved = await self._driver.run(
            partial(
                accept.move,
                tenant=self._request.tenant,
                key=self.key,
                to=key,
                ticket=self._held.id,
                worker=self._worker.id,
                max_waiting=self._request.max_waiting,
            ),
            durable=False,
        )
        self.key, self.parent, self._is_moving = key, None, False
        self._opened = moved.opened if moved.fence is not None else None
        self._worker.entered(self._held, moved.fence)
        await self._worker.tell(moved.wakes)
        return await self.open()

    async def commit(self, finished: Finished) -> int:
        """See `Place`."""
        # Out of sight first: once it is stored, whoever looks finds the turn gone, and would take it for lost.
        self._worker.remove(self._held)
        has_claim = self._request.claim is not None
        with _after_a_run():
            number, wakes = await self._driver.run(
                partial(accept.commit, finished, key=self.key, ticket=self._held.id, has_claim=has_claim),
                durable=True,
                ahead=True,
            )
        self._is_left = True
        await self._worker.tell(wakes)
        return number

    async def settle(self, record: bytes) -> None:
        """See `Place`."""
        settling = partial(
            accept.settle,
            record,
            tenant=self._request.tenant,
            key=self.key,
            ticket=self._held.id,
            has_claim=self._request.claim is not None,
        )
        self._worker.remove(self._held)
        with _after_a_run():
            wakes = await self._driver.run(settling, durable=True, ahead=True)
        self._is_left = True
        await self._worker.tell(wakes)

    async def leave(self, unfinished: Unfinished | None = None, *, has_run: bool) -> None:
        """See `Place`."""
        if self._is_left:
            return
        self._is_left = True
        self._worker.remove(self._held)
        leaving = partial(self._leave, unfinished, has_run=has_run)
        try:
            await leaving()
        except BaseException as error:
            # Also when the caller gives up: this process stays alive, so that nobody would ever take the line over.
            self._store.leave_later(leaving)
            if not isinstance(error, StateUnavailable):
                raise

    def abandon(self) -> None:
        """See `Place`."""
        if not self._is_left:
            self._store.leave_later(partial(self.leave, has_run=False))

    async def _leave(self, unfinished: Unfinished | None, *, has_run: bool) -> None:
        wakes = await self._driver.run(
            partial(
                accept.leave,
                unfinished,
                tenant=self._request.tenant,
                root=self._root,
                key=self.key,
                ticket=self._held.id,
                has_run=has_run,
                has_claim=self._request.claim is not None,
            ),
            durable=unfinished is not None,
            ahead=True,
        )
        if self._is_moving:
            # Nobody knows in which of two lines it stands.
            self._worker.doubt(self._held)
        await self._worker.tell(wakes)
