"""What a session looked like after a turn, kept so that a chain of turns costs what its turns cost.

A snapshot holds the messages that its turn added and points to the snapshot before; nothing is copied from the history.
Message lists are found by their shape, `state[source]["messages"]`, which is how Agent Framework's own in-memory
history keeps them; everything else in the state is copied, since a run may change it in place.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from operator import is_
from typing import Any, Final, cast

import msgspec
from agent_framework import AgentSession, Message

from ..ids import mint
from .cleaning import clean_message
from .copying import shallow_copy

_MESSAGES: Final = "messages"
_NOTHING: Final[Mapping[str, Any]] = {}


class History(msgspec.Struct, frozen=True, gc=False):
    """One source's messages when they were looked at; a copy, since a source may change its list in place.

    The garbage collector does not look at it, nor at what is `Added`: both are kept of every turn, and messages lead to
    neither. Snapshots it has to know: only so a chain of any length can be let go of.
    """

    messages: tuple[Message, ...]


Histories = Mapping[str, History]
"""The message lists of a session's state, by the source that keeps them."""
_NO_HISTORIES: Final[Histories] = {}


class Added(msgspec.Struct, frozen=True, gc=False):
    """The messages of one source: those that `kept` messages of the snapshot before are followed by."""

    kept: int
    messages: tuple[Message, ...]


class Snapshot(msgspec.Struct, frozen=True):
    """A session after a turn, as the difference to `parent`.

    `rest` is the state without its message lists; `None` when it cannot be copied, and then the turn cannot be forked.
    `is_turns_own` says that the turn left `rest` so, and not a later one that did not finish.
    """

    parent: Snapshot | None
    added: Mapping[str, Added]
    rest: Mapping[str, Any] | None
    service_session_id: Any
    is_turns_own: bool = True

    def __repr__(self) -> str:
        # Without its parents, of which a long conversation has more than a representation can go through.
        return f"Snapshot(added={self.added!r}, service_session_id={self.service_session_id!r})"


def histories(session: AgentSession) -> Histories:
    """Return the message lists in a session's state."""
    state = session.state
    if not state:
        return _NO_HISTORIES
    found: dict[str, History] = {}
    for source, part in state.items():
        messages = _messages_of(part)
        if messages:
            found[source] = History(messages)
    return found


def clean_messages(session: AgentSession, now: Histories, *, known: Histories) -> Histories:
    """Make clean those messages of the lists that came after `known`; returns the lists as they are then."""
    changed: dict[str, History] = {}
    for source, history in now.items():
        before = known.get(source)
        messages: tuple[Any, ...] = history.messages
        start = len(before.messages) if before is not None else 0
        if before is not None and messages[:start] != before.messages:
            # A provider that rewrote its history (compaction) may have put something new anywhere.
            start = 0
        cleaned: list[Any] | None = None
        for at in range(start, len(messages)):
            message = messages[at]
            if isinstance(message, Message) and (own := clean_message(message)) is not message:
                cleaned = cleaned or list(messages)
                cleaned[at] = own
        if cleaned is not None:
            session.state[source][_MESSAGES] = cleaned
            changed[source] = History(tuple(cleaned))
    return {**now, **changed} if changed else now


def capture(session: AgentSession, now: Histories, *, parent: Snapshot | None, known: Histories) -> Snapshot:
    """Take a snapshot of `session`, whose message lists are `now`; it looked like `parent` when they were `known`."""
    rest = _rest(session.state, now)
    if parent is not None and _equal(rest, parent.rest):
        rest = parent.rest
    added: dict[str, Added] = {}
    for source, history in now.items():
        added[source] = _added(known.get(source), history)
    service = session.service_session_id
    return Snapshot(
        parent=parent, added=added, rest=rest, service_session_id=copy.deepcopy(service) if service else service
    )


def restore(snapshot: Snapshot, session: AgentSession) -> None:
    """Make a fresh `session` look as it did when the snapshot was taken."""
    session.service_session_id = copy.deepcopy(snapshot.service_session_id)
    state = session.state
    state.update(copy.deepcopy(dict(snapshot.rest or _NOTHING)))
    for source in snapshot.added:
        state.setdefault(source, {})[_MESSAGES] = _messages(snapshot, source)


def rewind(session: AgentSession, known: Histories) -> None:
    """Take out of the history what came after `known`; the rest of the state stays as it is."""
    state = session.state
    for source in histories(session):
        if source not in known:
            state[source][_MESSAGES] = []
    # Also where there is no list any more: what came after may have emptied it, or put something else there.
    for source, history in known.items():
        part = state.get(source)
        if not isinstance(part, dict):
            part = state[source] = {}
        part[_MESSAGES] = list(history.messages)


def name_messages(session: AgentSession, now: Histories, *, known: Histories) -> Histories:
    """Give those messages of the lists an id that came after `known` and have none; returns the lists as they are then.

    At every turn Agent Framework's history compares what is new with all that it has; what has no id is serialised for
    that. Snapshots have none of these: an id says nothing of the conversation, and would be kept with each message.
    """
    changed: dict[str, History] = {}
    for source, history in now.items():
        before = known.get(source)
        named: list[Any] | None = None
        for at in range(len(before.messages) if before is not None else 0, len(history.messages)):
            message: Any = history.messages[at]
            if isinstance(message, Message) and message.message_id is None:
                named = named or list(history.messages)
                # A copy: an agent may give the same message again, and its response is the channel's.
                named[at] = own = shallow_copy(message)
                own.message_id = mint("msg_")
        held = _messages_of(session.state.get(source)) if named is not None else ()
        # A source may have gone on by itself since; what it has rewritten stays as it is.
        if named is not None and held[: len(named)] == history.messages:
            session.state[source][_MESSAGES] = [*named, *held[len(named) :]]
            changed[source] = History(tuple(named))
    return {**now, **changed} if changed else now


def exchange(session: AgentSession, known: Histories, old: Sequence[Message], *, by: Sequence[Message]) -> None:
    """Put messages into the history where those stand that came after `known` and are to be taken out.

    Where none of them stands, the new ones come behind what else came after `known`.
    """
    for source, history in histories(session).items():
        before = known.get(source)
        start = len(before.messages) if before is not None else 0
        kept, added = list(history.messages[:start]), history.messages[start:]
        stays = [not any(_is_same(message, other) for other in old) for message in added]
        at = stays.index(False) if not all(stays) else len(stays) if added and not old else None
        if at is not None:
            rest = [message for message, is_kept in zip(added[at:], stays[at:], strict=True) if is_kept]
            session.state[source][_MESSAGES] = [*kept, *added[:at], *by, *rest]


def _is_same(one: Message, other: Message) -> bool:
    # As Agent Framework's own histories see it: by their ids, and without ids by what they say.
    if one is other or one.role != other.role or one.message_id != other.message_id:
        return one is other
    return one.message_id is not None or _said(one) == _said(other)


def _said(message: Message) -> list[dict[str, Any]]:
    return [content.to_dict(exclude={"raw_representation"}) for content in message.contents]


def _messages_of(part: Any) -> tuple[Message, ...]:
    messages: Any = cast("dict[str, Any]", part).get(_MESSAGES) if isinstance(part, dict) else None
    if not isinstance(messages, list):
        return ()
    given = tuple(cast("list[Any]", messages))
    return given if given and isinstance(given[-1], Message) else ()


def _added(known: History | None, history: History) -> Added:
    # A provider that rewrote its history (compaction) starts a new base; one that only appended adds its tail.
    before, now = known.messages if known is not None else (), history.messages
    kept = len(before) if len(before) <= len(now) and all(map(is_, before, now)) else 0
    return Added(kept, tuple([_own(message) for message in now[kept:]]))


def _own(message: Any) -> Any:
    # Agent Framework's compaction marks messages in place, and a mark of one branch is none of the others' business.
    if not isinstance(message, Message):
        return message
    own = shallow_copy(message)
    own.additional_properties = marks = dict(message.additional_properties or _NOTHING)
    for name, mark in marks.items():
        if isinstance(mark, dict):
            marks[name] = dict(cast("dict[Any, Any]", mark))
    return own


def _rest(state: Mapping[str, Any], lists: Histories) -> Mapping[str, Any] | None:
    if not state:
        return _NOTHING
    without: dict[str, Any] = {}
    for source, part in state.items():
        if source not in lists:
            without[source] = part
        elif len(part) > 1:
            # A source that keeps its messages and nothing else has nothing to copy.
            without[source] = {name: value for name, value in part.items() if name != _MESSAGES}
    if not without:
        # The rule for sessions of one turn, and a deep copy of nothing costs more than the rest of a snapshot.
        return _NOTHING
    try:
        return copy.deepcopy(without)
    except Exception:  # noqa: BLE001 - an agent keeps what it likes, and its objects refuse in their own ways
        return None


def _equal(one: object, other: object) -> bool:
    try:
        return bool(one == other)
    except Exception:  # noqa: BLE001 - as above: arrays, for one, are neither equal nor different
        return False


def _messages(snapshot: Snapshot, source: str) -> list[Message]:
    # Walks towards the root; `wanted` is how many messages are still to be found below this snapshot.
    parts: list[tuple[Message, ...]] = []
    at: Snapshot | None = snapshot
    wanted: int | None = None
    while at is not None and wanted != 0:
        added = at.added.get(source)
        if added is None:
            break
        parts.append(added.messages if wanted is None else added.messages[: wanted - added.kept])
        wanted = added.kept
        at = at.parent
    parts.reverse()
    return [_own(message) for part in parts for message in part]
