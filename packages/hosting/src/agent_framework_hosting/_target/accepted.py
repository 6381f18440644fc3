"""What a host can serve, and which target that makes."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

import msgspec
from agent_framework import SupportsAgentRun
from msgspec.structs import replace

from .._kinds import is_a
from .._state.paths import StatePaths
from ..errors import ConfigurationError, TargetError
from ..logs import logger
from .agent import AgentTarget

# Workflows load a quarter of all that a host has in memory. What they need is imported where one has come.
if TYPE_CHECKING:
    from .session_store import StoredSessions
    from .target import AnswerStore, Target
    from .workflow.instances import Instances
    from .workflow.keeping import FolderKeeping, Keeping
    from .workflow.target import WorkflowTarget

_ACCEPTED: Final = (
    "an agent (an object with `id`, `name`, `description`, `run`, `create_session` and `get_session`, such as "
    "agent_framework.Agent), a Workflow, a workflow function (agent_framework.workflow), or a function without "
    "arguments, plain or async, that makes one of them"
)


class Checkpoints(msgspec.Struct, frozen=True, kw_only=True):
    """What the host was told about checkpoints.

    Args:
        location: A path or a `CheckpointStorage`, as the developer gave it.
        derived: Where the host's state folder has room for them.
        key: The secret to seal them with, as the developer gave it.
        store: The host's database, when it has one.
    """

    location: Any = None
    derived: Path | None = None
    key: str | bytes | None = None
    store: AnswerStore | None = None

    @property
    def folder(self) -> Path | None:
        """The path that the developer gave; a later change of the working directory must not move what is kept."""
        return Path(self.location).expanduser().absolute() if _is_path(self.location) else None

    def guarded(self, target: Any) -> Path | None:
        """Return the folder of the developer's own that one host at a time may have; a database keeps several apart."""
        return self.folder if self.store is None and has_checkpoints(target) else None

    def keeping(self) -> Keeping:
        """Return how they are kept.

        Raises:
            ConfigurationError: They cannot be kept so.
        """
        from .workflow.keeping import MemoryKeeping, StorageKeeping, is_storage
        from .workflow.key import checkpoint_key
        from .workflow.stored import DatabaseKeeping

        if self.store is not None and self.location is None:
            return DatabaseKeeping(self.store, checkpoint_key(self.key, location=None))
        if self.location is None:
            return self._folders(self.derived) if self.derived is not None else MemoryKeeping()
        if is_storage(self.location):
            return StorageKeeping(self.location, folders=self._folders(self.derived) if self.derived else None)
        folder = self.folder
        if folder is None:
            raise ConfigurationError(
                f"checkpoint_location is {self.location!r}. Give it the path of a folder, or a CheckpointStorage of "
                "Agent Framework."
            )
        return self._folders(folder, is_named=False)

    def placed(self, paths: StatePaths) -> StatePaths:
        """Return the folders that the host needs besides; what the developer gave wins over the derived one."""
        if self.location is None or paths.checkpoints is None:
            return paths
        if not _is_path(self.location):
            logger.warning(
                "Checkpoints are kept in the given %s, as checkpoint_location says, and not in %s, as state_dir says: "
                "there the host notes which of them is whose.",
                type(self.location).__name__,
                paths.checkpoints,
            )
            return paths
        logger.warning(
            "Checkpoints are kept in %s, as checkpoint_location says, and not in %s, as state_dir says.",
            self.location,
            paths.checkpoints,
        )
        return replace(paths, checkpoints=None)

    def _folders(self, root: Path, *, is_named: bool = True) -> FolderKeeping:
        from .workflow.keeping import FolderKeeping
        from .workflow.key import checkpoint_key

        return FolderKeeping(root, checkpoint_key(self.key, location=root), is_named=is_named)


def has_checkpoints(target: Any) -> bool:
    """Whether checkpoints may have to be kept for a target; what a factory makes is not known yet."""
    if is_a(target, "Workflow", "FunctionalWorkflowDefinition"):
        return True
    return not isinstance(target, SupportsAgentRun) and _is_factory(target)


def refuse_concurrent_turns(served: Any) -> None:
    """Raise when turns of one session cannot run side by side.

    Raises:
        ConfigurationError: What is served is a workflow.
    """
    if is_a(served, "Workflow", "FunctionalWorkflow", "FunctionalWorkflowDefinition"):
        raise ConfigurationError(
            "concurrency='concurrent' is for agents: a session of a workflow is one instance, which runs one turn at a "
            "time. Use 'queue', 'reject' or 'interrupt'."
        )


def accept(target: Any, *, checkpoints: Checkpoints, stored: StoredSessions | None = None) -> Target:
    """Return the target that serves what a developer gave to the host.

    Raises:
        TargetError: It is nothing that can be run.
        ConfigurationError: It does not go together with what was said about checkpoints or sessions.
    """
    made = _ready(target, checkpoints, stored, said=f"AgentFrameworkHost cannot run {_described(target)}.")
    if made is not None:
        return made
    if _is_factory(target):
        from .factory import FactoryTarget

        return FactoryTarget(target, accept=partial(_made, target, checkpoints, stored))
    raise TargetError(_refusal(f"AgentFrameworkHost cannot run {_described(target)}."))


def _made(factory: Callable[[], Any], checkpoints: Checkpoints, stored: StoredSessions | None, result: Any) -> Target:
    name = getattr(factory, "__name__", type(factory).__name__)
    said = f"The target factory {name!r} returned {_described(result)}, which cannot be run."
    if is_a(result, "Workflow", "FunctionalWorkflow"):
        from .workflow.instances import Made

        _refuse_store(stored)
        return _workflow(result, Made(factory, template=result), checkpoints)
    made = _ready(result, checkpoints, stored, said=said)
    if made is None:
        raise TargetError(_refusal(said))
    return made


def _ready(target: Any, checkpoints: Checkpoints, stored: StoredSessions | None, *, said: str) -> Target | None:
    """Return the target of what needs no call to be made, `None` for anything else."""
    if isinstance(target, type):
        raise TargetError(_refusal(said))
    if is_a(target, "Workflow", "FunctionalWorkflowDefinition"):
        _refuse_store(stored)
        return _workflow(target, _instances(target), checkpoints)
    if is_a(target, "FunctionalWorkflow"):
        raise TargetError(
            f"{said} It is one conversation already; give the workflow function itself, {target.name!r}, which makes "
            "one for every session."
        )
    if isinstance(target, SupportsAgentRun):
        if checkpoints.location is not None:
            logger.warning("checkpoint_location is ignored: what is served is an agent, which has no checkpoints.")
        if is_a(target, "WorkflowAgent"):
            logger.warning(
                "All sessions of the agent %r share the one workflow inside of it, so that one may see what another "
                "one said. Serve the workflow itself, or a function that builds it.",
                target.name,
            )
        return AgentTarget(target, stored=stored)
    return None


def _refuse_store(stored: StoredSessions | None) -> None:
    if stored is not None:
        raise ConfigurationError(
            "session_store is for agents: what a workflow's session holds is a checkpoint. Use database=, or "
            "checkpoint_location=, instead."
        )


def _instances(target: Any) -> Instances:
    from .workflow.instances import Made, built, instances_of

    return instances_of(target) if is_a(target, "Workflow") else Made(target.build, template=built(target))


def _workflow(served: Any, instances: Instances, checkpoints: Checkpoints) -> WorkflowTarget:
    from .workflow.target import WorkflowTarget

    return WorkflowTarget(served, instances=instances, keeping=checkpoints.keeping())


def _is_path(value: Any) -> bool:
    return isinstance(value, (str, os.PathLike)) and bool(os.fspath(cast("os.PathLike[str]", value)))


def _is_factory(target: Any) -> bool:
    if not callable(target):
        return False
    try:
        inspect.signature(target).bind()
    except (TypeError, ValueError):
        return False
    return True


def _refusal(said: str) -> str:
    return f"{said} Give it {_ACCEPTED}."


def _described(target: object) -> str:
    if inspect.iscoroutine(target):
        target.close()  # Python would complain beside the refusal that nobody awaited it
        return f"a coroutine of {target.__name__!r} (give the function itself, without calling it)"
    if isinstance(target, type):
        return f"the class {target.__name__} (an instance is wanted)"
    if inspect.isroutine(target):
        return f"the function {getattr(target, '__name__', '?')!r}, which needs arguments"
    return f"an object of type {type(target).__name__}"
