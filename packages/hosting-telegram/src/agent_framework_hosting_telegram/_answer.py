"""What an answer of the Bot API means; no I/O (https://core.telegram.org/bots/api#making-requests).

Telegram says in words what went wrong; the words are looked at where the number alone does not tell. Of them, what may
repeat a text that was sent stays here.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec
from msgspec import Struct

from agent_framework_hosting.messaging.outlet import (
    FormatRefused,
    Gone,
    NotOffered,
    OutcomeUnknown,
    OutletError,
    RetryAfter,
    Unreachable,
)

_OK: Final = 200
_UNAUTHORIZED: Final = 401
_FORBIDDEN: Final = 403
_CONFLICT: Final = 409
_TOO_MANY: Final = 429
_FAULT: Final = 500
_USUAL_SILENCE: Final = 5.0
"""Seconds, where a server between us and Telegram says "too many" without saying for how long."""
_LONGEST_SILENCE: Final = 24 * 3600.0
"""Seconds: whoever wants more of it is asked again after a day."""

_FORMAT: Final = (
    "can't parse entities",
    "can't parse message text",
    "can't find end",
    "unsupported start tag",
    "entities_too_long",
    "entity_",
)
_NO_FILES: Final = tuple(f"not enough rights to send {what}" for what in ("photos", "documents"))
"""What a group lets nobody send, or this bot not, where it may speak all the same."""
_UNCHANGED: Final = "message is not modified"
_GONE: Final = (
    "chat not found",
    "chat_write_forbidden",
    "have no rights to send",
    "message thread not found",
    "not enough rights",
    "peer_id_invalid",
    "topic_closed",
    "topic_deleted",
    "user not found",
    "user is deactivated",
)


class Unauthorized(OutletError):
    """Telegram does not know the token."""


class OtherPoller(OutletError):
    """Somebody else asks for the updates of this bot, or has them sent to a webhook."""


class Unchanged(OutletError):
    """The message says that already."""


class Moved(OutletError):
    """The group has become a supergroup, which has another id."""

    def __init__(self, chat: int) -> None:
        super().__init__("The group has become a supergroup.")
        self.chat: Final = chat


class _Parameters(Struct):
    retry_after: float | None = None
    migrate_to_chat_id: int | None = None


class _Answer(Struct):
    ok: bool
    result: Any = None
    description: str = ""
    parameters: _Parameters = msgspec.field(default_factory=_Parameters)


def result_of(method: str, *, status: int, body: bytes, retry_after: str | None = None) -> Any:
    """Return what a call gave.

    Args:
        method: The method that was called.
        status: The HTTP status.
        body: The body of the answer.
        retry_after: The header of that name: who limits a server's callers may stand in front of Telegram.

    Raises:
        OutletError: The call was not done, or nobody knows; the class says what to do.

    Example:
        >>> result_of("getMe", status=200, body=b'{"ok": true, "result": {"id": 42}}')
        {'id': 42}
    """
    try:
        answer = msgspec.json.decode(body, type=_Answer)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        answer = None
    if answer is not None and answer.ok:
        return answer.result
    if answer is None and status == _OK:
        raise OutcomeUnknown(f"{method}: what answered is not the Bot API.")
    raise _error(method, status, answer or _Answer(ok=False), retry_after)


def _error(method: str, status: int, answer: _Answer, retry_after: str | None) -> OutletError:
    wait = answer.parameters.retry_after
    if status == _TOO_MANY or wait is not None:
        seconds = _seconds(retry_after) if wait is None else wait
        return RetryAfter(min(max(seconds, 0.0), _LONGEST_SILENCE))
    if answer.parameters.migrate_to_chat_id is not None:
        return Moved(answer.parameters.migrate_to_chat_id)
    told = f"{method}: {status} {_shown(answer.description)}"
    if status >= _FAULT:
        return Unreachable(told)
    if status in (_UNAUTHORIZED, _FORBIDDEN, _CONFLICT):
        return {_UNAUTHORIZED: Unauthorized, _FORBIDDEN: Gone, _CONFLICT: OtherPoller}[status](told)
    return _kind(answer.description.lower())(told)


def _kind(description: str) -> type[OutletError]:
    if _UNCHANGED in description:
        return Unchanged
    if any(words in description for words in _FORMAT):
        return FormatRefused
    if any(words in description for words in _NO_FILES):
        return NotOffered
    if any(words in description for words in _GONE):
        return Gone
    return NotOffered


def _shown(description: str) -> str:
    # "Bad Request: can't parse entities: Unsupported start tag ..." goes on with what was sent.
    return ":".join(description.split(":")[:2])[:120]


def _seconds(header: str | None) -> float:
    return float(header) if header is not None and header.isdecimal() else _USUAL_SILENCE
