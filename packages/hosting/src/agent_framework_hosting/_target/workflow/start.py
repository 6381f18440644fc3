"""What a graph's start takes, and what it cannot take."""

from __future__ import annotations

from typing import Any, cast, is_typeddict

from agent_framework import Workflow, WorkflowMessage

from ...errors import InvalidRequest, TargetError
from .answers import type_name


def refuse_uncheckable(workflow: Workflow) -> None:
    """Raise when no input at all can be given to a graph.

    Raises:
        TargetError: Its start takes dictionaries with declared members alone, of which Agent Framework cannot tell
            whether a value is one; it fails on every value.
    """
    executor = workflow.get_start_executor()
    taken = list(executor.input_types)
    if taken and all(map(is_typeddict, taken)):
        raise TargetError(
            f"The start executor {executor.id!r} takes {_names(taken)}, a TypedDict, which Agent Framework cannot "
            "tell from other dictionaries. Let it take a dataclass, a pydantic model, or dict."
        )


def refuse_unfitting(workflow: Workflow, value: Any) -> None:
    """Raise when a graph's start does not take a value.

    Raises:
        InvalidRequest: It does not; the message names what it takes.
    """
    executor = workflow.get_start_executor()
    message = WorkflowMessage(data=value, source_id=executor.id, target_id=executor.id)
    try:
        fits = executor.can_handle(message)
    except TypeError:
        # Some types cannot be asked whether a value is one of theirs, such as a list of a TypedDict.
        fits = False
    if not fits:
        raise InvalidRequest(
            f"This workflow takes {_names(executor.input_types)}, not {_type_of(value)}. Shape the input in a run hook."
        )


def _names(types: list[Any]) -> str:
    return ", ".join(type_name(each) for each in types)


def _type_of(value: Any) -> str:
    items = cast("list[Any]", value) if isinstance(value, list) else []
    kinds = {type(item).__name__ for item in items}
    return f"list[{' | '.join(sorted(kinds))}]" if kinds else type(cast("object", value)).__name__
