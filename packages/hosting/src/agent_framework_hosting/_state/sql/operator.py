"""What operators do to a database: forget what somebody said, and give what nobody owned an owner.

Rules of this file:
1. It goes on beside running hosts: little at a time, each batch a transaction that has locked the lanes of its
   conversations, as turns do.
2. A conversation goes with all its branches, since branches share turns.
3. Looking (`dry_run`) counts what would be touched, and writes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, TypeAlias, TypeVar

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    Select,
    Table,
    and_,
    delete,
    exists,
    func,
    literal,
    or_,
    select,
    tuple_,
    update,
)
from sqlalchemy.exc import DatabaseError, OperationalError

from ...errors import ConfigurationError, StateUnavailable
from ...types import DEFAULT_TENANT
from .documents import DOCUMENTS
from .migrations import STEPS, version_of
from .schema import ANSWERS, CHECKPOINTS, CLAIMS, LANES, SESSIONS, TURNS
from .script import POSTGRES, SQLITE

ResultT = TypeVar("ResultT")
Conversation: TypeAlias = tuple[str, str]
"""A tenant, and the root of all sessions of one conversation."""

_BATCH: Final = 50
"""Conversations of one transaction."""
_ROWS: Final = 500
"""Turns of one transaction of `adopt`."""
_ATTEMPTS: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """What is meant: all that fits everything which is given.

    Args:
        tenant: The partition; left out, every one for an age alone and the default one otherwise.
        principal: Who wrote it: an id that an authenticator named.
        is_anonymous: Instead of a principal: what was written while nobody said who is calling.
        session: A session's key, its id, or the key that its conversation began with.
        older_than: Seconds for which it has not been used.
    """

    tenant: str | None = None
    principal: str | None = None
    is_anonymous: bool = False
    session: str | None = None
    older_than: float | None = None

    @property
    def names_somebody(self) -> bool:
        """Whether it says whose."""
        return self.principal is not None or self.is_anonymous

    @property
    def within(self) -> str | None:
        """The tenant that is looked into, `None` for all."""
        return DEFAULT_TENANT if self.tenant is None and (self.names_somebody or self.session) else self.tenant


@dataclass(slots=True)
class Purged:
    """How much of each kind is gone, or would be.

    `shared` conversations have other principals in them: what the selected one said there is still in their history.
    """

    sessions: int = 0
    turns: int = 0
    records: int = 0
    answers: int = 0
    claims: int = 0
    checkpoints: int = 0
    documents: int = 0
    shared: int = 0

    def add(self, counts: Mapping[str, int]) -> None:
        """Count what one more transaction did."""
        for name, count in counts.items():
            setattr(self, name, getattr(self, name) + count)


@dataclass(slots=True)
class Adopted:
    """How much of each kind has a new owner, and the ids that it had already, which stay as they are."""

    turns: int = 0
    claims: int = 0
    documents: int = 0
    conflicts: list[str] = field(default_factory=list[str])


def require_current(engine: Engine) -> None:
    """See to it that the schema is the one that is known here.

    Raises:
        ConfigurationError: It is an older or a newer one.
    """
    version = version_of(engine)
    if version < len(STEPS):
        raise ConfigurationError(
            f"The database has schema version {version}; this release needs {len(STEPS)}. Run `af-hosting migrate`."
        )
    if version > len(STEPS):
        raise ConfigurationError(
            f"The database has schema version {version}; this release knows versions up to {len(STEPS)}. "
            "Use the release that wrote it, or a later one."
        )


def purge(engine: Engine, selection: Selection, *, with_shared: bool = False, dry_run: bool = False) -> Purged:
    """Forget conversations and idempotency keys, or count what would be forgotten.

    Args:
        engine: The database.
        selection: What is meant.
        with_shared: Forget conversations of a principal in which others take part, too; otherwise only the ids and
            records of the principal's own turns there.
        dry_run: Change nothing.

    Raises:
        StateUnavailable: The database does not answer; what was done until then is done.
    """
    purged = Purged()
    for batch in _batches(engine, selection):
        work = partial(_purge, batch=batch, selection=selection, with_shared=with_shared, dry_run=dry_run)
        purged.add(_in_transaction(engine, work))
    purged.add(_purge_rest(engine, selection, dry_run=dry_run))
    return purged


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
        numbers = _in_transaction(engine, partial(_unowned, selection=selection, last=last))
        if not numbers:
            break
        last = numbers[-1]
        work = partial(_adopt, numbers=numbers, tenant=tenant, to=to, dry_run=dry_run)
        count, conflicts = _in_transaction(engine, work)
        adopted.turns += count
        adopted.conflicts += conflicts
    if session is None:
        count, conflicts = _in_transaction(engine, partial(_adopt_claims, tenant=tenant, to=to, dry_run=dry_run))
        adopted.claims += count
        adopted.conflicts += conflicts
    adopting = partial(_adopt_documents, selection=selection, tenant=tenant, to=to, dry_run=dry_run)
    adopted.documents = _in_transaction(engine, adopting)
    return adopted


def _in_transaction(engine: Engine, work: Callable[[Connection], ResultT]) -> ResultT:
    for left in reversed(range(_ATTEMPTS)):
        try:
            with engine.begin() as connection:
                return work(connection)
        except OperationalError as error:
            # Two that wait for each other in PostgreSQL: one of them is told to try again.
            if not left or getattr(error.orig, "sqlstate", None) not in ("40P01", "40001"):
                raise StateUnavailable(f"The database refused: {error.orig}") from error
        except DatabaseError as error:
            raise StateUnavailable(f"The database refused: {error.orig}") from error
    raise AssertionError("The loop returns or raises.")


def _batches(engine: Engine, selection: Selection) -> Iterator[Sequence[Conversation]]:
    last: Conversation | None = None
    while True:
        batch = _in_transaction(engine, partial(_selected, selection=selection, after=last))
        if not batch:
            return
        yield batch
        last = batch[-1]


def _selected(
    connection: Connection,
    selection: Selection,
    *,
    after: Conversation | None = None,
    among: Sequence[Conversation] | None = None,
) -> list[Conversation]:
    conversation = tuple_(SESSIONS.c.tenant, SESSIONS.c.root)
    wanted = _wanted(selection, _before(connection, selection.older_than))
    if after is not None:
        wanted = wanted.where(conversation > tuple_(*map(literal, after)))
    if among is not None:
        wanted = wanted.where(conversation.in_(among))
    wanted = wanted.order_by(SESSIONS.c.tenant, SESSIONS.c.root).limit(_BATCH)
    return [(tenant, root) for tenant, root in connection.execute(wanted)]


def _wanted(selection: Selection, before: float | None) -> Select[Any, Any]:
    wanted = select(SESSIONS.c.tenant, SESSIONS.c.root).group_by(SESSIONS.c.tenant, SESSIONS.c.root)
    if selection.within is not None:
        wanted = wanted.where(SESSIONS.c.tenant == selection.within)
    if selection.session is not None:
        wanted = wanted.where(SESSIONS.c.root.in_(_roots(selection)))
    if selection.names_somebody:
        wanted = wanted.where(tuple_(SESSIONS.c.tenant, SESSIONS.c.root).in_(_written(selection)))
    if before is not None:
        wanted = wanted.having(func.max(SESSIONS.c.used_at) < before)
    return wanted


def _roots(selection: Selection) -> Any:
    named = or_(*(column == selection.session for column in (SESSIONS.c.root, SESSIONS.c.key, SESSIONS.c.session_id)))
    return select(SESSIONS.c.root).where(SESSIONS.c.tenant == selection.within, named)


def _written(selection: Selection) -> Any:
    other = SESSIONS.alias()
    here = and_(other.c.tenant == TURNS.c.tenant, other.c.session_id == TURNS.c.session_id)
    return select(other.c.tenant, other.c.root).join_from(TURNS, other, here).where(_is_by(selection, TURNS))


def _is_by(selection: Selection, table: Table) -> ColumnElement[bool]:
    if selection.is_anonymous:
        return and_(table.c.tenant == selection.within, table.c.is_named == 0)
    return and_(table.c.tenant == selection.within, table.c.is_named == 1, table.c.owner == selection.principal)


def _purge(
    connection: Connection, *, batch: Sequence[Conversation], selection: Selection, with_shared: bool, dry_run: bool
) -> dict[str, int]:
    if not dry_run:
        _lock(connection, batch)
        # Whoever held a lane meanwhile may have used its conversation.
        batch = _selected(connection, selection, among=batch)
    shared = _shared(connection, batch, selection) if selection.names_somebody and not with_shared else []
    whole = [each for each in batch if each not in shared]
    sessions = _sessions(whole)
    turns = tuple_(TURNS.c.tenant, TURNS.c.session_id).in_(sessions)
    counts = _forget_records(connection, shared, selection, dry_run=dry_run)
    counts["shared"] = len(shared)
    counts["records"] += _count(connection, TURNS, and_(turns, TURNS.c.turn_id.is_not(None)))
    counts["claims"] += _remove(connection, CLAIMS, _answered_by(turns), dry_run=dry_run)
    counts["turns"] = _remove(connection, TURNS, turns, dry_run=dry_run)
    of_sessions = tuple_(CHECKPOINTS.c.tenant, CHECKPOINTS.c.session_id).in_(sessions)
    counts["checkpoints"] = _remove(connection, CHECKPOINTS, of_sessions, dry_run=dry_run)
    of_roots = tuple_(ANSWERS.c.tenant, ANSWERS.c.root).in_(whole)
    counts["answers"] = _remove(connection, ANSWERS, of_roots, dry_run=dry_run)
    of_keys = tuple_(DOCUMENTS.c.tenant, DOCUMENTS.c.root).in_(whole)
    counts["documents"] += _remove(connection, DOCUMENTS, of_keys, dry_run=dry_run)
    of_conversations = tuple_(SESSIONS.c.tenant, SESSIONS.c.root).in_(whole)
    counts["sessions"] = _remove(connection, SESSIONS, of_conversations, dry_run=dry_run)
    return counts


def _lock(connection: Connection, batch: Sequence[Conversation]) -> None:
    # In one order, so that two operators do not wait for each other; SQLite has locked everything already.
    keys = select(SESSIONS.c.tenant, SESSIONS.c.key).where(tuple_(SESSIONS.c.tenant, SESSIONS.c.root).in_(batch))
    lanes = select(LANES.c.key).where(tuple_(LANES.c.tenant, LANES.c.key).in_(keys))
    connection.execute(lanes.order_by(LANES.c.tenant, LANES.c.key).with_for_update()).all()


def _sessions(conversations: Sequence[Conversation]) -> Any:
    return select(SESSIONS.c.tenant, SESSIONS.c.session_id).where(
        tuple_(SESSIONS.c.tenant, SESSIONS.c.root).in_(conversations)
    )


def _shared(connection: Connection, batch: Sequence[Conversation], selection: Selection) -> list[Conversation]:
    """Return the conversations in which somebody else takes part, too."""
    here = and_(SESSIONS.c.tenant == TURNS.c.tenant, SESSIONS.c.session_id == TURNS.c.session_id)
    others = (
        select(SESSIONS.c.tenant, SESSIONS.c.root)
        .distinct()
        .join_from(TURNS, SESSIONS, here)
        .where(tuple_(SESSIONS.c.tenant, SESSIONS.c.root).in_(batch), ~_is_by(selection, TURNS))
    )
    return [(tenant, root) for tenant, root in connection.execute(others)]


def _forget_records(
    connection: Connection, conversations: Sequence[Conversation], selection: Selection, *, dry_run: bool
) -> dict[str, int]:
    """Forget the ids and records of a principal's turns in conversations that go on, and the principal's documents."""
    if not conversations:
        return {"records": 0, "claims": 0, "documents": 0}
    turns = tuple_(TURNS.c.tenant, TURNS.c.session_id).in_(_sessions(conversations))
    own = and_(turns, _is_by(selection, TURNS), TURNS.c.turn_id.is_not(None))
    counts = {"claims": _remove(connection, CLAIMS, _answered_by(own), dry_run=dry_run)}
    kept = and_(tuple_(DOCUMENTS.c.tenant, DOCUMENTS.c.root).in_(conversations), _is_by(selection, DOCUMENTS))
    counts["documents"] = _remove(connection, DOCUMENTS, kept, dry_run=dry_run)
    if dry_run:
        return {**counts, "records": _count(connection, TURNS, own)}
    forgotten = connection.execute(update(TURNS).where(own).values(turn_id=None, record=None))
    return {**counts, "records": forgotten.rowcount}


def _answered_by(turns: ColumnElement[bool]) -> ColumnElement[bool]:
    """Return which idempotency keys are answered with the record of such a turn."""
    return CLAIMS.c.turn.in_(select(TURNS.c.number).where(turns))


def _purge_rest(engine: Engine, selection: Selection, *, dry_run: bool) -> dict[str, int]:
    """Forget what belongs to no conversation that is stored."""
    before = _in_transaction(engine, lambda connection: _before(connection, selection.older_than))
    counts: dict[str, int] = {}
    if selection.session is None:
        wanted = [_is_by(selection, CLAIMS)] if selection.names_somebody else []
        if before is not None:
            wanted.append(CLAIMS.c.created_at < before)
        if selection.within is not None:
            wanted.append(CLAIMS.c.tenant == selection.within)
        if dry_run:
            # They have been counted with their conversations, and would be gone with them.
            conversations = _wanted(selection, before).subquery()
            sessions = select(SESSIONS.c.tenant, SESSIONS.c.session_id).where(
                tuple_(SESSIONS.c.tenant, SESSIONS.c.root).in_(select(conversations.c.tenant, conversations.c.root))
            )
            theirs = _answered_by(tuple_(TURNS.c.tenant, TURNS.c.session_id).in_(sessions))
            wanted.append(or_(CLAIMS.c.turn.is_(None), ~theirs))
        counts["claims"] = _remove_all(engine, CLAIMS, and_(*wanted), dry_run=dry_run)
    loose = _loose(DOCUMENTS, selection, before)
    if selection.names_somebody:
        loose = and_(loose, _is_by(selection, DOCUMENTS))
    counts["documents"] = _remove_all(engine, DOCUMENTS, loose, dry_run=dry_run)
    if not selection.names_somebody:
        for name, table in (("checkpoints", CHECKPOINTS), ("answers", ANSWERS)):
            counts[name] = _remove_all(engine, table, _loose(table, selection, before), dry_run=dry_run)
    return counts


def _remove_all(engine: Engine, table: Table, where: ColumnElement[bool], *, dry_run: bool) -> int:
    """Remove rows little by little."""
    if dry_run:
        return _in_transaction(engine, lambda connection: _count(connection, table, where))
    key = list(table.primary_key)
    some = tuple_(*key).in_(select(*key).where(where).limit(_ROWS))
    removed = 0
    while count := _in_transaction(engine, lambda connection: connection.execute(delete(table).where(some)).rowcount):
        removed += count
    return removed


def _loose(table: Table, selection: Selection, before: float | None) -> ColumnElement[bool]:
    """Return which rows belong to the selection, though to no session that is stored."""
    times = {ANSWERS: ANSWERS.c.answered_at, CHECKPOINTS: CHECKPOINTS.c.created_at, DOCUMENTS: DOCUMENTS.c.used_at}
    name, of = (table.c.session_id, SESSIONS.c.session_id) if table is CHECKPOINTS else (table.c.root, SESSIONS.c.root)
    time = times[table]
    wanted: list[ColumnElement[bool]] = [
        ~exists(select(SESSIONS.c.root).where(SESSIONS.c.tenant == table.c.tenant, of == name))
    ]
    if selection.within is not None:
        wanted.append(table.c.tenant == selection.within)
    if selection.session is not None:
        wanted.append(name == selection.session)
    if before is not None:
        wanted.append(time < before)
    return and_(*wanted)


def _unowned(connection: Connection, *, selection: Selection, last: int) -> list[int]:
    wanted = select(TURNS.c.number).where(
        TURNS.c.tenant == selection.within, TURNS.c.is_named == 0, TURNS.c.number > last
    )
    if selection.session is not None:
        sessions = select(SESSIONS.c.session_id).where(
            SESSIONS.c.tenant == selection.within, SESSIONS.c.root.in_(_roots(selection))
        )
        wanted = wanted.where(TURNS.c.session_id.in_(sessions))
    return [number for (number,) in connection.execute(wanted.order_by(TURNS.c.number).limit(_ROWS))]


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
        return _count(connection, TURNS, free), list(conflicts)
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
        return _count(connection, CLAIMS, free), conflicts
    return connection.execute(update(CLAIMS).where(free).values(is_named=1, owner=to)).rowcount, conflicts


def _adopt_documents(connection: Connection, *, selection: Selection, tenant: str, to: str, dry_run: bool) -> int:
    # Their ids were minted, so that the new owner has none of the same name.
    unowned = and_(DOCUMENTS.c.tenant == tenant, DOCUMENTS.c.is_named == 0)
    if selection.session is not None:
        unowned = and_(unowned, or_(DOCUMENTS.c.root == selection.session, DOCUMENTS.c.root.in_(_roots(selection))))
    if dry_run:
        return _count(connection, DOCUMENTS, unowned)
    return connection.execute(update(DOCUMENTS).where(unowned).values(is_named=1, owner=to)).rowcount


def _remove(connection: Connection, table: Table, where: ColumnElement[bool], *, dry_run: bool) -> int:
    return _count(connection, table, where) if dry_run else connection.execute(delete(table).where(where)).rowcount


def _count(connection: Connection, table: Table, where: ColumnElement[bool]) -> int:
    return connection.execute(select(func.count()).select_from(table).where(where)).scalar_one()


def _before(connection: Connection, seconds: float | None) -> float | None:
    """Return the moment that long ago, on the database's clock."""
    if seconds is None:
        return None
    dialect = POSTGRES if connection.dialect.name == "postgresql" else SQLITE
    return connection.exec_driver_sql(f"SELECT {dialect.now}").scalar_one() - seconds
