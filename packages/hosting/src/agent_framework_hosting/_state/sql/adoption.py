"""What operators do to a database: give what nobody owned an owner.

It goes on beside running hosts, little at a time; looking (`dry_run`) counts what would change, and writes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

from sqlalchemy import ColumnElement, Connection, Engine, and_, exists, or_, select, update

from . import operation
from .operation import count_of, in_transaction
from .schema import CLAIMS, DOCUMENTS, EVENTS, SESSIONS, TASKS, TURNS
from .selection import Selection, roots_of


@dataclass(slots=True)
class Adopted:
    """How much of each kind has a new owner, and the ids that it had already, which stay as they are."""

    turns: int = 0
    claims: int = 0
    tasks: int = 0
    documents: int = 0
    conflicts: list[str] = field(default_factory=list[str])


def adopt(engine: Engine, *, to: str, tenant: str, session: str | None = None, dry_run: bool = False) -> Adopted:
    """Make what anonymous callers wrote a principal's, or count what would be.

    Args:
        engine: The database.
        to: The principal's id.
        tenant: The partition of both.
        session: The one conversation that is meant; see `Selection`.
        dry_run: Change nothing.

    Raises:
        StateUnavailable: The database does not answer; what was done until then is done.
    """
    adopted = Adopted()
    selection = Selection(tenant=tenant, session=session)
    last = 0
    while True:
        numbers = in_transaction(engine, partial(_unowned, selection=selection, last=last))
        if not numbers:
            break
        last = numbers[-1]
        work = partial(_adopt, numbers=numbers, tenant=tenant, to=to, dry_run=dry_run)
        count, conflicts = in_transaction(engine, work)
        adopted.turns += count
        adopted.conflicts += conflicts
    if session is None:
        count, conflicts = in_transaction(engine, partial(_adopt_claims, tenant=tenant, to=to, dry_run=dry_run))
        adopted.claims += count
        adopted.conflicts += conflicts
        count, conflicts = in_transaction(engine, partial(_adopt_tasks, tenant=tenant, to=to, dry_run=dry_run))
        adopted.tasks += count
        adopted.conflicts += conflicts
    adopting = partial(_adopt_documents, selection=selection, tenant=tenant, to=to, dry_run=dry_run)
    adopted.documents = in_transaction(engine, adopting)
    return adopted


def _unowned(connection: Connection, *, selection: Selection, last: int) -> list[int]:
    wanted = select(TURNS.c.number).where(
        TURNS.c.tenant == selection.within, TURNS.c.is_named == 0, TURNS.c.number > last
    )
    if selection.session is not None:
        sessions = select(SESSIONS.c.session_id).where(
            SESSIONS.c.tenant == selection.within, SESSIONS.c.root.in_(roots_of(selection))
        )
        wanted = wanted.where(TURNS.c.session_id.in_(sessions))
    return [number for (number,) in connection.execute(wanted.order_by(TURNS.c.number).limit(operation.ROWS))]


def _adopt(
    connection: Connection, *, numbers: Sequence[int], tenant: str, to: str, dry_run: bool
) -> tuple[int, list[str]]:
    own = TURNS.alias()
    taken = select(own.c.turn_id).where(
        own.c.tenant == tenant, own.c.is_named == 1, own.c.owner == to, own.c.turn_id.is_not(None)
    )
    # The owner's first: what is selected here has been looked at in another transaction.
    unowned = and_(TURNS.c.number.in_(numbers), TURNS.c.is_named == 0)
    conflicts = connection.execute(select(TURNS.c.turn_id).where(unowned, TURNS.c.turn_id.in_(taken))).scalars().all()
    free = and_(unowned, or_(TURNS.c.turn_id.is_(None), TURNS.c.turn_id.not_in(conflicts)))
    if dry_run:
        return count_of(connection, TURNS, free), list(conflicts)
    changed = connection.execute(update(TURNS).where(free).values(is_named=1, owner=to))
    return changed.rowcount, list(conflicts)


def _adopt_claims(connection: Connection, *, tenant: str, to: str, dry_run: bool) -> tuple[int, list[str]]:
    own = CLAIMS.alias()
    taken = exists(
        select(own.c.claim_key).where(
            own.c.tenant == tenant,
            own.c.is_named == 1,
            own.c.owner == to,
            own.c.channel == CLAIMS.c.channel,
            own.c.claim_key == CLAIMS.c.claim_key,
        )
    )
    unowned = and_(CLAIMS.c.tenant == tenant, CLAIMS.c.is_named == 0)
    conflicts = list(connection.execute(select(CLAIMS.c.claim_key).where(unowned, taken)).scalars())
    free = and_(unowned, CLAIMS.c.claim_key.not_in(conflicts))
    if dry_run:
        return count_of(connection, CLAIMS, free), conflicts
    return connection.execute(update(CLAIMS).where(free).values(is_named=1, owner=to)).rowcount, conflicts


def _adopt_tasks(connection: Connection, *, tenant: str, to: str, dry_run: bool) -> tuple[int, list[str]]:
    """Give the tasks away that have ended, with what they said; one that is open runs for whom it was accepted."""
    ended = and_(TASKS.c.tenant == tenant, TASKS.c.is_named == 0, TASKS.c.outcome.is_not(None))
    conflicts = list(connection.execute(select(TASKS.c.task_id).where(ended, _has_already(to))).scalars())
    free = and_(ended, ~_has_already(to))
    if dry_run:
        return count_of(connection, TASKS, free), conflicts
    said = exists(
        select(TASKS.c.number).where(
            free, TASKS.c.owner == EVENTS.c.owner, TASKS.c.kind == EVENTS.c.kind, TASKS.c.task_id == EVENTS.c.run_id
        )
    )
    unowned = and_(EVENTS.c.tenant == tenant, EVENTS.c.is_named == 0)
    connection.execute(update(EVENTS).where(unowned, said).values(is_named=1, owner=to))
    return connection.execute(update(TASKS).where(free).values(is_named=1, owner=to)).rowcount, conflicts


def _has_already(to: str) -> ColumnElement[bool]:
    """Return which tasks a principal has one of the same name beside."""
    own = TASKS.alias()
    return exists(
        select(own.c.number).where(
            own.c.tenant == TASKS.c.tenant,
            own.c.is_named == 1,
            own.c.owner == to,
            own.c.kind == TASKS.c.kind,
            own.c.task_id == TASKS.c.task_id,
        )
    )


def _adopt_documents(connection: Connection, *, selection: Selection, tenant: str, to: str, dry_run: bool) -> int:
    # Their ids were minted, so that the new owner has none of the same name.
    unowned = and_(DOCUMENTS.c.tenant == tenant, DOCUMENTS.c.is_named == 0)
    if selection.session is not None:
        unowned = and_(unowned, or_(DOCUMENTS.c.root == selection.session, DOCUMENTS.c.root.in_(roots_of(selection))))
    if dry_run:
        return count_of(connection, DOCUMENTS, unowned)
    return connection.execute(update(DOCUMENTS).where(unowned).values(is_named=1, owner=to)).rowcount
