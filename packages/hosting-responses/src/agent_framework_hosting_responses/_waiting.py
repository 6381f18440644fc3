"""What a turn leaves waiting: calls that ask for approval, and calls that run once the client has answered others.

Agent Framework runs such a call in a later turn, whose updates bring its result and nothing else. So the sealed record
of a turn carries, beside what was sent, what the calls are called and how an answer is told to Agent Framework. None of
it is shown to a client.

Rules of this file:
1. A record is the response's body with one member more, and only when there is something to carry.
2. What comes out of a record is ours, but may be of another version: what does not fit counts as absent.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

from agent_framework_hosting.types import JSON

_PRIVATE: Final = "_hosting"
_MOST: Final = 256
"""Calls that a conversation may leave waiting; the oldest are forgotten, and their results not shown."""


class Waiting(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A call that was not run yet.

    Args:
        call_id: The model's id of it.
        occurrence: Core's own id of it.
        name: The tool.
        arguments: Its arguments, as JSON.
        server: The MCP server that runs it, `None` when the agent does.
        request: The id of the `mcp_approval_request` item that asks for it; empty when nothing is asked.
        request_id: Core's id of that request.
        decided: What the client has answered.
    """

    call_id: str = ""
    occurrence: str = ""
    name: str = ""
    arguments: str = ""
    server: str | None = None
    request: str = ""
    request_id: str = ""
    decided: bool | None = None

    def known_as(self, ids: Mapping[str, str]) -> Waiting:
        """Return it with the id that its request has got instead of its first one, if any."""
        return msgspec.structs.replace(self, request=ids[self.request]) if self.request in ids else self

    def answered(self, *, approved: bool) -> Waiting:
        """Return it with the client's answer."""
        return msgspec.structs.replace(self, decided=approved)


class _Private(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    chat: str | None = None
    waiting: tuple[Waiting, ...] = ()


def sealed(body: Mapping[str, Any], *, waiting: Iterable[Waiting], chat: str | None) -> dict[str, Any]:
    """Return the record of a response: what was sent, and what its next turn has to know.

    `chat` is the key of the chat that the turn was said in, when a platform named one.
    """
    private = _Private(chat=chat, waiting=tuple(waiting)[-_MOST:])
    if not private.waiting:
        return dict(body)
    return {**body, _PRIVATE: msgspec.to_builtins(private)}


def body_of(record: JSON) -> dict[str, Any]:
    """Return what was sent to the client."""
    return {name: value for name, value in record.items() if name != _PRIVATE} if isinstance(record, Mapping) else {}


def is_of_another_channel(record: JSON) -> bool:
    """Whether a record is no response's: what a session or a completion is called is no response to continue."""
    return isinstance(record, Mapping) and record.get("object") != "response"


def waiting_of(record: JSON) -> tuple[Waiting, ...]:
    """Return what a turn left waiting."""
    return _private(record).waiting


def chat_of(record: JSON) -> str | None:
    """Return the key of the chat in which something is left waiting, when a platform named one."""
    return _private(record).chat


def _private(record: JSON) -> _Private:
    if not isinstance(record, Mapping) or _PRIVATE not in record:
        return _Private()
    try:
        return msgspec.convert(record[_PRIVATE], _Private)
    except msgspec.ValidationError:
        return _Private()
