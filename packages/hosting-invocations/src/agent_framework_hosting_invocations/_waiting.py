"""What an agent waits for, kept between turns: in the session's state, and in the turn's record.

The record lets a request be checked before it has its turn in the session's line. The session's state has the truth,
since a turn that was admitted later may be told of what an earlier one, which was still running, has asked.

Rule: what comes out of either is ours, but may be of another version: what does not fit counts as absent.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, cast

import msgspec
from agent_framework import AgentSession

from agent_framework_hosting.types import JSON

_PRIVATE: Final = "_hosting"
_STATE: Final = "agent_framework_hosting_invocations"
_MOST: Final = 256
"""Questions that a session may leave open; the oldest are forgotten."""


class Waiting(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A question of an agent's that nobody has answered.

    Args:
        request_id: What the caller knows it by.
        kind: Whether a call is to be approved, or to be run by the caller.
        core_id: Agent Framework's own id of the request, for an approval.
        call_id: The model's id of the call.
        occurrence: Agent Framework's own id of the call.
        name: The tool.
        arguments: The call's arguments, as JSON.
        server: The MCP server that runs it.
        hosted: Whether the model's provider runs it.
    """

    request_id: str
    kind: str
    core_id: str = ""
    call_id: str = ""
    occurrence: str = ""
    name: str = ""
    arguments: str = ""
    server: str = ""
    hosted: bool = False


def remembered(
    session: AgentSession | None, *, asked: Iterable[Waiting], answered: Iterable[str]
) -> tuple[Waiting, ...]:
    """Add to a session's state what a turn has asked, take out what it has answered, and return what is open now."""
    state = cast("Any", getattr(session, "state", None))
    before = _read(cast("dict[str, Any]", state).get(_STATE)) if isinstance(state, dict) else ()
    done = set(answered)
    now = (*(each for each in before if each.request_id not in done), *asked)[-_MOST:]
    if isinstance(state, dict) and (now or before):
        cast("dict[str, Any]", state)[_STATE] = msgspec.to_builtins(now)
    return now


def sealed(body: Mapping[str, Any], *, waiting: Iterable[Waiting]) -> dict[str, Any]:
    """Return the record of a turn: what was sent, and what is open."""
    kept = msgspec.to_builtins(tuple(waiting))
    return {**body, _PRIVATE: kept} if kept else dict(body)


def body_of(record: JSON) -> dict[str, Any]:
    """Return what was sent."""
    return {name: value for name, value in record.items() if name != _PRIVATE} if isinstance(record, Mapping) else {}


def waiting_of(record: JSON) -> tuple[Waiting, ...]:
    """Return what was open after a turn."""
    return _read(record.get(_PRIVATE)) if isinstance(record, Mapping) else ()


def _read(value: Any) -> tuple[Waiting, ...]:
    try:
        return msgspec.convert(value or (), tuple[Waiting, ...])
    except msgspec.ValidationError:
        return ()
