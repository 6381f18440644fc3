"""What a session holds for a workflow: the live instance, and the point after its last finished turn."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from agent_framework import WorkflowCheckpoint, WorkflowRunResult

from .kept import Kept, Point
from .recorder import Recorder
from .stored import InDatabase


class WorkflowState:
    """The state of one session.

    Args:
        name: What the session is called where one session has to be told from another.
        kept: Keeps the point between turns.
        keeps_instance: Whether the instance itself lives on from turn to turn.
    """

    session = None

    def __init__(self, name: object, kept: Kept, *, keeps_instance: bool) -> None:
        self.name = name
        self.kept = kept
        self.instance: Any = None
        """The live workflow, as the last finished turn left it."""
        self._keeps_instance = keeps_instance
        self._point: Point | None = None
        self._used: Any = None
        self._reached: Point | None = None

    async def point(self) -> Point | None:
        """Return where the session stands; the checkpoint may be changed when there is no live instance."""
        if self.instance is None:
            self._point = await self.kept.load()
        return self._point

    async def answer(self, ids: Iterable[str]) -> None:
        """Say that these are being answered: whatever becomes of the turn, they are not open any more."""
        if self._point is not None:
            self._point = replace(self._point, answered=self._point.answered.union(ids))
            await self.kept.answer(self._point)

    def finish(self, instance: Any, recorder: Recorder, result: WorkflowRunResult, *, given: Mapping[str, Any]) -> None:
        """Take what a run that came to its end has left; `settle` makes it count."""
        self._used, self._reached = instance, None
        if recorder.last is not None and _is_last(recorder.last, result):
            asked = recorder.last.pending_request_info_events.keys()
            anew = {event.request_id for event in result.get_request_info_events()}
            answered = self._point.answered if self._point is not None else frozenset[str]()
            self._reached = Point(recorder.last, answered & (asked - anew), given)

    async def settle(self, *, named: bool) -> Any:
        """See `SessionState`; the snapshot is the checkpoint's id, unless all of it is stored with the turn."""
        used, reached = self._used, self._reached
        self._used = self._reached = None
        await self.kept.keep(reached)
        if reached is None:
            self._point = None
            self.instance = used
            return None
        self._point = reached
        self.instance = used if self._keeps_instance else None
        if isinstance(self.kept, InDatabase):
            return self.kept.sealed
        return reached.checkpoint.checkpoint_id if named else None

    def remains(self) -> None:
        """See `SessionState`: what was answered is marked, and the rest of an unfinished turn is forgotten."""

    async def rewind(self) -> None:
        """See `SessionState`."""
        self.instance = self._used = self._reached = None


def _is_last(checkpoint: WorkflowCheckpoint, result: WorkflowRunResult) -> bool:
    # Agent Framework only logs that a checkpoint could not be made, and goes on.
    steps = [event.iteration for event in result if event.type == "superstep_completed"]
    return not steps or steps[-1] == checkpoint.iteration_count
