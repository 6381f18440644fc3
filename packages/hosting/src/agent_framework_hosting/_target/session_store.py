"""The port to a store of whole agent sessions, as Agent Framework's `SessionStore` is one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final, Protocol

from agent_framework import AgentSession

from ..errors import ConfigurationError, StateUnavailable
from ..logs import logger

_METHODS: Final = ("get", "set", "delete")


class SessionStore(Protocol):
    """Keeps sessions by their id. Agent Framework's own ones fit, and any object with these methods."""

    async def get(self, session_id: str, /) -> AgentSession | None:
        """Return a session that is the caller's to change, `None` when there is none."""
        ...

    async def set(self, session_id: str, session: AgentSession, /) -> None:
        """Keep a session as it is now."""
        ...

    async def delete(self, session_id: str, /) -> None:
        """Drop a session, if there is one."""
        ...


class StoredSessions:
    """A user's store, whose failures are told as the host tells them."""

    def __init__(self, store: SessionStore) -> None:
        if not all(callable(getattr(store, method, None)) for method in _METHODS):
            raise ConfigurationError(
                f"session_store is an object of type {type(store).__name__}, which is no session store. Give it one of "
                "Agent Framework, such as FileSessionStore, or an object with async get, set and delete."
            )
        self._store = store
        self.name = type(store).__name__

    async def load(self, session_id: str) -> AgentSession | None:
        """Return a session, `None` when there is none.

        Raises:
            StateUnavailable: The store failed.
        """
        return await self._done(lambda: self._store.get(session_id), f"could not load the session {session_id!r}")

    async def keep(self, session: AgentSession) -> None:
        """Keep a session as it is now.

        Raises:
            StateUnavailable: The store failed; whether it keeps the session is not known.
        """
        session_id = session.session_id
        await self._done(lambda: self._store.set(session_id, session), f"could not keep the session {session_id!r}")

    async def _done(self, work: Callable[[], Awaitable[Any]], what: str) -> Any:
        try:
            return await work()
        except Exception as error:
            logger.exception("The session store %s %s.", self.name, what)
            raise StateUnavailable(
                "The server cannot reach its session store at the moment. Send the request again."
            ) from error
