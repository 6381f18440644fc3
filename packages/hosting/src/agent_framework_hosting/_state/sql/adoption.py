"""What operators do to a database: give what nobody owned an owner.

It goes on beside running hosts, little at a time; looking (`dry_run`) counts what would change, and writes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

from sqlalchemy import ColumnElement, Connection, Engine, Select, Table, and_, exists, or_, select, tuple_, update

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
        adopted.claims, conflicts = _adopt_claims(engine, tenant=tenant, to=to, dry_run=dry_run)
        adopted.conflicts += conflicts
        adopted.tasks, conflicts = _adopt_tasks(engine, tenant=tenant, to=to, dry_run=dry_run)
        adopted.conflicts += conflicts
    adopted.documents = _adopt_documents(engine, selection=selection, tenant=tenant, to=to, dry_run=dry_run)
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


def _adopt_claims(engine: Engine, *, tenant: str, to: str, dry_run: bool) -> tuple[int, list[str]]:
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
    conflicts = _values(engine, select(CLAIMS.c.claim_key).where(unowned, taken))
    return _give_away(engine, CLAIMS, and_(unowned, ~taken), to=to, dry_run=dry_run), conflicts


def _adopt_tasks(engine: Engine, *, tenant: str, to: str, dry_run: bool) -> tuple[int, list[str]]:
    """Give the tasks away that have ended, with what they said; one that is open runs for whom it was accepted."""
    ended = and_(TASKS.c.tenant == tenant, TASKS.c.is_named == 0, TASKS.c.outcome.is_not(None))
    conflicts = _values(engine, select(TASKS.c.task_id).where(ended, _has_already(to)))
    free = and_(ended, ~_has_already(to))
    if dry_run:
        return in_transaction(engine, lambda connection: count_of(connection, TASKS, free)), conflicts

    def adopt_some(connection: Connection) -> int:
        some = select(TASKS.c.number).where(free).order_by(TASKS.c.number).limit(operation.ROWS)
        numbers = connection.execute(some).scalars().all()
        said = exists(
            select(TASKS.c.number).where(
                TASKS.c.number.in_(numbers),
                TASKS.c.owner == EVENTS.c.owner,
                TASKS.c.kind == EVENTS.c.kind,
                TASKS.c.task_id == EVENTS.c.run_id,
            )
        )
        unowned = and_(EVENTS.c.tenant == tenant, EVENTS.c.is_named == 0)
        connection.execute(update(EVENTS).where(unowned, said).values(is_named=1, owner=to))
        return give_some(connection, TASKS, TASKS.c.number.in_(numbers), to=to)

    return _until_none(engine, adopt_some), conflicts


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


def _adopt_documents(engine: Engine, *, selection: Selection, tenant: str, to: str, dry_run: bool) -> int:
    """Give documents away, but for those that go with work which is not done, or that the new owner has, too."""
    own = DOCUMENTS.alias()
    is_taken = exists(
        select(own.c.number).where(
            own.c.tenant == DOCUMENTS.c.tenant,
            own.c.is_named == 1,
            own.c.owner == to,
            own.c.kind == DOCUMENTS.c.kind,
            own.c.id == DOCUMENTS.c.id,
        )
    )
    is_needed = exists(
        select(TASKS.c.number).where(
            TASKS.c.tenant == DOCUMENTS.c.tenant,
            TASKS.c.is_named == 0,
            TASKS.c.task_id == DOCUMENTS.c.id,
            TASKS.c.outcome.is_(None),
        )
    )
    unowned = and_(DOCUMENTS.c.tenant == tenant, DOCUMENTS.c.is_named == 0, ~is_taken, ~is_needed)
    if selection.session is not None:
        unowned = and_(unowned, or_(DOCUMENTS.c.root == selection.session, DOCUMENTS.c.root.in_(roots_of(selection))))
    return _give_away(engine, DOCUMENTS, unowned, to=to, dry_run=dry_run)


def _values(engine: Engine, query: Select[str]) -> list[str]:
    return in_transaction(engine, lambda connection: list(connection.execute(query).scalars()))


def _give_away(engine: Engine, table: Table, free: ColumnElement[bool], *, to: str, dry_run: bool) -> int:
    """Give rows away little by little; each of them is none of those that are `free` afterwards."""
    if dry_run:
        return in_transaction(engine, lambda connection: count_of(connection, table, free))
    key = list(table.primary_key)
    some = tuple_(*key).in_(select(*key).where(free).limit(operation.ROWS))
    return _until_none(engine, lambda connection: give_some(connection, table, some, to=to))


def give_some(connection: Connection, table: Table, rows: ColumnElement[bool], *, to: str) -> int:
    """Give rows of one transaction to a principal; returns how many there were."""
    return connection.execute(update(table).where(rows).values(is_named=1, owner=to)).rowcount


def _until_none(engine: Engine, work: Callable[[Connection], int]) -> int:
    total = 0
    while count := in_transaction(engine, work):
        total += count
    return total
