"""Isolation keys: how a trusted platform in front of the host says whose request it is, and of which chat.

Serving an agent on Foundry Hosted Agents is the business of `agent-framework-foundry-hosting`; these keys serve
platforms that use the same two headers. They are believed only when the host is told to, see `AgentFrameworkHost`.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, MutableMapping
from contextlib import contextmanager
from contextvars import ContextVar, Token
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from ._alike import alike
from .types import ANONYMOUS, Principal

ISOLATION_HEADER_USER: Final = "x-agent-user-isolation-key"
ISOLATION_HEADER_CHAT: Final = "x-agent-chat-isolation-key"

_SOCKET_KEYS: Final = "agent_framework_hosting.isolation_keys"

Scope: TypeAlias = MutableMapping[str, Any]
"""An ASGI scope."""


@alike
@dataclass(frozen=True, slots=True)
class IsolationKeys:
    """The keys of the request that is being handled: `user_key` says whose it is, `chat_key` which session."""

    user_key: str | None = None
    chat_key: str | None = None

    @property
    def is_empty(self) -> bool:
        """Whether neither key is present."""
        return self.user_key is None and self.chat_key is None


_current: ContextVar[IsolationKeys | None] = ContextVar("agent_framework_hosting_isolation_keys", default=None)
_authenticated: ContextVar[Principal] = ContextVar("agent_framework_hosting_principal", default=ANONYMOUS)


def get_current_isolation_keys() -> IsolationKeys | None:
    """Return the keys of the current request, `None` when nobody set any."""
    return _current.get()


def set_current_isolation_keys(keys: IsolationKeys | None) -> Token[IsolationKeys | None]:
    """Set the keys for the current request; hand the token to `reset_current_isolation_keys`.

    Example:
        >>> token = set_current_isolation_keys(IsolationKeys(user_key="ada"))
        >>> get_current_isolation_keys().user_key
        'ada'
        >>> reset_current_isolation_keys(token)
    """
    return _current.set(keys)


def reset_current_isolation_keys(token: Token[IsolationKeys | None]) -> None:
    """Undo the matching `set_current_isolation_keys`."""
    _current.reset(token)


def with_socket_keys(scope: Scope, keys: IsolationKeys | None) -> Scope:
    """Return a scope that carries the keys that a trusted platform gave for it; `None` for none."""
    return {**scope, _SOCKET_KEYS: keys}


def socket_keys(scope: Mapping[str, Any]) -> IsolationKeys | None:
    """Return the keys that a trusted platform gave when a WebSocket was opened."""
    return scope.get(_SOCKET_KEYS)


@contextmanager
def keys_of_socket(scope: Mapping[str, Any]) -> Generator[None]:
    """Let the keys of a WebSocket be the current ones while a channel works on one of its messages.

    A WebSocket by itself sets no keys, since the code that serves it may outlive what they were meant for. Whose it is
    holds without this: `context.principal` is the one whom its user key names.

    Example:
        >>> with keys_of_socket(with_socket_keys({"type": "websocket"}, IsolationKeys(chat_key="room"))):
        ...     get_current_isolation_keys().chat_key
        'room'
    """
    keys = socket_keys(scope)
    token = _current.set(keys) if keys is not None else None
    try:
        yield
    finally:
        if token is not None:
            _current.reset(token)


def current_principal() -> Principal:
    """Return who is calling: whom the user key names, inside the tenant of who was authenticated; else the latter."""
    keys, authenticated = _current.get(), _authenticated.get()
    return authenticated if keys is None else named_by(keys, authenticated)


def named_by(keys: IsolationKeys | None, authenticated: Principal) -> Principal:
    """Return whom the user key names, inside the tenant of who was authenticated; without one the latter."""
    if keys is None or keys.user_key is None:
        return authenticated
    return Principal(tenant=authenticated.tenant, id=keys.user_key, kind="caller")


class Calling:
    """Lets this principal be the one who is calling, for whatever is started inside the block.

    Example:
        >>> with Calling(Principal(id="ada")):
        ...     current_principal().id
        'ada'
    """

    __slots__ = ("_principal", "_token")

    def __init__(self, principal: Principal) -> None:
        self._principal = principal

    def __enter__(self) -> None:
        self._token = begin_call(self._principal)

    def __exit__(self, *_: object) -> None:
        end_call(self._token)


begin_call: Final = _authenticated.set
"""Let this principal be the one who is calling, until `end_call` gets the token: `Calling` for every request."""
end_call: Final = _authenticated.reset
"""Undo the matching `begin_call`."""
