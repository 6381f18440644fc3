"""What an agent or a workflow asks of people: a tool call that the client answers, or a text that says what waits."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from agent_framework_hosting.rendering import reading
from agent_framework_hosting.rendering.pieces import call_chunk
from agent_framework_hosting.rendering.reading import mapping_of, text_of

from .._approvals import TOOL, Asked, call_id

_CANNOT: Final = "It cannot be answered here."


def asked_of(content: Any, *, completion_id: str, index: int) -> Asked:
    """Return a `function_approval_request` as it is remembered."""
    call = getattr(content, "function_call", None)
    chunk = call_chunk(call)
    return Asked(
        id=call_id(completion_id, index),
        request_id=text_of(content, "id"),
        call_id=chunk.key,
        occurrence=chunk.occurrence,
        name=chunk.name,
        arguments=chunk.arguments or "{}",
        server=text_of(call, "server_name") if getattr(call, "hosted", False) is True else None,
    )


def as_call(asked: Asked) -> tuple[str, str, str]:
    """Return the id, the name and the arguments of the call that stands for a request."""
    arguments = reading.as_text({"tool": asked.name, "arguments": _value(asked.arguments)})
    return asked.id, TOOL, arguments


def as_text(content: Any) -> str:
    """Return a `function_approval_request` as a text."""
    chunk = call_chunk(getattr(content, "function_call", None))
    return f"The agent asks for approval to run the tool '{chunk.name}' with {chunk.arguments or '{}'}. {_CANNOT}"


def question_of(arguments: str) -> str:
    """Return what a workflow asks as a text; `arguments` are those of the call that stands for it."""
    event = mapping_of(mapping_of(_value(arguments)).get("request_event"))
    return f"The workflow asks: {reading.as_text(event.get('data'))}\n\n{_CANNOT}"


def _value(text: str) -> Any:
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return text
