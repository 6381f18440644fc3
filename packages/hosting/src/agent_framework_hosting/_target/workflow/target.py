"""A workflow as the pipeline sees it: every session in an instance of its own, restored, run, and kept."""

from __future__ import annotations

import copy
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from agent_framework import AgentResponseUpdate, Workflow, WorkflowRunResult

from ..._state.encoded import Encoded
from ..._state.turns import SessionName
from ...errors import InvalidRequest, NotForkable, NotRestorable, OneSessionOnly, RunError
from ...logs import logger
from ...types import ChannelRequest
from ...workflows import updates_of
from .answers import answers_in, may_answer
from .instances import Instances
from .keeping import Keeping
from .kept import Point
from .recorder import Recorder
from .start import refuse_uncheckable, refuse_unfitting
from .state import WorkflowState
from .stored import DatabaseKeeping, InDatabase, sealed_in

if TYPE_CHECKING:
    from ..target import AnswerStore, TargetStream

_NOTHING: Final[Mapping[str, Any]] = {}


@dataclass(slots=True)
class _Turn:
    """One run that is about to begin: `release` has to be called whatever becomes of it."""

    instance: Any
    arguments: dict[str, Any]
    recorder: Recorder
    state: WorkflowState | None
    given: Mapping[str, Any] = field(default_factory=dict[str, Any])

    def finish(self, result: WorkflowRunResult) -> None:
        """Hand what the run has left to the session."""
        if self.state is not None:
            self.state.finish(self.instance, self.recorder, result, given=self.given)


class WorkflowTarget:
    """Runs workflows.

    Args:
        served: What channels and hooks see.
        instances: Where the workflow of a session comes from.
        keeping: How checkpoints are kept.

    Raises:
        ConfigurationError: The workflow's checkpoints cannot be kept so.
    """

    accepts_options = False
    needs_start = False

    def __init__(self, served: Any, *, instances: Instances, keeping: Keeping) -> None:
        self.served: Any = served
        self._instances = instances
        self._keeping = keeping
        self._is_graph = isinstance(instances.template, Workflow)
        self._owner: object = None
        self._is_poisoned = False
        self.forkable = isinstance(keeping, DatabaseKeeping)
        if isinstance(instances.template, Workflow):
            refuse_uncheckable(instances.template)
        keeping.check(instances.template)

    @property
    def name(self) -> str:
        """See `Target`."""
        return self._instances.template.name or "workflow"

    @property
    def notes(self) -> Sequence[str]:
        """See `Target`."""
        forks = () if self.forkable else ("conversations can be continued from their newest turn only",)
        return (*self._keeping.notes, *forks, *self._shared)

    @property
    def _shared(self) -> Sequence[str]:
        if self._instances.lock is None:
            return ()
        if self._keeping.outlives:
            return ("all sessions use one workflow instance, one after the other",)
        return ("the one workflow instance holds one conversation, and others are refused",)

    @property
    def is_well(self) -> bool:
        """See `Target`."""
        return not self._is_poisoned

    async def start(self) -> None:
        """See `Target`."""
        await self._instances.check()

    async def stop(self) -> None:
        """See `Target`."""

    async def fresh(self, name: SessionName, *, is_new: bool) -> WorkflowState:
        """See `Target`."""
        kept = self._keeping.of(name, workflow=self.name, is_new=is_new)
        keeps_instance = self._is_graph and not self._keeping.outlives
        # A reset gives the key a new session, not somebody else.
        return WorkflowState((name.tenant, name.key), kept, keeps_instance=keeps_instance)

    async def resume(self, name: SessionName, snapshot: Any) -> WorkflowState:
        """See `Target`."""
        state = await self.fresh(name, is_new=False)
        if isinstance(state.kept, InDatabase):
            state.kept.sealed = snapshot
        return state

    async def branch(self, name: SessionName, snapshot: Any) -> WorkflowState:
        """See `Target`."""
        if not self.forkable:
            raise NotForkable("A workflow's conversation can only be continued from its newest turn.")
        return await self.resume(name, snapshot)

    def encode(self, snapshot: Any) -> Encoded:
        """See `Target`."""
        return Encoded(b"", sealed_in(snapshot), is_base=True)

    def decode(self, chain: Sequence[Encoded], rest: bytes | None) -> bytes | None:
        """See `Target`."""
        return rest if rest is not None or not chain else chain[-1].rest

    def can_branch(self, snapshot: Any, head: Any) -> bool:  # noqa: ARG002 - each is whole
        """See `Target`."""
        return self.forkable and snapshot is not None

    def apart(self, answers: AnswerStore) -> WorkflowTarget:
        """See `Target`."""
        if not self._keeping.outlives:
            return self
        target = copy.copy(self)
        target._keeping = self._keeping.apart(answers)  # noqa: SLF001 - the copy is not yet anybody's
        return target

    def check(self, request: ChannelRequest) -> None:
        """See `Target`."""
        if not may_answer(request.input):
            self._refuse_unfitting(request.input)

    async def run(self, request: ChannelRequest, state: WorkflowState | None) -> WorkflowRunResult:
        """See `Target`."""
        await self._acquire()
        try:
            turn = await self._begin(request, state)
            result = await turn.instance.run(**turn.arguments)
            turn.finish(result)
            return result
        finally:
            self._release()

    async def stream(self, request: ChannelRequest, state: WorkflowState | None) -> TargetStream:
        """See `Target`."""
        await self._acquire()
        try:
            turn = await self._begin(request, state)
            return _Events(turn, turn.instance.run(stream=True, **turn.arguments), release=self._release)
        except BaseException:
            self._release()
            raise

    async def _acquire(self) -> None:
        if self._instances.lock is not None:
            await self._instances.lock.acquire()

    def _release(self) -> None:
        if self._instances.lock is not None:
            self._instances.lock.release()

    async def _begin(self, request: ChannelRequest, state: WorkflowState | None) -> _Turn:
        """Return the run of a request, on an instance that stands where its session does."""
        point = await state.point() if state is not None else None
        answers = answers_in(
            request.input,
            asked=point.checkpoint.pending_request_info_events if point is not None else _NOTHING,
            answered=point.answered if point is not None else (),
        )
        if answers is None:
            self._refuse_unfitting(request.input)
        if self._instances.lock is not None and not self._keeping.outlives:
            self._claim(state)
        said = {"message": request.input} if answers is None else {"responses": answers}
        turn = await (self._graph if self._is_graph else self._functional)(said, state, point)
        if state is not None and answers is not None:
            await state.answer(answers)
        return turn

    async def _graph(self, said: dict[str, Any], state: WorkflowState | None, point: Point | None) -> _Turn:
        instance = state.instance if state is not None else None
        if instance is None:
            instance = await self._instances.new()
            await self._restore(instance, point)
        elif state is not None:
            # Until this turn has finished well, nobody else may find the instance.
            state.instance = None
        return self._turn(instance, state, said)

    async def _functional(self, said: dict[str, Any], state: WorkflowState | None, point: Point | None) -> _Turn:
        instance = await self._instances.new()
        if "responses" not in said or point is None:
            return self._turn(instance, state, said)
        # It runs from its beginning again, so it wants to hear all that was answered since its input.
        given = {**point.given, **said["responses"]}
        resumed = {"responses": given, "checkpoint_id": point.checkpoint.checkpoint_id}
        turn = self._turn(instance, state, resumed, restored=point)
        turn.given = given
        return turn

    def _turn(
        self, instance: Any, state: WorkflowState | None, said: dict[str, Any], *, restored: Point | None = None
    ) -> _Turn:
        through = state.kept.through if state is not None else None
        recorder = Recorder(restored=restored.checkpoint if restored is not None else None, through=through)
        arguments = said if state is None else {**said, "checkpoint_storage": recorder}
        return _Turn(instance, arguments, recorder, state)

    async def _restore(self, instance: Any, point: Point | None) -> None:
        try:
            checkpoint = point.checkpoint if point is not None else await self._instances.pristine()
            if checkpoint is not None:
                recorder = Recorder(restored=checkpoint)
                await instance.run(checkpoint_id=checkpoint.checkpoint_id, checkpoint_storage=recorder)
        except Exception as error:
            if self._instances.lock is not None and point is None:
                self._is_poisoned = True
                logger.critical("The only instance of the workflow %r is beyond repair; restart the host.", self.name)
                raise RunError("The workflow cannot be run any more.") from error
            logger.exception("A session of the workflow %r cannot be restored.", self.name)
            raise NotRestorable(
                "This conversation cannot go on: its workflow has changed, or what it was doing cannot be restored. "
                "Start a new conversation, or have this session reset."
            ) from error

    def _claim(self, state: WorkflowState | None) -> None:
        """Let one session alone use the only instance: without checkpoints others would see what it left there."""
        who = state.name if state is not None else object()
        if self._owner is None:
            self._owner = who
        elif self._owner != who:
            raise OneSessionOnly(
                "This workflow holds one conversation until the host is restarted, and another one is in it. The "
                "operator can give the host a function that builds the workflow, or checkpoints, to have many."
            )

    def _refuse_unfitting(self, value: Any) -> None:
        if value is None:
            raise InvalidRequest("A workflow needs an input, or answers to what it asks.")
        if self._is_graph:
            refuse_unfitting(self._instances.template, value)


class _Events:
    """A running workflow. Agent Framework takes its stream for the lock of the instance, so it is let go in the end."""

    def __init__(self, turn: _Turn, source: Any, *, release: Any) -> None:
        self._turn = turn
        self._source: Any = source
        self._release = release
        self.final: WorkflowRunResult | None = None
        self._generator = self._each()
        self.updates: AsyncIterator[AgentResponseUpdate] = self._generator

    async def _each(self) -> AsyncGenerator[AgentResponseUpdate, None]:
        async for event in self._source:
            for update in updates_of(event):
                yield update

    async def more(self) -> None:
        """See `TargetStream`; a workflow says all at once."""
        result = await self._source.get_final_response()
        self._turn.finish(result)
        self.final = result

    async def close(self) -> None:
        """See `TargetStream`."""
        source, self._source = self._source, None
        if source is None:
            return
        try:
            await self._generator.aclose()
            await source.close()
        finally:
            self._release()
