"""What operators do to a database: forget what somebody said.

Rules of this file:
1. It goes on beside running hosts: little at a time, each batch a transaction that has locked the lanes of its
   conversations, as turns do.
2. A conversation goes with all its branches, since branches share turns.
3. Looking (`dry_run`) counts what would be touched, and writes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from sqlalchemy import ColumnElement, Connection, Engine, Table, and_, delete, exists, func, or_, select, tuple_, update

from . import forgetting, operation
from .operation import count_of, in_transaction, remove, run
from .schema import ANSWERS, CHECKPOINTS, CLAIMS, DOCUMENTS, EVENTS, LANES, SESSIONS, TASKS, TURNS
from .selection import BATCH, Conversation, Selection, is_by, moment_ago, roots_of, selected, sessions_of, wanted_by


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
    tasks: int = 0
    events: int = 0
    documents: int = 0
    shared: int = 0

    def add(self, counts: Mapping[str, int]) -> None:
        """Count what one more transaction did."""
        for name, count in counts.items():
            setattr(self, name, getattr(self, name) + count)


def purge(engine: Engine, selection: Selection, *, with_shared: bool = False, dry_run: bool = False) -> Purged:
    """Forget conversations, idempotency keys and accepted work, or count what would be forgotten.

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
    if selection.session is not None:
        # First of all: what belongs to the conversation is found by what is kept of it.
        purged.add(_purge_work(engine, selection, dry_run=dry_run))
    for batch in _batches(engine, selection):
        if not dry_run:
            for long in in_transaction(engine, partial(_long, batch=batch)):
                purged.add(_purge_long(engine, long, selection, with_shared=with_shared))
        work = partial(_purge, batch=batch, selection=selection, with_shared=with_shared, dry_run=dry_run)
        purged.add(in_transaction(engine, work))
    purged.add(_purge_rest(engine, selection, dry_run=dry_run))
    return purged


def _purge_work(engine: Engine, selection: Selection, *, dry_run: bool) -> dict[str, int]:
    """Forget what a conversation has accepted in the background, and what its runs said, whether they go on or not.

    A task is named as the response that it makes: by a document until it has ended, by a turn from then on.
    """
    roots = or_(DOCUMENTS.c.root == selection.session, DOCUMENTS.c.root.in_(roots_of(selection)))
    sessions = select(SESSIONS.c.session_id).where(
        SESSIONS.c.tenant == selection.within, SESSIONS.c.root.in_(roots_of(selection))
    )
    # What goes on from a turn of the conversation, and is not done, names that turn alone.
    turns = select(TURNS.c.turn_id).where(
        TURNS.c.tenant == selection.within, TURNS.c.session_id.in_(sessions), TURNS.c.turn_id.is_not(None)
    )
    continuing = and_(DOCUMENTS.c.tenant == selection.within, DOCUMENTS.c.root.in_(turns))
    wanted = and_(
        TASKS.c.tenant == selection.within,
        or_(
            TASKS.c.task_id == selection.session,
            exists(
                select(DOCUMENTS.c.number).where(
                    *_is_same_owner(DOCUMENTS), TASKS.c.task_id == DOCUMENTS.c.id, or_(roots, continuing)
                )
            ),
            exists(
                select(TURNS.c.number).where(
                    *_is_same_owner(TURNS), TASKS.c.task_id == TURNS.c.turn_id, TURNS.c.session_id.in_(sessions)
                )
            ),
        ),
    )
    before = in_transaction(engine, lambda connection: moment_ago(connection, selection.older_than))
    wanted = and_(wanted, *_asked_for(selection, TASKS, before))
    counts = {"tasks": 0, "events": 0}
    last = 0
    while True:
        forgetting_some = partial(_forget_tasks, wanted=wanted, after=last, dry_run=dry_run)
        last, tasks, events = in_transaction(engine, forgetting_some)
        if not last:
            break
        counts["tasks"] += tasks
        counts["events"] += events
    loose = and_(continuing, ~roots, *_asked_for(selection, DOCUMENTS, before))
    return {**counts, "documents": _remove_all(engine, DOCUMENTS, loose, dry_run=dry_run)}


def _forget_tasks(
    connection: Connection, *, wanted: ColumnElement[bool], after: int, dry_run: bool
) -> tuple[int, int, int]:
    """Forget some tasks with what they said; returns the number of the last one, and how many rows there were."""
    names = (TASKS.c.tenant, TASKS.c.is_named, TASKS.c.owner, TASKS.c.kind, TASKS.c.task_id)
    runs = (EVENTS.c.tenant, EVENTS.c.is_named, EVENTS.c.owner, EVENTS.c.kind, EVENTS.c.run_id)
    some = select(TASKS.c.number, *names).where(wanted, TASKS.c.number > after)
    rows = connection.execute(some.order_by(TASKS.c.number).limit(BATCH)).all()
    if not rows:
        return 0, 0, 0
    # Tasks first: a run whose task is gone can say nothing more.
    tasks = remove(connection, TASKS, TASKS.c.number.in_([row[0] for row in rows]), dry_run=dry_run)
    said = tuple_(*runs).in_([tuple(row[1:]) for row in rows])
    return rows[-1][0], tasks, remove(connection, EVENTS, said, dry_run=dry_run)


def _is_same_owner(table: Table) -> tuple[ColumnElement[bool], ...]:
    return tuple(TASKS.c[name] == table.c[name] for name in ("tenant", "is_named", "owner"))


def _batches(engine: Engine, selection: Selection) -> Iterator[Sequence[Conversation]]:
    last: Conversation | None = None
    while True:
        batch = in_transaction(engine, partial(selected, selection=selection, after=last))
        if not batch:
            return
        yield batch
        last = batch[-1]


def _purge(
    connection: Connection, *, batch: Sequence[Conversation], selection: Selection, with_shared: bool, dry_run: bool
) -> dict[str, int]:
    if not dry_run:
        _lock(connection, batch)
        # Whoever held a lane meanwhile may have used its conversation.
        batch = selected(connection, selection, among=batch)
    shared = _shared(connection, batch, selection) if selection.names_somebody and not with_shared else []
    whole = [each for each in batch if each not in shared]
    sessions = sessions_of(whole)
    turns = _turns_of(whole)
    counts = _forget_records(connection, shared, selection, dry_run=dry_run)
    counts["shared"] = len(shared)
    counts["records"] += count_of(connection, TURNS, and_(turns, TURNS.c.turn_id.is_not(None)))
    counts["claims"] += remove(connection, CLAIMS, _answered_by(turns), dry_run=dry_run)
    counts["turns"] = remove(connection, TURNS, turns, dry_run=dry_run)
    of_sessions = tuple_(CHECKPOINTS.c.tenant, CHECKPOINTS.c.session_id).in_(sessions)
    counts["checkpoints"] = remove(connection, CHECKPOINTS, of_sessions, dry_run=dry_run)
    of_roots = tuple_(ANSWERS.c.tenant, ANSWERS.c.root).in_(whole)
    counts["answers"] = remove(connection, ANSWERS, of_roots, dry_run=dry_run)
    of_keys = tuple_(DOCUMENTS.c.tenant, DOCUMENTS.c.root).in_(whole)
    counts["documents"] += remove(connection, DOCUMENTS, of_keys, dry_run=dry_run)
    of_conversations = tuple_(SESSIONS.c.tenant, SESSIONS.c.root).in_(whole)
    counts["sessions"] = remove(connection, SESSIONS, of_conversations, dry_run=dry_run)
    return counts


def _long(connection: Connection, *, batch: Sequence[Conversation]) -> list[Conversation]:
    """Return the conversations that are too long for one transaction."""
    here = and_(SESSIONS.c.tenant == TURNS.c.tenant, SESSIONS.c.session_id == TURNS.c.session_id)
    conversation = (SESSIONS.c.tenant, SESSIONS.c.root)
    found = select(*conversation).join_from(TURNS, SESSIONS, here).where(tuple_(*conversation).in_(batch))
    found = found.group_by(*conversation).having(func.count() > operation.ROWS)
    return [(tenant, root) for tenant, root in connection.execute(found)]


def _purge_long(
    engine: Engine, conversation: Conversation, selection: Selection, *, with_shared: bool
) -> dict[str, int]:
    """Forget a conversation little by little, as the sweep of a host does."""
    kinds = ("sessions", "turns", "records", "answers", "claims", "checkpoints", "documents")
    counts: dict[str, int] = dict.fromkeys(kinds, 0)
    where = {"tenant": conversation[0], "root": conversation[1]}
    begin = partial(_begin, conversation=conversation, selection=selection, with_shared=with_shared, counts=counts)
    while (last := in_transaction(engine, begin)) is None:
        pass
    if not last:
        return counts

    def drop_turns(connection: Connection) -> int:
        return run(connection, forgetting.drop_turns(**where, last=last, most=operation.ROWS))

    def drop_sessions(connection: Connection) -> int:
        _lock(connection, [conversation])
        return run(connection, forgetting.drop_sessions(**where))

    while dropped := in_transaction(engine, drop_turns):
        counts["turns"] += dropped
    counts["sessions"] += in_transaction(engine, drop_sessions)
    return counts


def _begin(
    connection: Connection,
    *,
    conversation: Conversation,
    selection: Selection,
    with_shared: bool,
    counts: dict[str, int],
) -> int | None:
    """Forget some ids; returns what `forgetting.Step.last` says, 0 when the conversation is not meant as a whole."""
    _lock(connection, [conversation])
    is_whole = with_shared or not selection.names_somebody or not _shared(connection, [conversation], selection)
    if not is_whole or not selected(connection, selection, among=[conversation]):
        return 0
    claims = remove(connection, CLAIMS, _answered_by(_turns_of([conversation])), dry_run=False)
    tenant, root = conversation
    step = run(connection, forgetting.begin(tenant=tenant, root=root, most=operation.ROWS))
    counts["records"] += len(step.ids)
    counts["claims"] += claims
    counts["answers"] += step.answers
    counts["checkpoints"] += step.checkpoints
    counts["documents"] += step.documents
    return step.last


def _turns_of(conversations: Sequence[Conversation]) -> ColumnElement[bool]:
    return tuple_(TURNS.c.tenant, TURNS.c.session_id).in_(sessions_of(conversations))


def _lock(connection: Connection, batch: Sequence[Conversation]) -> None:
    # In one order, so that two operators do not wait for each other; SQLite has locked everything already.
    keys = select(SESSIONS.c.tenant, SESSIONS.c.key).where(tuple_(SESSIONS.c.tenant, SESSIONS.c.root).in_(batch))
    lanes = select(LANES.c.key).where(tuple_(LANES.c.tenant, LANES.c.key).in_(keys))
    connection.execute(lanes.order_by(LANES.c.tenant, LANES.c.key).with_for_update()).all()


def _shared(connection: Connection, batch: Sequence[Conversation], selection: Selection) -> list[Conversation]:
    """Return the conversations in which somebody else takes part, too."""
    here = and_(SESSIONS.c.tenant == TURNS.c.tenant, SESSIONS.c.session_id == TURNS.c.session_id)
    others = (
        select(SESSIONS.c.tenant, SESSIONS.c.root)
        .distinct()
        .join_from(TURNS, SESSIONS, here)
        .where(tuple_(SESSIONS.c.tenant, SESSIONS.c.root).in_(batch), ~is_by(selection, TURNS))
    )
    return [(tenant, root) for tenant, root in connection.execute(others)]


def _forget_records(
    connection: Connection, conversations: Sequence[Conversation], selection: Selection, *, dry_run: bool
) -> dict[str, int]:
    """Forget the ids and records of a principal's turns in conversations that go on, and the principal's documents."""
    if not conversations:
        return {"records": 0, "claims": 0, "documents": 0}
    turns = _turns_of(conversations)
    own = and_(turns, is_by(selection, TURNS), TURNS.c.turn_id.is_not(None))
    counts = {"claims": remove(connection, CLAIMS, _answered_by(own), dry_run=dry_run)}
    kept = and_(tuple_(DOCUMENTS.c.tenant, DOCUMENTS.c.root).in_(conversations), is_by(selection, DOCUMENTS))
    counts["documents"] = remove(connection, DOCUMENTS, kept, dry_run=dry_run)
    if dry_run:
        return {**counts, "records": count_of(connection, TURNS, own)}
    forgotten = connection.execute(update(TURNS).where(own).values(turn_id=None, record=None))
    return {**counts, "records": forgotten.rowcount}


def _answered_by(turns: ColumnElement[bool]) -> ColumnElement[bool]:
    """Return which idempotency keys are answered with the record of such a turn."""
    return CLAIMS.c.turn.in_(select(TURNS.c.number).where(turns))


def _purge_rest(engine: Engine, selection: Selection, *, dry_run: bool) -> dict[str, int]:
    """Forget what belongs to no conversation that is stored."""
    before = in_transaction(engine, lambda connection: moment_ago(connection, selection.older_than))
    counts: dict[str, int] = {}
    if selection.session is None:
        # Tasks first: a run whose task is gone can say nothing more.
        for name, table in (("tasks", TASKS), ("events", EVENTS)):
            counts[name] = _remove_all(engine, table, and_(*_asked_for(selection, table, before)), dry_run=dry_run)
        wanted = _asked_for(selection, CLAIMS, before)
        if dry_run:
            # They have been counted with their conversations, and would be gone with them.
            conversations = wanted_by(selection, before).subquery()
            sessions = select(SESSIONS.c.tenant, SESSIONS.c.session_id).where(
                tuple_(SESSIONS.c.tenant, SESSIONS.c.root).in_(select(conversations.c.tenant, conversations.c.root))
            )
            theirs = _answered_by(tuple_(TURNS.c.tenant, TURNS.c.session_id).in_(sessions))
            wanted.append(or_(CLAIMS.c.turn.is_(None), ~theirs))
        counts["claims"] = _remove_all(engine, CLAIMS, and_(*wanted), dry_run=dry_run)
    loose = _loose(DOCUMENTS, selection, before)
    if selection.names_somebody:
        loose = and_(loose, is_by(selection, DOCUMENTS))
    counts["documents"] = _remove_all(engine, DOCUMENTS, loose, dry_run=dry_run)
    if not selection.names_somebody:
        for name, table in (("checkpoints", CHECKPOINTS), ("answers", ANSWERS)):
            counts[name] = _remove_all(engine, table, _loose(table, selection, before), dry_run=dry_run)
    return counts


def _asked_for(selection: Selection, table: Table, before: float | None) -> list[ColumnElement[bool]]:
    """Return what the rows of a table have in common that belong to principals, not to conversations."""
    wanted = [is_by(selection, table)] if selection.names_somebody else []
    if before is not None:
        wanted.append((table.c.used_at if table is DOCUMENTS else table.c.created_at) < before)
    if selection.within is not None:
        wanted.append(table.c.tenant == selection.within)
    return wanted


def _remove_all(engine: Engine, table: Table, where: ColumnElement[bool], *, dry_run: bool) -> int:
    """Remove rows little by little."""
    if dry_run:
        return in_transaction(engine, lambda connection: count_of(connection, table, where))
    key = list(table.primary_key)
    some = tuple_(*key).in_(select(*key).where(where).limit(operation.ROWS))
    removed = 0
    while count := in_transaction(engine, lambda connection: connection.execute(delete(table).where(some)).rowcount):
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
