"""Event logs in their table.

Rules of this file:
1. Only the newest attempt of an open task adds to its log: a process that stood still says nothing more.
2. Whose a run is, is part of every look-up.
3. Adding the same events again changes nothing: the answer to a transaction may have been lost.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, Final

from ..events import Event, Position, RunName
from .driver import Driver
from .names import is_keepable
from .script import Script, all_of, do, one

_OF_RUN: Final = """
tenant = :tenant AND is_named = :is_named AND owner = :owner AND kind = :kind AND {id} = :run_id
"""
_IS_NEWEST: Final = f"""
SELECT 1 FROM af_task WHERE {_OF_RUN.format(id="task_id")} AND attempt = :attempt AND outcome IS NULL {{lock}}
"""  # noqa: S608 - made of constants
_ADD: Final = """
INSERT INTO af_event (tenant, is_named, owner, kind, run_id, attempt, sequence, data, created_at)
VALUES (:tenant, :is_named, :owner, :kind, :run_id, :attempt, :sequence, :data, {now})
ON CONFLICT (tenant, is_named, owner, kind, run_id, attempt, sequence) DO NOTHING
"""
_NEWEST: Final = f"SELECT max(attempt) FROM af_event WHERE {_OF_RUN.format(id='run_id')}"  # noqa: S608 - likewise
_READ: Final = f"""
SELECT attempt, sequence, data FROM af_event WHERE {_OF_RUN.format(id="run_id")}
  AND (attempt > :attempt OR (attempt = :attempt AND sequence > :sequence))
ORDER BY attempt, sequence LIMIT :most
"""  # noqa: S608 - likewise
_LAST: Final = f"""
SELECT attempt, sequence, data FROM af_event WHERE {_OF_RUN.format(id="run_id")}
ORDER BY attempt DESC, sequence DESC LIMIT 1
"""  # noqa: S608 - likewise
_FORGET: Final = f"DELETE FROM af_event WHERE {_OF_RUN.format(id='run_id')}"  # noqa: S608 - likewise
_BEYOND: Final = 2**31 - 1
"""No attempt, and no event of one, has a higher number; callers may name any."""


class SqlEvents:
    """Keeps event logs in the database; see `EventLog`."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver

    async def append(self, run: RunName, events: Sequence[Event]) -> bool:
        """See `EventLog`."""
        return await self._driver.run(partial(_append, run, events), durable=False, ahead=True)

    async def read(self, run: RunName, *, after: Position | None, most: int) -> Sequence[Event]:
        """See `EventLog`."""
        return await self._driver.read(partial(_read, run, after, most=most))

    async def last(self, run: RunName) -> Event | None:
        """See `EventLog`."""
        return await self._driver.read(partial(_last, run))

    async def forget(self, run: RunName) -> None:
        """See `EventLog`."""
        if is_keepable(run.id):
            await self._driver.run(partial(do, _FORGET, **_names(run)), durable=False)


def _append(run: RunName, events: Sequence[Event]) -> Script[bool]:
    names = _names(run)
    for attempt in {event.attempt for event in events}:
        if (yield from one(_IS_NEWEST, **names, attempt=attempt)) is None:
            return False
    for event in events:
        yield from do(_ADD, **names, attempt=event.attempt, sequence=event.sequence, data=event.data)
    return True


def _read(run: RunName, after: Position | None, *, most: int) -> Script[list[Event]]:
    if not is_keepable(run.id):
        return []
    names = _names(run)
    if after is None:
        newest = yield from one(_NEWEST, **names)
        after = ((newest[0] if newest is not None else None) or 0, -1)
    attempt, sequence = (max(-1, min(number, _BEYOND)) for number in after)
    rows = yield from all_of(_READ, **names, attempt=attempt, sequence=sequence, most=most)
    return [Event(attempt, sequence, bytes(data)) for attempt, sequence, data in rows]


def _last(run: RunName) -> Script[Event | None]:
    if not is_keepable(run.id):
        return None
    row = yield from one(_LAST, **_names(run))
    return Event(row[0], row[1], bytes(row[2])) if row is not None else None


def _names(run: RunName) -> dict[str, Any]:
    tenant, is_named, owner = run.owner
    return {"tenant": tenant, "is_named": int(is_named), "owner": owner, "kind": run.kind, "run_id": run.id}
