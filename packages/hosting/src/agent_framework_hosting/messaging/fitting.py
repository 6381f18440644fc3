"""A message in the form that the target takes."""

from __future__ import annotations

from collections.abc import Sequence
from inspect import signature
from typing import Any, get_type_hints

from agent_framework import Message, Workflow


def fitting(message: Message, target: Any) -> Any:
    """Return a message as it is, or as the text or the list of messages that a workflow begins with.

    What begins with something else needs a run hook that makes it.
    """
    wanted = _wanted(target)
    if wanted is None or Message in wanted:
        return message
    return message.text if str in wanted else [message]


def _wanted(target: Any) -> Sequence[Any] | None:
    """Return the types that a workflow begins with, `None` for an agent."""
    if isinstance(target, Workflow):
        return target.get_start_executor().input_types
    function = getattr(target, "__wrapped__", None)
    if function is None:
        return None
    first = next(iter(signature(function).parameters), None)
    try:
        hints = get_type_hints(function)
    except (NameError, TypeError):  # a name that only type checkers see
        return None
    return [hints.get(first, Message)] if first is not None else None
