"""Accepted work in its table: which task may be taken, whose it is, and how it ended.

Rules of this file:
1. The first open task of a line is the only one of it that can be taken. Those who add to a line do it one by one, so
   that numbers become visible in their order.
2. A task is its worker's while that one is alive. One that a dead worker had can be taken again, which counts: the task
   may be what killed it. At the second death it becomes a suspect. A worker never takes what it has: its lease may have
   run out behind its back, as on a machine that slept, while the task still runs.
3. `attempt` is the fence: what is written about a task names the attempt, and comes to nothing when there is a later
   one.
4. A task that ended leaves its id behind, so that a duplicate is known for some time, and nothing of what it said.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, Final

from ...types import Owner
from ..refusals import require_keepable, too_many_tasks
from ..tasks import NewTask, Outcome, StopCause, TakenTask, TaskState
from .alone import alone
from .lanes import Wake
from .names import is_keepable
from .script import Script, all_of, do, one

_ADD: Final = """
INSERT INTO af_task (
  tenant, is_named, owner, kind, task_id, line, payload, circumstances, attempt, failures, deaths, is_stopped,
  due_at, created_at
) VALUES (
  :tenant, :is_named, :owner, :kind, :task_id, :line, :payload, :circumstances, 0, 0, 0, 0, {now}, {now}
) ON CONFLICT (tenant, is_named, owner, kind, task_id) DO NOTHING RETURNING number
"""
_COUNT: Final = """
SELECT
  (SELECT count(*) FROM af_task WHERE outcome IS NULL AND tenant = :tenant AND line = :line),
  (SELECT count(*) FROM af_task WHERE outcome IS NULL)
"""
_DUE: Final = """
SELECT t.number FROM af_task t
WHERE t.outcome IS NULL AND t.due_at <= {now} AND t.kind IN (KINDS)
  AND (t.deaths + (CASE WHEN t.worker IS NULL THEN 0 ELSE 1 END) >= 2) = (:suspects = 1)
  AND coalesce(t.worker, '') <> :worker
  AND NOT EXISTS (SELECT 1 FROM af_worker w WHERE w.id = t.worker AND w.alive_until > {now})
  AND NOT EXISTS (
    SELECT 1 FROM af_task o
    WHERE o.outcome IS NULL AND o.tenant = t.tenant AND o.line = t.line AND o.number < t.number
  )
"""
_IS_DUE: Final = f"{_DUE} LIMIT 1"
_TAKE: Final = f"""
WITH due AS ({_DUE} ORDER BY t.number LIMIT :most {{unlocked}})
UPDATE af_task SET
  worker = :worker, attempt = attempt + 1, deaths = deaths + (CASE WHEN worker IS NULL THEN 0 ELSE 1 END)
FROM due WHERE af_task.number = due.number
RETURNING af_task.number, attempt, failures, deaths, kind, task_id, line, payload, circumstances, is_stopped
"""  # noqa: S608 - made of constants
_KINDS: Final = "SELECT kind, count(*) FROM af_task WHERE outcome IS NULL GROUP BY kind"
_MINE: Final = "SELECT number, attempt, is_stopped FROM af_task WHERE worker = :worker AND outcome IS NULL"
_HELD: Final = "number = :number AND attempt = :attempt AND worker = :worker AND outcome IS NULL"
_END: Final = (
    "UPDATE af_task SET outcome = :outcome, ended_at = {now}, worker = NULL, payload = NULL, circumstances = NULL"
)
_SETTLE: Final = f"{_END} WHERE {_HELD} RETURNING number"
_END_STOPPED: Final = f"{_END} WHERE {_HELD} AND is_stopped = 1 RETURNING number"
_PUT_BACK: Final = f"""
UPDATE af_task SET worker = NULL, due_at = {{now}} + :after, failures = failures + :failed WHERE {_HELD}
RETURNING number
"""  # noqa: S608 - likewise
_WHERE: Final = """
SELECT t.outcome, w.id, t.attempt FROM af_task t LEFT JOIN af_worker w ON w.id = t.worker AND w.alive_until > {now}
WHERE t.tenant = :tenant AND t.is_named = :is_named AND t.owner = :owner AND t.kind = :kind AND t.task_id = :task_id
"""
_STOP: Final = "UPDATE af_task SET is_stopped = 1 WHERE outcome IS NULL AND"
_STOP_ONE: Final = f"""
{_STOP} tenant = :tenant AND is_named = :is_named AND owner = :owner AND kind = :kind AND task_id = :task_id
RETURNING number, worker
"""
_STOP_LINE: Final = f"{_STOP} tenant = :tenant AND line = :line RETURNING number, worker"
_END_WAITING: Final = f"{_END} WHERE number = :number AND outcome IS NULL"
_LIVING: Final = "SELECT id, address FROM af_worker WHERE id = :worker AND alive_until > {now}"
_OTHERS: Final = "SELECT id, address FROM af_worker WHERE id <> :worker AND alive_until > {now} LIMIT 100"


def accept(new: NewTask) -> Script[bool]:
    """Keep a task; returns whether it is new.

    Raises:
        QueueFull: Too many wait in its line, or in all.
        InvalidRequest: Its id or line cannot be kept.
    """
    require_keepable(new)
    yield from alone("task", new.tenant, new.line)
    added = yield from one(
        _ADD,
        **_whose(new.owner),
        kind=new.kind,
        task_id=new.id,
        line=new.line,
        payload=new.payload,
        circumstances=new.circumstances,
    )
    if added is None:
        return False
    # With the new one, which goes again when this raises.
    in_line, in_all = (yield from one(_COUNT, tenant=new.tenant, line=new.line)) or (0, 0)
    if in_line > new.max_waiting + 1:
        raise too_many_tasks(new.max_waiting, in_line=True)
    if in_all > new.max_open:
        raise too_many_tasks(new.max_open, in_line=False)
    return True


def is_due(kinds: Sequence[str], *, worker: str, suspects: bool) -> Script[bool]:
    """Whether there is a task to take; reads alone, so that a look which finds nothing holds nobody up."""
    named = _named(kinds)
    found = yield from one(_of_kinds(_IS_DUE, tuple(named)), worker=worker, suspects=int(suspects), **named)
    return found is not None


def open_kinds() -> Script[dict[str, int]]:
    """Return how many tasks are not done, by their kinds."""
    rows = yield from all_of(_KINDS)
    return {kind: number for kind, number in rows}  # noqa: C416 - rows are no pairs to a type checker


def take(kinds: Sequence[str], *, worker: str, most: int, suspects: bool) -> Script[list[TakenTask]]:
    """Take tasks whose turn it is; those that were cancelled while their worker died end here."""
    named = _named(kinds)
    taking = _of_kinds(_TAKE, tuple(named))
    rows = yield from all_of(taking, worker=worker, most=most, suspects=int(suspects), **named)
    taken: list[TakenTask] = []
    for number, attempt, failures, deaths, kind, task_id, line, payload, circumstances, is_stopped in sorted(
        rows, key=lambda row: row[0]
    ):
        if is_stopped:
            yield from do(_SETTLE, number=number, attempt=attempt, worker=worker, outcome="cancelled")
            continue
        taken.append(
            TakenTask(
                number=number,
                attempt=attempt,
                failures=failures + deaths,
                is_suspect=suspects,
                kind=kind,
                id=task_id,
                line=line,
                payload=bytes(payload),
                circumstances=bytes(circumstances),
            )
        )
    return taken


def look(held: Mapping[int, int], *, worker: str) -> Script[tuple[dict[int, StopCause], dict[int, int]]]:
    """Return which of the tasks that are `held`, by number and attempt, have to stop; and the strays; reads alone."""
    stops: dict[int, StopCause] = dict.fromkeys(held, "lease_lost")
    strays: dict[int, int] = {}
    for number, attempt, is_stopped in (yield from all_of(_MINE, worker=worker)):
        if held.get(number) != attempt:
            strays[number] = attempt
            continue
        del stops[number]
        if is_stopped:
            stops[number] = "cancelled"
    return stops, strays


def give_back(strays: Mapping[int, int], *, worker: str) -> Script[None]:
    """Put tasks back, by number and attempt, which a worker has and does not know of."""
    for number, attempt in strays.items():
        yield from do(_PUT_BACK, number=number, attempt=attempt, worker=worker, after=0.0, failed=0)


def settle(taken: TakenTask, *, worker: str, outcome: Outcome) -> Script[bool]:
    """End a task; `False` when somebody else has it by now."""
    ended = yield from one(_SETTLE, number=taken.number, attempt=taken.attempt, worker=worker, outcome=outcome)
    return ended is not None


def put_back(taken: TakenTask, *, worker: str, after: float, has_failed: bool) -> Script[bool]:
    """Let a task be taken again later, unless it was cancelled meanwhile; `False` when somebody else has it by now."""
    which: dict[str, Any] = {"number": taken.number, "attempt": taken.attempt, "worker": worker}
    ended = yield from one(_END_STOPPED, **which, outcome="cancelled")
    if ended is not None:
        return True
    back = yield from one(_PUT_BACK, **which, after=after, failed=int(has_failed))
    return back is not None


def others(*, worker: str) -> Script[tuple[Wake, ...]]:
    """Return how to wake the other workers."""
    return tuple(Wake(other, address) for other, address in (yield from all_of(_OTHERS, worker=worker)))


def find(owner: Owner, kind: str, task_id: str) -> Script[TaskState | None]:
    """Return where a task is."""
    if not is_keepable(task_id):
        return None
    row = yield from one(_WHERE, **_whose(owner), kind=kind, task_id=task_id)
    if row is None:
        return None
    outcome, worker, attempt = row
    return TaskState(outcome or ("waiting" if worker is None else "running"), attempt)


def cancel(owner: Owner, kind: str, task_id: str) -> Script[tuple[int, tuple[Wake, ...]]]:
    """End a task that waits, or have it stopped; returns how many there were, and who is to be woken for it."""
    if not is_keepable(task_id):
        return 0, ()
    return (yield from _stop((yield from all_of(_STOP_ONE, **_whose(owner), kind=kind, task_id=task_id))))


def cancel_line(tenant: str, line: str) -> Script[tuple[int, tuple[Wake, ...]]]:
    """Do the same with all tasks of a line."""
    if not is_keepable(line):
        return 0, ()
    return (yield from _stop((yield from all_of(_STOP_LINE, tenant=tenant, line=line))))


def _stop(stopped: Sequence[tuple[Any, ...]]) -> Script[tuple[int, tuple[Wake, ...]]]:
    wakes: list[Wake] = []
    for number, worker in stopped:
        living = (yield from one(_LIVING, worker=worker)) if worker is not None else None
        if living is None:
            yield from do(_END_WAITING, number=number, outcome="cancelled")
        else:
            wakes.append(Wake(*living))
    return len(stopped), tuple(wakes)


def _named(kinds: Sequence[str]) -> dict[str, str]:
    return {f"kind{number}": kind for number, kind in enumerate(kinds)}


@cache
def _of_kinds(text: str, names: tuple[str, ...]) -> str:
    return text.replace("KINDS", ", ".join(f":{name}" for name in names))


def _whose(owner: Owner) -> dict[str, Any]:
    tenant, is_named, owner_id = owner
    return {"tenant": tenant, "is_named": int(is_named), "owner": owner_id}
