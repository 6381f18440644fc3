"""The line of a session key: first in, first out, one at a time, over all processes.

Rules of this file:
1. The lane's row is the lock: who reads or changes a line has locked its lane first.
2. Whoever leaves hands the turn straight to the next one. A lane is free only when nobody waits, so that a newcomer
   never overtakes.
3. A lease is held by a worker that is alive on the database's clock. What a dead one held is handed over by whoever
   comes or waits; its own waiting tickets count no more. Who asks is alive, whatever has become of its lease while the
   question was on its way: it never takes its own lines over.
4. What is written under a lease checks, in the same transaction, that its ticket still has the lane.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from ...errors import QueueFull, SessionBusy
from ...types import Owner
from ..store import Concurrency
from .script import Script, Statement, all_of, do, one, together


@dataclass(frozen=True, slots=True)
class Wake:
    """A worker that should look again: a ticket of its has its turn, or has to stop.

    `ticket` and `fence` say which one has its turn; they are empty when something has to stop.
    """

    worker: str
    address: str
    ticket: str = ""
    fence: int = 0


@dataclass(frozen=True, slots=True)
class Entered:
    """How a ticket entered its line: with the lane's `fence` when it is its turn at once."""

    fence: int | None
    wakes: tuple[Wake, ...] = ()


# A ticket that took it and is tried again, because what came behind failed, has it.
_TAKEN: Final = """
ON CONFLICT (tenant, key) DO UPDATE SET
  ticket = excluded.ticket, worker = excluded.worker, fence = af_lane.fence + 1, is_stopped = 0, used_at = {now}
WHERE af_lane.ticket IS NULL OR af_lane.ticket = excluded.ticket
RETURNING fence, key
"""
_TAKE: Final = f"""
INSERT INTO af_lane (tenant, key, ticket, worker, fence, is_stopped, used_at)
VALUES (:tenant, :key, :ticket, :worker, 1, 0, {{now}}) {_TAKEN}
"""  # noqa: S608 - made of constants
# Of the session of a turn, which may be continued under the name that was given.
_TAKE_AFTER: Final = f"""
INSERT INTO af_lane (tenant, key, ticket, worker, fence, is_stopped, used_at)
SELECT s.tenant, s.key, :ticket, :worker, 1, 0, {{now}} FROM af_turn t
JOIN af_session s ON s.tenant = t.tenant AND s.session_id = t.session_id
WHERE t.tenant = :tenant AND t.is_named = :is_named AND t.owner = :owner AND t.turn_id = :parent
  AND t.is_finished = 1 AND coalesce(:key, s.key) IN (s.root, s.key) {_TAKEN}
"""  # noqa: S608 - made of constants
_LOCK: Final = "SELECT ticket, worker, fence FROM af_lane WHERE tenant = :tenant AND key = :key {lock}"
_IS_ALIVE: Final = "SELECT 1 FROM af_worker WHERE id = :worker AND alive_until > {now}"
_COUNT: Final = """
SELECT count(*) FROM af_ticket t JOIN af_worker w ON w.id = t.worker AND w.alive_until > {now}
WHERE t.tenant = :tenant AND t.key = :key
"""
_WAIT: Final = """
INSERT INTO af_ticket (id, tenant, key, worker, kind, attempt, created_at)
VALUES (:ticket, :tenant, :key, :worker, 'foreground', 1, {now})
"""
_NEXT: Final = """
DELETE FROM af_ticket WHERE number = (
  SELECT min(t.number) FROM af_ticket t JOIN af_worker w ON w.id = t.worker AND w.alive_until > {now}
  WHERE t.tenant = :tenant AND t.key = :key
) RETURNING id, worker
"""
_HAND: Final = """
UPDATE af_lane SET ticket = :ticket, worker = :worker, fence = fence + 1, is_stopped = 0, used_at = {now}
WHERE tenant = :tenant AND key = :key RETURNING fence
"""
_FREE: Final = """
UPDATE af_lane SET ticket = NULL, worker = NULL, is_stopped = 0, used_at = {now}
WHERE tenant = :tenant AND key = :key
"""
_FREE_UNLESS_AWAITED: Final = f"""{_FREE}  AND NOT EXISTS (
  SELECT 1 FROM af_ticket t JOIN af_worker w ON w.id = t.worker AND w.alive_until > {{now}}
  WHERE t.tenant = :tenant AND t.key = :key
) RETURNING fence
"""  # noqa: S608 - made of constants
_STOP: Final = "UPDATE af_lane SET is_stopped = 1 WHERE tenant = :tenant AND key = :key"
_DROP_WAITING: Final = "DELETE FROM af_ticket WHERE tenant = :tenant AND key = :key RETURNING worker"
_DROP: Final = "DELETE FROM af_ticket WHERE id = :ticket"
_ADDRESS: Final = "SELECT address FROM af_worker WHERE id = :worker"
_ABANDONED: Final = """
SELECT DISTINCT l.tenant, l.key FROM af_lane l
JOIN af_ticket t ON t.tenant = l.tenant AND t.key = l.key AND t.worker = :worker
LEFT JOIN af_worker w ON w.id = l.worker AND (w.alive_until > {now} OR w.id = :worker)
WHERE w.id IS NULL
"""
# One statement, so that no ticket is on its way from the one table to the other while they are read.
_MINE: Final = """
SELECT ticket, fence, is_stopped FROM af_lane WHERE worker = :worker
UNION ALL SELECT id, NULL, NULL FROM af_ticket WHERE worker = :worker
"""
_RENEW: Final = """
UPDATE af_worker SET alive_until = {now} + :lease WHERE id = :worker AND alive_until > {now} RETURNING id
"""
_REGISTER: Final = """
INSERT INTO af_worker (id, address, alive_until) VALUES (:worker, :address, {now} + :lease)
ON CONFLICT (id) DO UPDATE SET alive_until = {now} + :lease
"""
_FIND: Final = """
SELECT tenant, key FROM af_lane WHERE worker = :worker AND ticket = :ticket
"""
_KNOWN: Final = "SELECT 1 FROM af_worker WHERE id = :worker"
_UNREGISTER: Final = "DELETE FROM af_worker WHERE id = :worker"


def taking(*, tenant: str, key: str, ticket: str, worker: str) -> Statement:
    """Return what takes the turn when a lane is free; its row has the fence and the key."""
    return Statement(_TAKE, {"tenant": tenant, "key": key, "ticket": ticket, "worker": worker})


def taking_after(owner: Owner, parent: str, *, key: str | None, ticket: str, worker: str) -> Statement:
    """Return what does the same with the lane of the turn that is continued, if it can be under this `key`."""
    tenant, is_named, owner_id = owner
    whose = {"tenant": tenant, "is_named": int(is_named), "owner": owner_id}
    return Statement(_TAKE_AFTER, {**whose, "parent": parent, "key": key, "ticket": ticket, "worker": worker})


def enter(
    *, tenant: str, key: str, ticket: str, worker: str, concurrency: Concurrency, max_waiting: int
) -> Script[Entered]:
    """Take the turn, or a place at the end of the line.

    Raises:
        SessionBusy: It is somebody else's turn, and `concurrency` is `reject`.
        QueueFull: Too many wait already.
    """
    (taken,) = yield from together(taking(tenant=tenant, key=key, ticket=ticket, worker=worker))
    if taken is not None:
        return Entered(taken[0])
    wakes: list[Wake] = []
    holder, fence = yield from _living_holder(tenant, key, wakes, worker=worker)
    if holder is None:
        row = yield from one(_HAND, tenant=tenant, key=key, ticket=ticket, worker=worker)
        return Entered(row[0] if row else fence)
    if concurrency == "reject":
        raise SessionBusy("This session is busy with another request. Send the request again when that one is done.")
    if concurrency == "interrupt":
        wakes += yield from _interrupt(tenant, key, holder)
    counted = yield from one(_COUNT, tenant=tenant, key=key)
    if counted is not None and counted[0] >= max_waiting:
        raise QueueFull(f"This session has {counted[0]} turns waiting already. Try again when some of them are done.")
    yield from do(_WAIT, tenant=tenant, key=key, ticket=ticket, worker=worker)
    return Entered(None, tuple(wakes))


def stop(*, tenant: str, key: str, worker: str) -> Script[tuple[bool, tuple[Wake, ...]]]:
    """Have whoever has the turn stopped, and drop whoever waits; says whether there was anybody."""
    wakes: list[Wake] = []
    holder, _ = yield from _living_holder(tenant, key, wakes, worker=worker)
    if holder is None:
        return False, tuple(wakes)
    wakes += yield from _interrupt(tenant, key, holder)
    return True, tuple(wakes)


def leave(*, tenant: str, key: str, ticket: str) -> Script[tuple[Wake, ...]]:
    """Give the turn, or the place in the line, back; nothing happens when it has been taken away."""
    lane = yield from one(_LOCK, tenant=tenant, key=key)
    if lane is None or lane[0] != ticket:
        yield from do(_DROP, ticket=ticket)
        return ()
    return (yield from hand_over(tenant=tenant, key=key))


def hand_over(*, tenant: str, key: str) -> Script[tuple[Wake, ...]]:
    """Give a turn to the next one; only for whoever has locked the lane, and has the turn."""
    # Mostly nobody waits, and then it is one statement.
    (freed,) = yield from together(freeing(tenant=tenant, key=key))
    return () if freed is not None else (yield from hand_on(tenant=tenant, key=key))


def locking(*, tenant: str, key: str) -> Statement:
    """Return what locks a lane; its row begins with whose turn it is."""
    return Statement(_LOCK, {"tenant": tenant, "key": key})


def freeing(*, tenant: str, key: str) -> Statement:
    """Return what frees a lane for which nobody waits; there is a row if it did. Only for whom `hand_over` is for."""
    return Statement(_FREE_UNLESS_AWAITED, {"tenant": tenant, "key": key})


def hand_on(*, tenant: str, key: str) -> Script[tuple[Wake, ...]]:
    """Give a turn to the next one in a line in which somebody waits; only for whom `hand_over` is for."""
    following = yield from one(_NEXT, tenant=tenant, key=key)
    if following is None:
        yield from do(_FREE, tenant=tenant, key=key)
        return ()
    ticket, worker = following
    row = yield from one(_HAND, tenant=tenant, key=key, ticket=ticket, worker=worker)
    return (yield from _woken(worker, ticket, row[0] if row is not None else 0))


def is_held(*, tenant: str, key: str, ticket: str) -> Script[bool]:
    """Lock the lane and say whether it is this ticket's turn."""
    (lane,) = yield from together(locking(tenant=tenant, key=key))
    return lane is not None and lane[0] == ticket


def look(*, worker: str) -> Script[dict[str, tuple[int, bool] | None]]:
    """Return the tickets of a worker: the fence of those that have their turn, and whether to stop."""
    rows = yield from all_of(_MINE, worker=worker)
    return {ticket: None if fence is None else (fence, bool(is_stopped)) for ticket, fence, is_stopped in rows}


def move_on(*, worker: str) -> Script[tuple[Wake, ...]]:
    """Hand over the turns of dead workers that this one's tickets wait for; returns who else is to be woken."""
    wakes: list[Wake] = []
    for tenant, key in (yield from all_of(_ABANDONED, worker=worker)):
        yield from _living_holder(tenant, key, wakes, worker=worker)
    return tuple(wake for wake in wakes if wake.worker != worker)


def give_back(*, worker: str, ticket: str) -> Script[tuple[Wake, ...]]:
    """Give a turn, or a place in a line, back that is known by its ticket alone."""
    lane = yield from one(_FIND, worker=worker, ticket=ticket)
    if lane is None:
        yield from do(_DROP, ticket=ticket)
        return ()
    tenant, key = lane
    return (yield from leave(tenant=tenant, key=key, ticket=ticket))


def register(*, worker: str, address: str, lease: float) -> Script[bool]:
    """Let a worker be alive for `lease` seconds from now; says whether it was dead."""
    if (yield from one(_RENEW, worker=worker, lease=lease)) is not None:
        return False
    known = yield from one(_KNOWN, worker=worker)
    yield from do(_REGISTER, worker=worker, address=address, lease=lease)
    return known is not None


def unregister(*, worker: str) -> Script[None]:
    """Forget a worker: whatever it still held can be taken."""
    yield from do(_UNREGISTER, worker=worker)


def _living_holder(tenant: str, key: str, wakes: list[Wake], *, worker: str) -> Script[tuple[str | None, int]]:
    """Return whose turn it is, once a dead worker's has been handed over; `None` when nobody is there to take it.

    The `worker` is the one that asks.

    A free lane is handed over, too: those who wait there were dead when it became free, and are alive again.
    """
    lane = yield from one(_LOCK, tenant=tenant, key=key)
    if lane is None:
        return None, 0
    ticket, holder, fence = lane
    if ticket is not None and (holder == worker or (yield from one(_IS_ALIVE, worker=holder)) is not None):
        return holder, fence
    handed = yield from hand_over(tenant=tenant, key=key)
    wakes += handed
    lane = yield from one(_LOCK, tenant=tenant, key=key)
    return (lane[1], lane[2]) if lane is not None else (None, 0)


def _interrupt(tenant: str, key: str, holder: str) -> Script[list[Wake]]:
    yield from do(_STOP, tenant=tenant, key=key)
    dropped = yield from all_of(_DROP_WAITING, tenant=tenant, key=key)
    wakes: list[Wake] = []
    for worker in {holder, *(row[0] for row in dropped)}:
        wakes += yield from _woken(worker)
    return wakes


def _woken(worker: str, ticket: str = "", fence: int = 0) -> Script[tuple[Wake, ...]]:
    row = yield from one(_ADDRESS, worker=worker)
    return (Wake(worker, row[0], ticket, fence),) if row is not None else ()
