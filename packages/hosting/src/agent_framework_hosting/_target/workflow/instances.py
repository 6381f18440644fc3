"""Where the workflow of a session comes from: a factory, a copy of a template, or the only one there is.

A workflow instance is one conversation: its state, its pauses and what is under way in it outlive a run.
"""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol

from agent_framework import (
    AgentExecutor,
    CheckpointStorage,
    FunctionalWorkflow,
    FunctionalWorkflowDefinition,
    FunctionExecutor,
    Workflow,
    WorkflowCheckpoint,
    WorkflowExecutor,
)

from ...errors import RunError, TargetError
from ...hooks import settled
from ...logs import logger

_EXECUTOR_STATE: Final = "_executor_state"
"""Agent Framework's key for the states of executors in a checkpoint's state."""


class Instances(Protocol):
    """Makes workflow instances."""

    @property
    def template(self) -> Any:
        """A workflow that is looked at and never run."""
        ...

    @property
    def lock(self) -> asyncio.Lock | None:
        """Held while an instance runs, when all sessions have to use the same one."""
        ...

    async def check(self) -> None:
        """See before the first session whether instances are apart.

        Raises:
            TargetError: Sessions would meet in one.
        """
        ...

    async def new(self) -> Any:
        """Return an instance for a session."""
        ...

    async def pristine(self) -> WorkflowCheckpoint | None:
        """Return the state to bring an instance into that has been used before."""
        ...


class Made:
    """Instances that a factory or a definition makes, each from nothing."""

    lock: asyncio.Lock | None = None

    def __init__(self, make: Callable[[], Any], *, template: Any) -> None:
        self._make = make
        self.template = template

    async def check(self) -> None:
        """See `Instances`."""
        other = await self.new()
        shared = _kept_in_common(self.template, other)
        if shared:
            logger.warning(
                "The workflows that the factory makes have %s in common, so that sessions may see what others left "
                "there. Make the executors inside of the factory.",
                ", ".join(f"the executor {name!r}" for name in shared),
            )

    async def new(self) -> Any:
        """See `Instances`."""
        made = built(await settled(self._make()))
        if not isinstance(made, (Workflow, FunctionalWorkflow)):
            raise RunError(f"The workflow factory returned {type(made).__name__} this time, which is no workflow.")
        if made is self.template:
            raise TargetError(
                f"The factory returned the workflow {made.name!r} a second time, and all sessions would be one "
                "conversation. Build the workflow inside of the factory, or give the host the workflow itself."
            )
        return made

    async def pristine(self) -> WorkflowCheckpoint | None:
        """See `Instances`."""
        return None


class Copied:
    """Copies of a workflow that is never run itself; its agents are shared, since they keep nothing themselves.

    Raises:
        Exception: The workflow cannot be copied.
    """

    lock: asyncio.Lock | None = None

    def __init__(self, workflow: Workflow) -> None:
        # A workflow that has run cannot be copied any more, and its owner may run it one day: so this keeps a copy.
        self.template = _copied(workflow)

    async def check(self) -> None:
        """See `Instances`."""

    async def new(self) -> Workflow:
        """See `Instances`."""
        instance = _copied(self.template)
        await _give_fresh_sessions(instance)
        return instance

    async def pristine(self) -> WorkflowCheckpoint | None:
        """See `Instances`."""
        return None


class Only:
    """One instance that all sessions share, one after the other."""

    def __init__(self, workflow: Workflow) -> None:
        self.template = workflow
        self.lock: asyncio.Lock | None = asyncio.Lock()
        self._uses = 0
        self._states: dict[str, Any] = {}

    async def check(self) -> None:
        """See `Instances`."""

    async def new(self) -> Workflow:
        """See `Instances`."""
        if self._uses == 0:
            for name, executor in self.template.executors.items():
                self._states[name] = copy.deepcopy(await executor.on_checkpoint_save())
        self._uses += 1
        return self.template

    async def pristine(self) -> WorkflowCheckpoint | None:
        """See `Instances`."""
        if self._uses == 1:
            return None
        states = copy.deepcopy(self._states)
        for name, executor in self.template.executors.items():
            if isinstance(executor, AgentExecutor):
                states[name]["agent_session"] = executor.agent.create_session().to_dict()
        return WorkflowCheckpoint(
            workflow_name=self.template.name,
            graph_signature_hash=self.template.graph_signature_hash,
            state={_EXECUTOR_STATE: states},
        )


def instances_of(workflow: Workflow) -> Copied | Only:
    """Return copies of the workflow, or the workflow alone with a warning when it cannot be copied."""
    try:
        return Copied(workflow)
    except Exception as error:  # noqa: BLE001 - executors hold what they like, and it refuses in its own ways
        logger.warning(
            "The workflow %r cannot be copied%s: %s. So it holds one conversation; with checkpoints its sessions use "
            "one instance, one after the other, and see what its executors keep besides. Give the host a function that "
            "builds the workflow, and every session gets an instance of its own.",
            workflow.name,
            _culprit(workflow),
            error,
        )
        return Only(workflow)


def built(made: Any) -> Any:
    """Return what a factory made; of a definition, the workflow that it builds."""
    return made.build() if isinstance(made, FunctionalWorkflowDefinition) else made


def own_storage(workflow: Any) -> CheckpointStorage | None:
    """Return the checkpoint storage that a workflow was built with; Agent Framework has no public way to ask."""
    holder = workflow if isinstance(workflow, FunctionalWorkflow) else getattr(workflow, "_runner_context", None)
    return getattr(holder, "_checkpoint_storage", None)


def _copied(workflow: Workflow) -> Workflow:
    return copy.deepcopy(workflow, dict(_shared(workflow)))


def _shared(workflow: Workflow) -> Mapping[int, Any]:
    """Return what copies have in common, as `deepcopy` wants to hear it."""
    storage = own_storage(workflow)
    shared: dict[int, Any] = {} if storage is None else {id(storage): storage}
    for executor in workflow.executors.values():
        if isinstance(executor, AgentExecutor):
            shared[id(executor.agent)] = executor.agent
        if isinstance(executor, WorkflowExecutor):
            shared.update(_shared(executor.workflow))
    return shared


async def _give_fresh_sessions(workflow: Workflow) -> None:
    # An AgentExecutor makes its session when it is built; under one id, outside histories would mix the copies.
    for executor in workflow.executors.values():
        if isinstance(executor, AgentExecutor):
            state = await executor.on_checkpoint_save()
            state["agent_session"] = executor.agent.create_session().to_dict()
            await executor.on_checkpoint_restore(state)
        if isinstance(executor, WorkflowExecutor):
            await _give_fresh_sessions(executor.workflow)


def _kept_in_common(one: Any, other: Any) -> list[str]:
    """Return the executors that two workflows share and that can keep something; a function keeps nothing."""
    if not isinstance(one, Workflow) or not isinstance(other, Workflow):
        return []
    return [
        name
        for name, executor in one.executors.items()
        if other.executors.get(name) is executor and not isinstance(executor, FunctionExecutor)
    ]


def _culprit(workflow: Workflow) -> str:
    """Return who refuses to be copied, as far as it can be told."""
    # Handlers hold their executor, which is not to be blamed on them.
    known = {**_shared(workflow), **{id(executor): executor for executor in workflow.executors.values()}}
    for name, executor in workflow.executors.items():
        for attribute, value in vars(executor).items():
            try:
                copy.deepcopy(value, dict(known))
            except Exception:  # noqa: BLE001 - as above
                return f" because of the attribute {attribute!r} of the executor {name!r}"
    return " (has it been run already?)"
