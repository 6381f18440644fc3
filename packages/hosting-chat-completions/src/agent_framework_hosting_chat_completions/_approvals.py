"""Requests for approval as this protocol can carry them: calls of a tool of a well-known name.

The id of such a call names the completion that asked, in whose record lies what was asked. So an answer is checked
against what this server remembers; what the caller's history says about the request counts for nothing.

Rule: what comes out of a record is ours, but may be of another version: what does not fit counts as absent.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

import msgspec
from agent_framework import Content

from agent_framework_hosting.errors import InvalidRequest
from agent_framework_hosting.parsing.checks import is_object
from agent_framework_hosting.parsing.refusals import shown
from agent_framework_hosting.types import JSON

TOOL: Final = "request_approval"
"""The name of the tool whose calls ask for an approval; they are answered with `{"approved": true}`."""

_PRIVATE: Final = "_hosting"
_COMPLETION: Final = "chatcmpl-"
_CALL_ID: Final = re.compile(r"appr_(?P<completion>[a-zA-Z0-9]{1,64})_[0-9]{1,6}")


class Asked(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A request for approval that was sent to the client.

    Args:
        id: The id of the tool call that stands for it.
        request_id: Core's id of it.
        call_id: The model's id of the call that waits.
        occurrence: Core's own id of that call.
        name: The tool that it calls.
        arguments: Its arguments, as JSON.
        server: The MCP server that runs it, `None` when the agent does.
    """

    id: str
    request_id: str
    call_id: str = ""
    occurrence: str = ""
    name: str = ""
    arguments: str = ""
    server: str | None = None


class _Private(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    session: str | None = None
    asked: tuple[Asked, ...] = ()


class Decision(NamedTuple):
    """What a client has answered to a request for approval, and the place of its answer."""

    approved: bool
    at: str


def call_id(completion_id: str, index: int) -> str:
    """Return the id of the call that stands for a request for approval.

    Example:
        >>> call_id("chatcmpl-5f2c", 0)
        'appr_5f2c_0'
    """
    return f"appr_{completion_id.removeprefix(_COMPLETION)}_{index}"


def completion_of(call_id: str) -> str | None:
    """Return the id of the completion that asked; `None` for an id that stands for no request.

    Example:
        >>> completion_of("appr_5f2c_0")
        'chatcmpl-5f2c'
    """
    match = _CALL_ID.fullmatch(call_id)
    return None if match is None else _COMPLETION + match["completion"]


def read_decision(said: str, at: str) -> Decision:
    """Return what the content of a tool's message decides.

    Raises:
        InvalidRequest: It is no decision.
    """
    try:
        value: object = json.loads(said)
    except (ValueError, RecursionError):
        value = None
    approved = value.get("approved") if is_object(value) else None
    if not isinstance(approved, bool):
        raise InvalidRequest(
            'This message answers a request for approval: its content must be {"approved": true} or'
            ' {"approved": false}.',
            param=f"{at}.content",
            code="invalid_value",
        )
    return Decision(approved, at)


def sealed(body: Mapping[str, Any], asked: Iterable[Asked], *, session: str | None) -> dict[str, Any]:
    """Return the record of a completion: what was sent, what it asked, and in which conversation."""
    private = _Private(session=session, asked=tuple(asked))
    return {**body, _PRIVATE: msgspec.to_builtins(private)} if private.asked else dict(body)


def body_of(record: JSON) -> dict[str, Any]:
    """Return what was sent to the client."""
    return {name: value for name, value in record.items() if name != _PRIVATE} if isinstance(record, Mapping) else {}


def find(record: JSON, call_id: str, *, session: str | None) -> Asked | None:
    """Return what a completion asked by this call.

    Args:
        record: The record of the completion.
        call_id: The id of the call that stands for the request.
        session: The conversation that it has to be of; `None` when a hook chooses one, about which core then decides.
    """
    if not isinstance(record, Mapping) or _PRIVATE not in record:
        return None
    try:
        private = msgspec.convert(record[_PRIVATE], _Private)
    except msgspec.ValidationError:
        return None
    if session is not None and private.session != session:
        return None
    return next((asked for asked in private.asked if asked.id == call_id), None)


def answer(asked: Asked, decision: Decision) -> Content:
    """Return a decision in the words of core."""
    call = Content.from_function_call(
        asked.call_id,
        asked.name,
        arguments=asked.arguments,
        id=asked.occurrence or None,
        hosted=asked.server is not None,
        server_name=asked.server or None,
    )
    return Content.from_function_approval_response(decision.approved, asked.request_id, call)


def unknown(call_id: str, decision: Decision) -> InvalidRequest:
    """Say that nothing of that id waits for an answer."""
    return InvalidRequest(
        f"No request for approval with id '{shown(call_id)}' waits for an answer in this conversation.",
        param=f"{decision.at}.tool_call_id",
        code="approval_request_not_found",
    )
