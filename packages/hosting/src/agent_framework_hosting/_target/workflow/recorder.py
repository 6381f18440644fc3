"""The checkpoint storage of one run: hands out the checkpoint to restore, and remembers the last one that was made.

Only the last checkpoint of a finished run is ever restored, so nothing is copied or written in between.
"""

from __future__ import annotations

from agent_framework import CheckpointStorage, WorkflowCheckpoint
from agent_framework.exceptions import WorkflowCheckpointException


class Recorder:
    """A `CheckpointStorage`.

    Args:
        restored: The checkpoint that the run may load.
        through: A storage of the user's, which gets every checkpoint that is made.
    """

    def __init__(self, *, restored: WorkflowCheckpoint | None = None, through: CheckpointStorage | None = None) -> None:
        self._restored = restored
        self._through = through
        self.last: WorkflowCheckpoint | None = None

    async def save(self, checkpoint: WorkflowCheckpoint) -> str:
        """See `CheckpointStorage`."""
        # Nothing is known to be kept while the storage has not said so.
        self.last = None
        if self._through is not None:
            await self._through.save(checkpoint)
        self.last = checkpoint
        return checkpoint.checkpoint_id

    async def load(self, checkpoint_id: str) -> WorkflowCheckpoint:
        """See `CheckpointStorage`."""
        if self._restored is None or self._restored.checkpoint_id != checkpoint_id:
            raise WorkflowCheckpointException(f"No checkpoint found with ID {checkpoint_id}")
        return self._restored

    async def list_checkpoints(self, *, workflow_name: str) -> list[WorkflowCheckpoint]:
        """See `CheckpointStorage`."""
        return [each for each in (self._restored, self.last) if each and each.workflow_name == workflow_name]

    async def delete(self, checkpoint_id: str) -> bool:  # noqa: ARG002 - nothing is kept here
        """See `CheckpointStorage`."""
        return False

    async def get_latest(self, *, workflow_name: str) -> WorkflowCheckpoint | None:
        """See `CheckpointStorage`."""
        known = await self.list_checkpoints(workflow_name=workflow_name)
        return known[-1] if known else None

    async def list_checkpoint_ids(self, *, workflow_name: str) -> list[str]:
        """See `CheckpointStorage`."""
        return [each.checkpoint_id for each in await self.list_checkpoints(workflow_name=workflow_name)]
