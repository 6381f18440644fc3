"""The transactions of a turn's life, from its acceptance to its end.

Locks are taken in one order, so that nobody waits for whoever waits for them: lanes, idempotency keys that were
answered, turns, answers. So do those who forget. A key that was not answered yet is its turn's alone.
"""

from __future__ import annotations

from dataclasses import dataclass

from ...errors import LeaseLost, RequestError
from ..refusals import continued, unknown_parent
from ..store import Finished, Opened, Replay, StoredTurn, TurnRequest, Unfinished
from . import claims, lanes, turns
from .lanes import Wake
from .names import is_known_possibly, require_keepable
from .script import Row, Script, Statement, together


@dataclass(frozen=True, slots=True)
class Accepted:
    """A turn that was accepted: which line it stands in, and its session as it is now.

    With a `fence` it is its turn already, so that the session stays as it is.
    """

    key: str
    parent: StoredTurn | None
    opened: Opened
    attempt: int
    fence: int | None
    wakes: tuple[Wake, ...]


@dataclass(frozen=True, slots=True)
class Refused:
    """A turn that cannot be, and whose ticket may have its line nevertheless."""

    error: RequestError


def accept(request: TurnRequest, *, ticket: str, worker: str) -> Script[Accepted | Replay | Refused]:
    """Take a place for a turn, with all that it claims.

    Raises:
        RequestError: See `StateStore.accept`.
    """
    require_keepable(request)
    attempt = 1
    if request.claim is not None:
        claimed = yield from claims.claim(request.owner, request.claim, ticket=ticket, worker=worker)
        if isinstance(claimed, Replay):
            return claimed
        attempt = claimed
    # The lane first, so that what is read of its session stays as it is. Most turns ask for nothing else, and one that
    # did not get the lane has changed nothing.
    is_whole = request.claim is None and not request.answers
    taken, row = yield from together(*_entering(request, ticket=ticket, worker=worker), is_whole=is_whole)
    try:
        parent, opened = yield from _entered(request, taken, row)
    except RequestError as error:
        # Forgotten since the lane was taken.
        if taken is not None and is_whole:
            return Refused(error)
        raise
    key = parent.session.key if parent is not None else request.key or ""
    root = parent.session.root if parent is not None else request.root or key
    yield from claims.answer(tenant=request.tenant, root=root, request_ids=request.answers, ticket=ticket)
    if taken is not None:
        return Accepted(key, parent, opened, attempt, taken[0], ())
    entered = yield from lanes.enter(
        tenant=request.tenant,
        key=key,
        ticket=ticket,
        worker=worker,
        concurrency=request.concurrency,
        max_waiting=request.max_waiting,
    )
    opened = yield from open_turn(tenant=request.tenant, key=key, parent=parent)
    return Accepted(key, parent, opened, attempt, entered.fence, entered.wakes)


def move(*, tenant: str, key: str, to: str, ticket: str, worker: str, max_waiting: int) -> Script[Accepted]:
    """Leave a line for the end of another one.

    Raises:
        QueueFull: Too many wait there.
    """
    wakes = yield from lanes.leave(tenant=tenant, key=key, ticket=ticket)
    entered = yield from lanes.enter(
        tenant=tenant, key=to, ticket=ticket, worker=worker, concurrency="queue", max_waiting=max_waiting
    )
    opened = yield from open_turn(tenant=tenant, key=to, parent=None)
    return Accepted(to, None, opened, 1, entered.fence, (*wakes, *entered.wakes))


def open_turn(*, tenant: str, key: str, parent: StoredTurn | None) -> Script[Opened]:
    """Return the session that the turn is about, as it is now."""
    if parent is not None:
        return (yield from turns.reopen(parent.session))
    return (yield from turns.open_session(tenant, key))


def commit(finished: Finished, *, key: str, ticket: str, has_claim: bool) -> Script[tuple[int, tuple[Wake, ...]]]:
    """Store a finished turn and hand the line over; returns the turn's number.

    Raises:
        LeaseLost: The line, or the idempotency key, has been taken over, or the session has moved on.
    """
    where = {"tenant": finished.session.tenant, "key": key}
    adding, advancing = turns.adding(finished)
    settling = (claims.settling(ticket=ticket, record=finished.record),) if has_claim else ()
    needed = (lanes.locking(**where), *turns.needing(finished))
    rows = yield from together(*needed, adding, *settling, advancing, lanes.freeing(**where))
    # Looked at afterwards, and all undone if it was not this one's turn.
    lane, *parent = rows[: len(needed)]
    turn, *settled, session, freed = rows[len(needed) :]
    if lane is None or lane[0] != ticket or None in parent or None in settled:
        raise LeaseLost
    number = yield from turns.added(finished, turn, session)
    if has_claim and turn is None:
        yield from claims.settle(ticket=ticket, record=finished.record, turn=number)
    return number, () if freed is not None else (yield from lanes.hand_on(**where))


def settle(record: bytes, *, tenant: str, key: str, ticket: str, has_claim: bool) -> Script[tuple[Wake, ...]]:
    """Keep what was answered under an idempotency key, and hand the line over.

    Raises:
        LeaseLost: The line, or the key, has been taken over.
    """
    if not (yield from lanes.is_held(tenant=tenant, key=key, ticket=ticket)):
        raise LeaseLost
    if has_claim:
        yield from claims.settle(ticket=ticket, record=record)
    return (yield from lanes.hand_over(tenant=tenant, key=key))


def leave(
    unfinished: Unfinished | None, *, tenant: str, root: str, key: str, ticket: str, has_run: bool, has_claim: bool
) -> Script[tuple[Wake, ...]]:
    """End a turn that is no part of the history, and hand the line over."""
    if unfinished is not None and (yield from lanes.is_held(tenant=tenant, key=key, ticket=ticket)):
        yield from turns.keep_remains(unfinished)
    if has_claim:
        yield from claims.let_go(ticket=ticket, has_run=has_run)
    wakes = yield from lanes.leave(tenant=tenant, key=key, ticket=ticket)
    if not has_run:
        yield from claims.take_back(tenant=tenant, root=root, ticket=ticket)
    return wakes


def give_back(*, ticket: str, worker: str) -> Script[tuple[Wake, ...]]:
    """End a turn that never ran and that is known by its ticket alone."""
    yield from claims.let_go(ticket=ticket, has_run=False)
    wakes = yield from lanes.give_back(worker=worker, ticket=ticket)
    yield from claims.take_all_back(ticket=ticket)
    return wakes


def _entering(request: TurnRequest, *, ticket: str, worker: str) -> tuple[Statement, Statement]:
    owner, key = request.owner, request.key
    if request.parent is None:
        taking = lanes.taking(tenant=request.tenant, key=key or "", ticket=ticket, worker=worker)
        return taking, turns.opening(request.tenant, key or "")
    if not is_known_possibly(owner, request.parent):
        raise unknown_parent(request.parent)
    taking = lanes.taking_after(owner, request.parent, key=key, ticket=ticket, worker=worker)
    return taking, turns.finding(owner, request.parent)


def _entered(request: TurnRequest, taken: Row | None, row: Row | None) -> Script[tuple[StoredTurn | None, Opened]]:
    if request.parent is None:
        return None, (yield from turns.opened(request.tenant, request.key or "", row))
    found, opened = turns.found(request.owner, row)
    parent = continued(found, request.parent, request.key)
    if opened is None or (taken is not None and taken[1] != parent.session.key):
        raise unknown_parent(request.parent)
    return parent, opened
