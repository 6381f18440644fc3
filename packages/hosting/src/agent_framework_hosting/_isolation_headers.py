"""The isolation headers: one rule for when they are believed, for requests and for WebSockets alike.

They are believed when the environment says that a trusted platform sits in front, when the host is told to trust them,
or when they come from a named proxy. Out of every other request they are taken.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Mapping
from typing import Final

from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocketClose

from ._addresses import comes_from_named_proxy
from ._arrival import Arrival, Step, arrival_of
from ._ways import Entrances
from .errors import InvalidRequest
from .isolation import (
    ISOLATION_HEADER_CHAT,
    ISOLATION_HEADER_USER,
    IsolationKeys,
    reset_current_isolation_keys,
    set_current_isolation_keys,
    socket_keys,
    with_socket_keys,
)
from .web.error_objects import error_response
from .web.errors import describe

PLATFORM_VARIABLE: Final = "FOUNDRY_HOSTING_ENVIRONMENT"
"""Set by a platform that strips these headers from outside and sets them itself."""

_USER: Final = ISOLATION_HEADER_USER.encode()
_CHAT: Final = ISOLATION_HEADER_CHAT.encode()
_LONGEST_KEY: Final = 512
_POLICY_VIOLATION: Final = 1008


def platform_is_trusted(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether the environment says that a trusted platform sits in front."""
    return bool(environment.get(PLATFORM_VARIABLE))


class IsolationHeaders:
    """Lifts the two headers into the keys of the request, or takes them out; what makes no sense is refused with 400.

    The keys of an HTTP request become the current ones. Those of a WebSocket, which carries many requests, go with its
    scope: they name its caller, and `keys_of_socket` makes them current for one request.

    Args:
        step: What is behind.
        entrances: All ways into the app.
        trusted: Whether they are believed whoever sends them; `None` for those of named proxies alone, `False` for
            nobody's.
    """

    def __init__(self, step: Step, *, entrances: Entrances, trusted: bool | None) -> None:
        self._step = step
        self._entrances = entrances
        self._trusted = trusted

    def enter(self, arrival: Arrival, receive: Receive, send: Send) -> Awaitable[None]:
        """Handle one request; a `Step`."""
        scope, sent = arrival.scope, arrival.headers.by_name
        if comes_from_named_proxy(scope) if self._trusted is None else self._trusted:
            return self._with_keys(arrival, receive, send)
        if _USER in sent or _CHAT in sent:
            scope = {**scope, "headers": [header for header in scope["headers"] if header[0] not in (_USER, _CHAT)]}
        if scope["type"] == "websocket" and socket_keys(scope) is not None:
            scope = with_socket_keys(scope, None)
        if scope is not arrival.scope:
            arrival = arrival_of(scope, entrances=self._entrances)
        return self._step(arrival, receive, send)

    async def _with_keys(self, arrival: Arrival, receive: Receive, send: Send) -> None:
        try:
            keys = IsolationKeys(user_key=_key(arrival, _USER), chat_key=_key(arrival, _CHAT))
        except InvalidRequest as error:
            await _refuse(error, arrival.scope, receive, send)
            return
        known = None if keys.is_empty else keys
        if arrival.scope["type"] == "websocket":
            scope = with_socket_keys(arrival.scope, known)
            await self._step(arrival_of(scope, entrances=self._entrances), receive, send)
            return
        token = set_current_isolation_keys(known)
        try:
            answered = self._step(arrival, receive, send)
            # An answer may be long, and needs nothing of it.
            del arrival
            await answered
        finally:
            reset_current_isolation_keys(token)


async def _refuse(error: InvalidRequest, scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        await WebSocketClose(_POLICY_VIOLATION)(scope, receive, send)
    else:
        await error_response(describe(error))(scope, receive, send)


def _key(arrival: Arrival, name: bytes) -> str | None:
    values = arrival.headers.all(name)
    if len(values) > 1:
        raise _invalid(f"The header {name.decode()} was sent {len(values)} times; send it once.")
    if not values or not values[0]:
        return None
    key: str = values[0].decode("latin-1")
    if len(key) > _LONGEST_KEY or not key.isascii() or not key.isprintable():
        raise _invalid(f"The header {name.decode()} must be at most {_LONGEST_KEY} printable ASCII characters.")
    return key


def _invalid(message: str) -> InvalidRequest:
    return InvalidRequest(message, code="invalid_isolation_key")
