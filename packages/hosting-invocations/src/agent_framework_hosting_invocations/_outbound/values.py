"""Values that workflows give: what is no text is shown as the JSON that it is."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast

import msgspec
from agent_framework import AgentResponse, AgentResponseUpdate, Content, Message, WorkflowEvent

from agent_framework_hosting.rendering.reading import text_of
from agent_framework_hosting.rendering.text import clean_json

from ..vocabulary import Value

_SAID = (str, Content, Message, AgentResponse, AgentResponseUpdate, type(None))
"""What is shown as messages and parts of them."""


def is_event(value: Any, kind: str) -> bool:
    """Whether something is a workflow's event of this kind."""
    return isinstance(value, WorkflowEvent) and cast("WorkflowEvent[Any]", value).type == kind


def is_said_by_update(raw: Any) -> bool:
    """Whether an update with this `raw_representation` is an agent's own, and so stands for no value."""
    return not isinstance(raw, WorkflowEvent) or isinstance(cast("WorkflowEvent[Any]", raw).data, AgentResponseUpdate)


def value_of(event: Any, contents: Iterable[Any]) -> Value | None:
    """Return the value that an update stands for, `None` when it says something else.

    An update whose text is no more the value's own was rewritten by a hook, and says what the hook made of it.
    """
    if not is_event(event, "output"):
        return None
    data: Any = event.data
    if _is_said(data):
        return None
    shown = [*contents]
    if len(shown) != 1 or text_of(shown[0], "text") != str(data):
        return None
    return Value(plain(data))


def plain(data: Any) -> Any:
    """Return a value as JSON can carry it; what JSON does not know becomes text."""
    for method in ("model_dump", "to_dict"):
        dump = getattr(data, method, None)
        if callable(dump):
            data = dump()
            break
    return clean_json(msgspec.to_builtins(data, str_keys=True, enc_hook=str))


def _is_said(data: Any) -> bool:
    if isinstance(data, list) and data:
        return all(isinstance(item, (Content, Message)) for item in cast("list[Any]", data))
    return isinstance(data, _SAID)
