"""At the door: the isolation headers of a trusted platform, and nobody else's."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

from .errors import InvalidRequest
from .isolation import (
    ISOLATION_HEADER_CHAT,
    ISOLATION_HEADER_USER,
    IsolationKeys,
    reset_current_isolation_keys,
    set_current_isolation_keys,
)
from .web.error_objects import error_response
from .web.errors import describe

PLATFORM_VARIABLE: Final = "FOUNDRY_HOSTING_ENVIRONMENT"
"""Set by a platform that strips these headers from outside and sets them itself."""

_USER: Final = ISOLATION_HEADER_USER.encode()
_CHAT: Final = ISOLATION_HEADER_CHAT.encode()
_LONGEST_KEY: Final = 512


def platform_is_trusted(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether the environment says that a trusted platform sits in front."""
    return bool(environment.get(PLATFORM_VARIABLE))


class TrustedIsolationHeaders:
    """Lifts the two headers into the current isolation keys; a header that makes no sense is refused with 400."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            keys = IsolationKeys(user_key=_key(scope, _USER), chat_key=_key(scope, _CHAT))
        except InvalidRequest as error:
            await error_response(describe(error))(scope, receive, send)
            return
        token = set_current_isolation_keys(None if keys.is_empty else keys)
        try:
            await self._app(scope, receive, send)
        finally:
            reset_current_isolation_keys(token)


class UntrustedIsolationHeaders:
    """Takes the two headers out of every request, so that nothing behind can believe them by mistake."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] in ("http", "websocket"):
            headers = scope["headers"]
            kept = [header for header in headers if header[0] != _USER and header[0] != _CHAT]
            if len(kept) != len(headers):
                scope = {**scope, "headers": kept}
        await self._app(scope, receive, send)


def _key(scope: Scope, name: bytes) -> str | None:
    values = [value for header, value in scope["headers"] if header == name]
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
