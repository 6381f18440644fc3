"""Which session a request belongs to: an id that the host minted for this caller, or a name that configuration allows.

Rule 1: what a caller sends is never a session's key. It is looked up as the caller's, or it is a name, which the
        configuration makes a key of.
Rule 2: an id that is unknown, one that has expired and another caller's are answered alike.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from agent_framework_hosting.channel import ChannelContext
from agent_framework_hosting.errors import AccessDenied, ConfigurationError, HookError, InvalidRequest, UnknownId
from agent_framework_hosting.hooks import settled
from agent_framework_hosting.ids import mint
from agent_framework_hosting.isolation import get_current_isolation_keys
from agent_framework_hosting.parsing.refusals import shown
from agent_framework_hosting.types import JSON, ChannelSession, Principal

SessionNames: TypeAlias = str | re.Pattern[str] | Callable[[str, Principal], str | None | Awaitable[str | None]]
"""Which names callers may give to sessions; see `InvocationsChannel`."""

BODY: Final = "session_id"
"""Where a body names the session; a header may, too."""
_MINTED: Final = "ses_"
_NAMED: Final = "session:"
"""Marks the ids under which turns of named sessions are stored, so that no name can be the id of something else."""


class UnknownSession(UnknownId):
    """The session is unknown, expired, or another caller's."""

    code = "session_not_found"

    def __init__(self, session_id: str, *, at: str = BODY) -> None:
        super().__init__(
            f"There is no session '{shown(session_id)}': it is unknown or has expired. Leave '{at}' out to start a new "
            "one.",
            param=at,
        )


@dataclass(frozen=True, slots=True)
class Place:
    """Where a request runs: its session, what the caller knows it by, and the record of the turn before."""

    session: ChannelSession
    session_id: str | None
    record: JSON = None


class Sessions:
    """Finds the session of a request.

    Args:
        names: As `InvocationsChannel` takes them.

    Raises:
        ConfigurationError: They are no names.
    """

    def __init__(self, names: SessionNames | None) -> None:
        self._pattern, self._name = _understood(names)

    async def find(self, session_id: str | None, context: ChannelContext, *, at: str = BODY) -> Place:
        """Return where a request of the current caller runs; `at` is where it names the session.

        Raises:
            UnknownSession: There is no such session for this caller.
            InvalidRequest: It is no name that is allowed.
            AccessDenied: Names belong to callers who are known, and this one is not.
        """
        if session_id is None:
            keys = get_current_isolation_keys()
            if keys is not None and keys.chat_key is not None:
                return await _named(keys.chat_key, None, context)
            minted = mint(_MINTED)
            return Place(ChannelSession(commit_as=minted), minted)
        if self._name is None or session_id.startswith(_MINTED):
            return await _minted(session_id, context, at=at)
        key = await self._key(self._name, session_id, context.principal, at=at)
        return await _named(key, session_id, context)

    async def _key(self, name: _Name, session_id: str, principal: Principal, *, at: str) -> str:
        try:
            key: Any = await settled(name(session_id, principal))
        except AccessDenied as refusal:
            refusal.param = refusal.param and at
            raise
        if key is None:
            raise self._refused(at)
        if not isinstance(key, str) or not key:
            raise HookError(f"session_names returned {key!r}; it must return a session key, or None to refuse.")
        return key

    def _refused(self, at: str) -> InvalidRequest:
        rule = "is allowed" if self._pattern is None else f"matches '{self._pattern}'"
        return InvalidRequest(
            f"Invalid value for '{at}': it must be an id that this server gave, or a name that {rule}.",
            param=at,
            code="invalid_value",
        )


_Name: TypeAlias = Callable[[str, Principal], Any]


def _understood(names: SessionNames | None) -> tuple[str | None, _Name | None]:
    if names is None:
        return None, None
    if isinstance(names, str):
        try:
            names = re.compile(names)
        except re.error as error:
            raise ConfigurationError(f"session_names={names!r} is no regular expression: {error}.") from None
    if isinstance(names, re.Pattern):
        return names.pattern, _OwnNames(names)
    if callable(names):
        return None, names
    raise ConfigurationError(
        f"session_names is an object of type {type(names).__name__}. Give a regular expression for names that belong "
        "to each caller, or a function `(name, principal)` that returns a session key, or None."
    )


class _OwnNames:
    """Names that belong to whoever gives them: the same name of another caller is another session."""

    def __init__(self, pattern: re.Pattern[str]) -> None:
        self._pattern = pattern

    def __call__(self, name: str, principal: Principal) -> str | None:
        if self._pattern.fullmatch(name) is None:
            return None
        if principal.kind == "anonymous":
            raise AccessDenied(
                "Names of sessions belong to their callers, and nobody knows who is calling. Leave yours out, and go "
                "on with the id in the answer.",
                param=BODY,
            )
        # The length keeps 'a' with 'b:c' apart from 'a:b' with 'c'.
        return f"invocations:{len(principal.id)}:{principal.id}:{name}"


async def _minted(session_id: str, context: ChannelContext, *, at: str) -> Place:
    if not session_id.startswith(_MINTED):
        raise UnknownSession(session_id, at=at)
    try:
        record = await context.read_record(session_id)
    except UnknownId:
        raise UnknownSession(session_id, at=at) from None
    return Place(ChannelSession(session_id, commit_as=session_id), session_id, record)


async def _named(key: str, session_id: str | None, context: ChannelContext) -> Place:
    turn_id = f"{_NAMED}{key}"
    try:
        record = await context.read_record(turn_id)
    except UnknownId:
        record = None
    return Place(ChannelSession(key, commit_as=turn_id), session_id, record)
