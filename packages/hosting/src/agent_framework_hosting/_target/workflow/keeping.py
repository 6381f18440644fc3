"""How the checkpoints of a host's sessions are kept, as its developer wants it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

from agent_framework import CheckpointStorage

from ..._state.private import make_private_folder
from ..._state.turns import SessionName
from ...errors import CheckpointConflict, ConfigurationError
from .folder import SessionFolder
from .instances import own_storage
from .kept import InFolder, InMemory, InStorage, Kept
from .key import CheckpointKey

if TYPE_CHECKING:
    from ..target import AnswerStore

_GENERATED: Final = re.compile(r"WorkflowBuilder-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_METHODS: Final = ("save", "load", "delete", "get_latest", "list_checkpoints", "list_checkpoint_ids")


class Keeping(Protocol):
    """Makes what keeps the point of each session."""

    @property
    def outlives(self) -> bool:
        """Whether what is kept outlives the process, so that sessions are restored from it for every turn."""
        ...

    @property
    def notes(self) -> Sequence[str]:
        """Where checkpoints are, for the start line."""
        ...

    def of(self, name: SessionName, *, workflow: str, is_new: bool) -> Kept:
        """Return what keeps the point of this session of the workflow of that name.

        A session that `is_new` started without a key, at the id of its first turn. Such ids are known in memory only,
        so it is kept no longer: on disk it would never be found again, and never go away.
        """
        ...

    def apart(self, answers: AnswerStore) -> Keeping:
        """Return a keeping for sessions of which nothing may be kept elsewhere; see `Target.apart`."""
        ...

    def check(self, workflow: Any) -> None:
        """Raise when a workflow's checkpoints cannot be kept so.

        Raises:
            ConfigurationError: It has no name of its own, or a storage of its own.
        """
        ...


class MemoryKeeping:
    """Nothing outlives the process."""

    outlives = False
    notes: Sequence[str] = ()

    def __init__(self) -> None:
        self._through: CheckpointStorage | None = None

    def of(self, name: SessionName, *, workflow: str, is_new: bool) -> Kept:  # noqa: ARG002 - all are new and apart
        """See `Keeping`."""
        return InMemory(through=self._through)

    def apart(self, answers: AnswerStore) -> MemoryKeeping:  # noqa: ARG002 - all is in memory
        """See `Keeping`."""
        return self

    def check(self, workflow: Any) -> None:
        """See `Keeping`."""
        # The storage that a workflow was built with goes on getting its checkpoints, as without a host.
        self._through = own_storage(workflow)


class FolderKeeping:
    """Sealed files, one folder for each session.

    Args:
        root: The folder of all sessions; the host names it itself when it is part of its own state.
        key: What they are sealed with.
        is_named: Whether the host names the folder.
    """

    outlives = True

    def __init__(self, root: Path, key: CheckpointKey, *, is_named: bool) -> None:
        self._root = make_private_folder(root)
        self._key = key
        where = "are" if is_named else f"in {root},"
        self.notes: Sequence[str] = (f"checkpoints {where} sealed with the key from {key.origin}",)

    def of(self, name: SessionName, *, workflow: str, is_new: bool) -> Kept:
        """See `Keeping`."""
        return InMemory() if is_new else InFolder(self.folder(name, workflow))

    def folder(self, name: SessionName, workflow: str) -> SessionFolder:
        """Return the folder of a session."""
        return SessionFolder(self._root, key=self._key.secret, session=(workflow, name.tenant, name.session_id))

    def apart(self, answers: AnswerStore) -> ApartKeeping:  # noqa: ARG002 - each session knows its own
        """See `Keeping`."""
        return ApartKeeping()

    def check(self, workflow: Any) -> None:
        """See `Keeping`."""
        refuse_unkeepable(workflow)


class StorageKeeping:
    """A storage of the user's; `folders` remember which checkpoint is whose."""

    outlives = True

    def __init__(self, storage: CheckpointStorage, *, folders: FolderKeeping | None) -> None:
        self._storage = storage
        self._folders = folders
        kind = type(storage).__name__
        known = "" if folders else "; which of them is whose is known in memory only, set state_dir to keep it"
        self.notes: Sequence[str] = (f"checkpoints in the given {kind}, as it keeps them{known}",)

    def of(self, name: SessionName, *, workflow: str, is_new: bool) -> Kept:
        """See `Keeping`."""
        folder = self._folders.folder(name, workflow) if self._folders and not is_new else None
        return InStorage(self._storage, folder=folder)

    def apart(self, answers: AnswerStore) -> ApartKeeping:  # noqa: ARG002 - each session knows its own
        """See `Keeping`."""
        return ApartKeeping()

    def check(self, workflow: Any) -> None:
        """See `Keeping`."""
        refuse_unkeepable(workflow)


class ApartKeeping:
    """Nothing outlives its session, which is restored for every turn all the same."""

    outlives = True
    notes: Sequence[str] = ()

    def of(self, name: SessionName, *, workflow: str, is_new: bool) -> Kept:  # noqa: ARG002 - all are new and apart
        """See `Keeping`."""
        return InMemory()

    def apart(self, answers: AnswerStore) -> ApartKeeping:  # noqa: ARG002 - it is apart already
        """See `Keeping`."""
        return self

    def check(self, workflow: Any) -> None:
        """See `Keeping`."""
        refuse_unkeepable(workflow)


def is_storage(value: Any) -> bool:
    """Whether a value has what a `CheckpointStorage` has."""
    return not isinstance(value, type) and all(callable(getattr(value, method, None)) for method in _METHODS)


def refuse_unkeepable(workflow: Any) -> None:
    """Raise when the host cannot keep a workflow's checkpoints.

    Raises:
        ConfigurationError: See `Keeping.check`.
    """
    if _GENERATED.fullmatch(workflow.name or ""):
        raise ConfigurationError(
            f"The workflow has the generated name {workflow.name!r}, which is another one after every start, so its "
            "checkpoints would never be found again. Give it a name: WorkflowBuilder(name=...)."
        )
    if own_storage(workflow) is not None:
        raise CheckpointConflict(
            f"The workflow {workflow.name!r} has a checkpoint storage of its own, and the host is told to keep "
            "checkpoints, too. Leave one of them out: build the workflow without checkpoint_storage, or take "
            "checkpoint_location (and state_dir's checkpoints) from the host."
        )
