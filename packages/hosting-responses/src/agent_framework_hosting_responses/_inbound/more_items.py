"""Items of this server's that fewer clients send back: thoughts, custom tools, approvals, calls that the agent ran."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import Any, Final

from agent_framework import Content

from agent_framework_hosting.parsing.checks import (
    Check,
    anything,
    array_of,
    filled,
    is_object,
    json_object,
    one_of,
    some_members,
    text,
)
from agent_framework_hosting.parsing.schemas import takes

from .._sealed_thoughts import unseal
from .approvals import ANSWER, REQUEST, read_answer, read_request
from .history import History
from .members import all_of
from .tools import custom_arguments

_CALL_ID: Final = re.compile("[a-zA-Z0-9_-]{1,61}")


def _custom_tool_call(history: History, item: dict[str, Any], at: str) -> None:
    arguments = custom_arguments(item["input"])
    history.call(Content.from_function_call(item["call_id"], item["name"], arguments=arguments), at)


def _reasoning(history: History, item: dict[str, Any], at: str) -> None:
    """Give thoughts back to the model that had them, which is possible only when it sealed them.

    Others are left out: some clients of Agent Framework would refuse the run over them, others would show them to
    the model as something that it had said aloud. So are those that were sealed for somebody else.
    """
    encrypted = item.get("encrypted_content")
    thought = None if encrypted is None else unseal(encrypted)
    if thought is None:
        history.unused.append(at)
        return
    identity = thought.id or None
    thoughts = [
        Content.from_text_reasoning(
            id=identity, text=part["text"], additional_properties={"openai": {"reasoning_text": True}}
        )
        for part in item.get("content", ())
    ]
    thoughts += [Content.from_text_reasoning(id=identity, text=part["text"]) for part in item.get("summary", ())]
    if not thoughts:
        thoughts.append(Content.from_text_reasoning(id=identity, text=""))
    thoughts[0].protected_data = thought.protected
    history.think(thoughts, at)


def _mcp_call(history: History, item: dict[str, Any], at: str) -> None:
    output, error = item.get("output"), item.get("error")
    if item.get("status") == "calling" and output is None and error is None:
        # It waited for the client's answer to another call; without its result the agent would make it again.
        history.unused.append(at)
        return
    if output is None:
        output = json.dumps(error, ensure_ascii=False) if is_object(error) else error or ""
    history.ran(_call_id(item["id"]), item["name"], item["arguments"], output, at)


def _call_id(item_id: str) -> str:
    """Return the id of an item as one of a call; ids that hold any text a host may choose, providers would refuse."""
    return item_id if _CALL_ID.fullmatch(item_id) else f"call_{sha256(item_id.encode()).hexdigest()[:32]}"


@takes({"type": ["string", "object"]})
def _error(value: Any, param: str) -> Any:
    return value if isinstance(value, str) else json_object(value, param)


def _thoughts(kind: str) -> Check:
    return array_of(some_members({"type": one_of(kind), "text": text}, required=("type", "text")))


MORE_ITEMS: Final[Mapping[str, tuple[Check, Callable[[History, dict[str, Any], str], None]]]] = {
    "custom_tool_call": (all_of(call_id=filled, name=filled, input=text), _custom_tool_call),
    "reasoning": (
        some_members(
            {
                "content": _thoughts("reasoning_text"),
                "summary": _thoughts("summary_text"),
                "encrypted_content": text,
            }
        ),
        _reasoning,
    ),
    "mcp_approval_request": (REQUEST, read_request),
    "mcp_approval_response": (ANSWER, read_answer),
    "mcp_call": (
        some_members(
            {"id": filled, "name": filled, "arguments": text, "output": text, "error": _error, "status": anything},
            required=("id", "name", "arguments"),
        ),
        _mcp_call,
    ),
}
"""Each kind's members, and what is made of an item."""
