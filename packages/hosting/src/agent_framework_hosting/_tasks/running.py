"""One attempt at a task, and what is to become of the task after it."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, TypeAlias

import msgspec

from .._admission import Run
from .._state.tasks import Outcome, TakenTask
from .._telemetry import names
from .._telemetry.instruments import instruments
from ..channel import Task, TryAgain
from ..errors import LimitReached, Unavailable
from ..ids import mint
from ..limits import Limits
from ..logs import logger
from ..types import Owner
from .accepted import Doer
from .circumstances import Restored

_LONGEST_BACKOFF: Final = 300.0
_JITTER: Final = 0.2


class Ending(msgspec.Struct, frozen=True, kw_only=True):
    """How an attempt ended: the task is over, somebody else has it, or it is to be tried again."""

    outcome: Outcome | None = None
    is_lost: bool = False
    after: float = 0.0
    has_failed: bool = False


IsOurs: TypeAlias = Callable[[Owner], Awaitable[bool]]
"""Says whether the task of this owner is still this process's."""

_STOPPED: Final[Mapping[str | None, Ending]] = {
    "cancelled": Ending(outcome="cancelled"),
    "lease_lost": Ending(is_lost=True),
}
"""What becomes of a task whose run was stopped; one that has to make way for the end of the host is tried elsewhere."""


async def end_of(taken: TakenTask, run: Run, doer: Doer, *, limits: Limits, is_ours: IsOurs) -> Ending:
    """Run a task once; `is_ours` is asked before anything is said of a failure."""
    ending = await _tried(taken, run, doer, limits=limits, is_ours=is_ours)
    found = instruments()
    if found is not None:
        outcome = ending.outcome or ("lost" if ending.is_lost else "again")
        found.tasks_ended.add(1, {names.TASK_KIND: taken.kind, names.OUTCOME: outcome})
    return ending


async def _tried(taken: TakenTask, run: Run, doer: Doer, *, limits: Limits, is_ours: IsOurs) -> Ending:
    try:
        restored = Restored(taken.circumstances)
        payload = msgspec.json.decode(taken.payload)
    except msgspec.DecodeError:
        logger.exception("A task cannot be read, and is given up (%s %s).", taken.kind, taken.id)
        return Ending(outcome="failed")
    with restored.named():
        return await _done(taken, _task(taken, payload, restored), run, doer, restored, limits=limits, is_ours=is_ours)


def _task(taken: TakenTask, payload: Any, restored: Restored) -> Task:
    return Task(
        kind=taken.kind,
        id=taken.id,
        line=taken.line,
        payload=payload,
        attempt=taken.attempt,
        principal=restored.principal,
    )


async def _done(
    taken: TakenTask, task: Task, run: Run, doer: Doer, restored: Restored, *, limits: Limits, is_ours: IsOurs
) -> Ending:
    if taken.failures >= limits.task_failures:
        # The last attempts never came back to say why: they took their processes down.
        with run.parts():
            return await _given_up(task, doer, restored, said="its process died each time")
    try:
        with run, run.parts(), restored.around():
            await doer.handler(task)
    except Exception as error:  # noqa: BLE001 - whatever a handler raises is a failure of its task, not of the host
        if run.reason is not None:
            return _STOPPED.get(run.reason, Ending())
        if isinstance(error, TryAgain | Unavailable | LimitReached):
            return Ending(after=_pause(error, limits))
        with run.parts():
            return await _failed(taken, task, doer, restored, limits=limits, is_ours=is_ours)
    return Ending(outcome="done")


def _pause(error: TryAgain | Unavailable | LimitReached, limits: Limits) -> float:
    """Return how long a task waits that has not failed: something else has to end, or to come back, before."""
    if isinstance(error, TryAgain):
        return max(0.0, error.after)
    return error.retry_after if isinstance(error, LimitReached) else limits.task_backoff


async def _failed(
    taken: TakenTask, task: Task, doer: Doer, restored: Restored, *, limits: Limits, is_ours: IsOurs
) -> Ending:
    if not await is_ours(restored.principal.owner):
        # This process stood still, which may be why it failed.
        logger.info("A task failed that another process has by now (%s %s).", task.kind, task.id)
        return Ending(is_lost=True)
    incident, failures = mint("err_"), taken.failures + 1
    logger.exception(
        "A task failed (%s %s, attempt %s, failure %s of %s; error id %s).",
        task.kind,
        task.id,
        task.attempt,
        failures,
        limits.task_failures,
        incident,
    )
    if failures >= limits.task_failures:
        return await _given_up(task, doer, restored, said=f"error id {incident}")
    backoff = min(limits.task_backoff * 2**taken.failures, _LONGEST_BACKOFF)
    return Ending(after=backoff * random.uniform(1 - _JITTER, 1 + _JITTER), has_failed=True)  # noqa: S311 - no secret


async def _given_up(task: Task, doer: Doer, restored: Restored, *, said: str) -> Ending:
    logger.error("A task is given up (%s %s, attempt %s): %s.", task.kind, task.id, task.attempt, said)
    if doer.on_give_up is not None:
        try:
            with restored.around():
                await doer.on_give_up(task)
        except Exception:  # noqa: BLE001 - the task is over all the same
            logger.exception("What is done with a task that is given up failed (%s %s).", task.kind, task.id)
    return Ending(outcome="failed")
