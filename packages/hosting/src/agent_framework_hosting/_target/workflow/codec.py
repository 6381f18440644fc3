"""A checkpoint as JSON, by Agent Framework's own encoder: only registered types come back.

The encoder is no public part of Agent Framework, so this is the one module that knows where it is.
"""

from __future__ import annotations

from typing import Any, Final

from agent_framework import WorkflowCheckpoint
from agent_framework._workflows._checkpoint_encoding import decode_checkpoint_value, encode_checkpoint_value
from agent_framework.exceptions import WorkflowCheckpointException

_NO_MORE: Final[frozenset[str]] = frozenset()
"""What may come back besides what Agent Framework trusts and what `register_checkpoint_type` has named."""


def encode(value: Any) -> Any:
    """Return a value as JSON that can be decoded again.

    Raises:
        WorkflowCheckpointException: It cannot, for example because a type is not registered.
    """
    try:
        encoded = encode_checkpoint_value(value)
        # What cannot be read is found out now, while the value is at hand.
        decode_checkpoint_value(encoded, allowed_types=_NO_MORE)
    except WorkflowCheckpointException:
        raise
    except Exception as error:
        raise WorkflowCheckpointException(f"It cannot be encoded: {error}") from error
    return encoded


def decode(encoded: Any) -> Any:
    """Return the value; only for JSON whose seal was found good.

    Raises:
        WorkflowCheckpointException: It cannot be decoded.
    """
    return decode_checkpoint_value(encoded, allowed_types=_NO_MORE)


def encode_checkpoint(checkpoint: WorkflowCheckpoint) -> Any:
    """Return a checkpoint as JSON; raises as `encode` does."""
    return encode(checkpoint.to_dict())


def decode_checkpoint(encoded: Any) -> WorkflowCheckpoint:
    """Return the checkpoint; raises as `decode` does."""
    return WorkflowCheckpoint.from_dict(decode(encoded))
