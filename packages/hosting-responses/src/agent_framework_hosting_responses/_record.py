"""What is kept of a response: what was sent, and beside it what only this server has to know.

Rules of this file:
1. A record is the response's body without what is usual, with one member more, which is never shown to a client.
2. It holds what its own turn has said, and nothing of the turns before.
3. What comes out of a record is ours, but may be of another version: what does not fit counts as absent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, cast

import msgspec

from agent_framework_hosting.types import JSON

from ._usual import NUMBER, with_usual
from ._waiting import Waiting

if TYPE_CHECKING:
    from ._outbound.replaying import Tape

_PRIVATE: Final = "_hosting"
_USUAL: Final = "usual"
MOST_WAITING: Final = 256
"""Calls that a conversation may leave waiting; the oldest are forgotten, and their results not shown."""


class Private(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field=_USUAL, tag=NUMBER):
    """What is kept of a response beside what was sent, with the number of the table of what is usual.

    Args:
        chat: The key of the chat in which something is left waiting, when a platform named one.
        waiting: The calls that a later turn will run.
        input: The items that the response answers, with their ids.
        tape: What was said of a response that was streamed: a `Tape` as JSON.
        taken: The number of the last document of its conversation that the turn, or one before, has read.
        first: The sequence number of its first event; another one than 0 after an attempt that did not finish.
        key: The idempotency key under which it was accepted, when it ran in the background.
        unfinished: Whether the turn is no part of the history, so that nothing can continue it.
    """

    chat: str | None = None
    waiting: Sequence[Waiting] = ()
    input: Sequence[dict[str, Any]] = ()
    tape: msgspec.Raw | None = None
    taken: int = 0
    first: int = 0
    key: str | None = None
    unfinished: bool = False


def sealed(kept: Mapping[str, Any], private: Private) -> dict[str, Any]:
    """Return the record of a response, ready to be encoded: parts of it are JSON already.

    Args:
        kept: Its body without what is usual.
        private: What is kept beside that.
    """
    return {**kept, _PRIVATE: private}


def plain(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return a record that was sealed as it will be read."""
    return msgspec.json.decode(msgspec.json.encode(record))


def body_of(record: JSON) -> dict[str, Any]:
    """Return what was sent to the client."""
    if not isinstance(record, Mapping):
        return {}
    said = {name: value for name, value in record.items() if name != _PRIVATE}
    return with_usual(said) if _private(record, _USUAL, int, 0) == NUMBER else said


def waiting_of(record: JSON) -> tuple[Waiting, ...]:
    """Return what a turn left waiting."""
    return _private(record, "waiting", tuple[Waiting, ...], ())


def chat_of(record: JSON) -> str | None:
    """Return the key of the chat in which something is left waiting, when a platform named one."""
    return _private(record, "chat", str, None)


def input_of(record: JSON) -> list[dict[str, Any]]:
    """Return the items that the response answers."""
    return _private(record, "input", list[dict[str, Any]], [])


def output_of(record: JSON) -> list[dict[str, Any]]:
    """Return the items that the response has; none for a record of another channel."""
    return _said(record, "output") if is_response(record) else []


def tape_of(record: JSON) -> Tape | None:
    """Return what was said of a response that was streamed."""
    # Few are said again.
    from ._outbound.replaying import Tape

    return _private(record, "tape", Tape, None)


def taken_of(record: JSON) -> int:
    """Return the number of the last document of its conversation that was read until then."""
    return _private(record, "taken", int, 0)


def first_of(record: JSON) -> int:
    """Return the sequence number of the response's first event."""
    return _private(record, "first", int, 0)


def key_of(record: JSON) -> str | None:
    """Return the idempotency key under which a response of the background was accepted."""
    return _private(record, "key", str, None)


def is_unfinished(record: JSON) -> bool:
    """Whether the turn of a response is no part of the history, as far as its record tells."""
    return _private(record, "unfinished", bool, False)


def is_background(record: JSON) -> bool:
    """Whether the response was asked for in the background."""
    return is_response(record) and _said(record, "background") is True


def has_ended(record: JSON) -> bool:
    """Whether nothing more will become of the response."""
    return _said(record, "status") not in ("queued", "in_progress")


def stands(record: JSON, **changes: Any) -> dict[str, Any]:
    """Return the record of a response that stands otherwise; `first` may be among the changes."""
    known: dict[str, Any] = dict(record) if isinstance(record, Mapping) else {}
    private: dict[str, Any] = known.get(_PRIVATE, {})
    if "first" in changes:
        private = {**private, "first": changes.pop("first")}
    return {**known, **changes, _PRIVATE: private}


def is_response(record: JSON) -> bool:
    """Return whether a record is one of this channel's: ids of other channels are looked up in the same place."""
    return _said(record, "object") == "response"


def is_of_another_channel(record: JSON) -> bool:
    """Whether a record is no response's: what a session or a completion is called is no response to continue."""
    return isinstance(record, Mapping) and not is_response(record)


def conversation_of(record: JSON) -> str | None:
    """Return the id of the conversation that a response was made in, if it was in one."""
    known: Any = _said(record, "conversation") if is_response(record) else None
    return cast("dict[str, Any]", known)["id"] if isinstance(known, dict) else None


def _said(record: JSON, name: str) -> Any:
    """Return a member that says something unusual; `None` when it is not there, or as usual."""
    return record.get(name) if isinstance(record, Mapping) else None


def _private(record: JSON, name: str, kind: Any, otherwise: Any) -> Any:
    private: Any = record.get(_PRIVATE) if isinstance(record, Mapping) else None
    if not isinstance(private, dict) or name not in private:
        return otherwise
    try:
        return msgspec.convert(private[name], kind)
    except msgspec.ValidationError:
        return otherwise
