"""What a developer said about a host, as far as it can be wrong by itself."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from ._state.memorystore import MemoryStore
from ._state.paths import StateDir, StatePaths, resolve
from ._state.store import Concurrency
from ._target.accepted import Checkpoints, has_checkpoints, refuse_concurrent_turns
from ._target.workflow.variable import KEY_VARIABLE
from .auth.keys import API_KEYS_VARIABLE
from .door import ALLOW_UNAUTHENTICATED_VARIABLE
from .errors import ConfigurationError
from .limits import Limits, misspelt_variables
from .logs import CONTENT_VARIABLE, FORMAT_VARIABLE, logger
from .types import ChannelRequest, ChannelSession

if TYPE_CHECKING:
    from ._state.aliases import Aliases
    from ._state.port import StateStore
    from ._target.session_store import SessionStore, StoredSessions

_OTHER_VARIABLES: Final = (
    ALLOW_UNAUTHENTICATED_VARIABLE,
    API_KEYS_VARIABLE,
    CONTENT_VARIABLE,
    FORMAT_VARIABLE,
    KEY_VARIABLE,
)

Order: TypeAlias = Concurrency | Literal["concurrent"]
"""In which order turns of one session run."""


def checked_limits(limits: object) -> Limits:
    """Return the bounds of a host: what it was given, then what the environment says, then the defaults.

    Raises:
        ConfigurationError: They are none, or a variable cannot be read.
    """
    for variable, meant in misspelt_variables(os.environ, others=_OTHER_VARIABLES).items():
        logger.warning("%s is no setting of the host, and does nothing. Is %s meant?", variable, meant)
    if limits is None:
        return Limits().with_environment()
    if not isinstance(limits, Limits):
        raise ConfigurationError(
            f"limits={limits!r} is an object of type {type(limits).__name__}. Give the bounds by their names: "
            "Limits(max_waiting=8), from agent_framework_hosting.limits."
        )
    return limits.with_environment()


def refuse_unfit(request: object) -> None:
    """Raise when a request of the user's own code is none.

    Raises:
        TypeError: It is something else, or its session is.
    """
    if not isinstance(request, ChannelRequest):
        raise TypeError(
            f"host.run() takes a ChannelRequest, not an object of type {type(request).__name__}. Write "
            "ChannelRequest(channel='script', operation='message', input=...)."
        )
    session: Any = request.session
    if session is not None and not isinstance(session, ChannelSession):
        raise TypeError(f"The session of a ChannelRequest is {session!r}. Write ChannelSession(key).")


def checked_order(concurrency: Order, *, session_store: SessionStore | None) -> Order:
    """Return the order of turns.

    Raises:
        ConfigurationError: There is no such order, or sessions cannot be kept in it.
    """
    if concurrency not in ("queue", "reject", "interrupt", "concurrent"):
        raise ConfigurationError(
            f"concurrency={concurrency!r} is unknown. Use 'queue', 'reject', 'interrupt' or 'concurrent'."
        )
    if concurrency == "concurrent" and session_store is not None:
        raise ConfigurationError(
            "concurrency='concurrent' and session_store do not go together: turns that run side by side would keep one "
            "session over each other. Leave one of them out, or use database=."
        )
    return concurrency


def refuse_unordered(order: Order, served: Any) -> None:
    """Raise when turns cannot run in this order.

    Raises:
        ConfigurationError: They are to run side by side, and what is served is a workflow.
    """
    if order == "concurrent":
        refuse_concurrent_turns(served)


def memory_store(aliases: Aliases, *, limits: Limits) -> MemoryStore:
    """Return the store of a host that has no database."""
    return MemoryStore(
        aliases=aliases,
        max_turns=limits.max_turns,
        max_waiting=limits.max_waiting,
        claim_ttl=limits.idempotency_ttl,
        document_ttl=limits.session_ttl,
        max_event_bytes=limits.max_buffered_bytes,
        max_bytes=limits.max_stored_bytes,
    )


def may_fail(failing_channels: Literal["stop", "disable"]) -> bool:
    """Whether the host starts without channels that fail to.

    Raises:
        ConfigurationError: The word is unknown.
    """
    if failing_channels not in ("stop", "disable"):
        raise ConfigurationError(f"failing_channels={failing_channels!r} is unknown. Use 'stop' or 'disable'.")
    return failing_channels == "disable"


def stored_sessions(session_store: SessionStore | None, *, database: object) -> StoredSessions | None:
    """Return what keeps whole sessions, when the developer has brought something for it.

    Raises:
        ConfigurationError: It is no store, or there is a database, too.
    """
    if session_store is None:
        return None
    if database is not None:
        raise ConfigurationError(
            "session_store and database say two places for one thing: where sessions are kept. Give one of them; a "
            "database promises more."
        )
    from ._target.session_store import StoredSessions

    return StoredSessions(session_store)


def placed(
    state_dir: StateDir | None, checkpoints: Checkpoints, target: Any, *, database: str | StateStore | None
) -> StatePaths:
    """Return the folders that the host keeps its state in; with a database there are none.

    Raises:
        ConfigurationError: They cannot be used.
    """
    paths = resolve(state_dir, has_checkpoints=has_checkpoints(target))
    if database is None:
        return checkpoints.placed(paths)
    if state_dir is not None:
        logger.warning("state_dir is not used: resets and checkpoints are kept in the database.")
    return StatePaths()
