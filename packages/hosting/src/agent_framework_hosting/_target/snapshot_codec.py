"""An agent's snapshots as bytes: JSON with a version of its own, each only what its turn added.

Messages and state go through Agent Framework's own encoders, which know the registered types and nothing else.
"""

from __future__ import annotations

import warnings
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

import msgspec
from agent_framework import AgentSession, Message

from .._state.encoded import Encoded
from ..errors import RunError, StateDamaged
from ..rendering.text import clean_json
from .snapshots import Added, Snapshot

_VERSION: Final = 1
_NOBODY: Final = "-"
"""The session id of a session that only carries a state through core's encoder."""


def encode(snapshot: Snapshot) -> Encoded:
    """Return what a snapshot adds to its parent.

    Raises:
        RunError: The agent keeps something that JSON cannot carry.
    """
    added = {
        source: {"kept": part.kept, "messages": [message.to_dict() for message in part.messages]}
        for source, part in snapshot.added.items()
    }
    parent = snapshot.parent
    is_base = parent is not None and all(part.kept == 0 for part in snapshot.added.values())
    # What an unfinished turn left is not stored with the parent, so that branches of this turn would not find it there.
    is_same = (
        parent is not None
        and parent.is_turns_own
        and snapshot.rest is parent.rest
        and _service(snapshot) == _service(parent)
    )
    return Encoded(
        _json({"schema_version": _VERSION, "added": added}),
        None if is_same and not is_base else encode_rest(snapshot),
        is_base,
    )


def encode_rest(snapshot: Snapshot) -> bytes:
    """Return a snapshot's state without its messages.

    Raises:
        RunError: The agent keeps something that JSON cannot carry.
    """
    if snapshot.rest is None:
        raise _cannot_be_stored("something that cannot even be copied")
    carrier = AgentSession(session_id=_NOBODY, service_session_id=snapshot.service_session_id)
    carrier.state.update(snapshot.rest)
    with warnings.catch_warnings():
        # What cannot be encoded is an error below, not a warning among others.
        warnings.simplefilter("ignore")
        try:
            said = carrier.to_dict()
        except Exception as error:
            # Values of the agent's encode themselves, and refuse in their own ways.
            raise _cannot_be_stored(f"something that cannot be encoded ({type(error).__name__})") from error
    return _json({"schema_version": _VERSION, "session": said})


def decode(chain: Sequence[Encoded], rest: bytes | None) -> Snapshot:
    """Return the snapshot that a chain ends with, with its parents; `rest` stands in for the chain's own.

    Raises:
        StateDamaged: A part of it is none that was ever encoded here.
    """
    snapshot: Snapshot | None = None
    state: Mapping[str, Any] = {}
    service: Any = None
    own: bytes | None = None
    for each in chain:
        with _readable(f"the row {each.number} of af_turn"):
            if each.rest is not None:
                own = each.rest
                state, service = _rest(own)
            snapshot = Snapshot(snapshot, dict(_added(each.added)), state, service)
    if rest is not None:
        with _readable("the column rest of af_session"):
            state, service = _rest(rest)
    is_own = rest is None or rest == own
    if snapshot is None:
        return Snapshot(None, {}, state, service, is_turns_own=is_own)
    return Snapshot(snapshot.parent, snapshot.added, state, service, is_turns_own=is_own)


@contextmanager
def _readable(place: str) -> Generator[None]:
    try:
        yield
    except Exception as error:
        # Whatever it is made of now, core's decoders and registered types refuse it in their own ways.
        raise StateDamaged(place) from error


def _added(data: bytes) -> Iterator[tuple[str, Added]]:
    for source, part in msgspec.json.decode(data)["added"].items():
        yield source, Added(part["kept"], tuple(Message.from_dict(message) for message in part["messages"]))


def _rest(data: bytes) -> tuple[Mapping[str, Any], Any]:
    session = AgentSession.from_dict(msgspec.json.decode(data)["session"])
    return session.state, session.service_session_id


def _service(snapshot: Snapshot) -> Any:
    return snapshot.service_session_id


def _json(value: Any) -> bytes:
    try:
        try:
            return msgspec.json.encode(value)
        except UnicodeEncodeError:
            # An agent keeps what it likes, half a surrogate pair too, also in a set or an object of a dataclass.
            return msgspec.json.encode(clean_json(msgspec.to_builtins(value, str_keys=True)))
    except (TypeError, ValueError) as error:
        raise _cannot_be_stored(str(error)) from error


def _cannot_be_stored(what: str) -> RunError:
    return RunError(
        f"The turn cannot be stored: the agent, or a provider of its, keeps {what} in the session's state. Keep values "
        "that JSON can carry, or register the type with agent_framework.register_state_type()."
    )
