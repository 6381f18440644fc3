"""What a request gives to the target: text or messages to an agent, a value of its own type to a workflow."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from agent_framework import FunctionalWorkflow, FunctionalWorkflowDefinition, Message, Workflow
from msgspec import UNSET

from agent_framework_hosting.errors import InvalidRequest
from agent_framework_hosting.parsing.checks import is_list

from .._waiting import Waiting
from .input_types import InputTypes, declared_types
from .messages import read_messages
from .replies import for_agent, for_workflow
from .request import InvocationRequest


def is_workflow(target: Any) -> bool:
    """Whether what is served is a workflow."""
    return isinstance(target, (Workflow, FunctionalWorkflow, FunctionalWorkflowDefinition))


class TargetInput:
    """Reads requests for one target.

    Args:
        target: The agent or workflow.
    """

    def __init__(self, target: Any) -> None:
        self.target = target
        declared = declared_types(target) if is_workflow(target) else None
        self.types = InputTypes(declared) if declared is not None else None

    def read(self, asked: InvocationRequest, *, waiting: Collection[Waiting]) -> Any:
        """Return the input.

        Raises:
            InvalidRequest: It is none for this target.
        """
        if asked.input is UNSET:
            return for_agent(asked.replies, waiting) if self.types is None else for_workflow(asked.replies)
        return _for_agent(asked.input) if self.types is None else self.types.read(asked.input)


def _for_agent(value: Any) -> str | list[Message]:
    if isinstance(value, str):
        if value:
            return value
        raise InvalidRequest("Invalid value for 'input': it must not be empty.", param="input", code="invalid_value")
    if is_list(value):
        return read_messages(value, "input")
    raise InvalidRequest(
        "Invalid type for 'input': an agent takes text, or an array of messages such as "
        '[{"role": "user", "content": "Hello"}]. Values of other types are for workflows.',
        param="input",
        code="invalid_type",
    )
