"""Proxies that may say for whom a request is: told by their own address or a secret, and by nothing that they send."""

from __future__ import annotations

import hmac
from collections.abc import Awaitable
from typing import Any, Final

from starlette.types import ASGIApp, Receive, Scope, Send

from ._addresses import VOUCHED, Networks, address_in
from .door import PROXY_SECRET_HEADER, Door

_SECRET: Final = PROXY_SECRET_HEADER.encode()
_FOR: Final = b"x-forwarded-for"
_PROTO: Final = b"x-forwarded-proto"


class NamedProxies:
    """Marks what comes from a named proxy and believes where it says that it came from; strips that from others.

    Only where the door names proxies: the mark of a host around this one is not believed by those who name none.
    """

    def __init__(self, app: ASGIApp, *, door: Door) -> None:
        self._app = app
        self._networks = Networks(door.trusted_proxies)
        self._secret = None if door.proxy_secret is None else door.proxy_secret.encode()

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Handle one request."""
        if scope["type"] in ("http", "websocket"):
            # A host inside another one's app judges for itself.
            scope = self._judged(scope)
        return self._app(scope, receive, send)

    def _judged(self, scope: Scope) -> Scope:
        is_named = self._is_named(scope)
        judged = {**scope, VOUCHED: is_named}
        headers = [header for header in scope["headers"] if header[0] != _SECRET]
        if is_named:
            judged["headers"] = headers
            return self._forwarded(judged)
        judged["headers"] = [
            header for header in headers if header[0] != b"forwarded" and not header[0].startswith(b"x-forwarded-")
        ]
        return judged

    def _is_named(self, scope: Scope) -> bool:
        if self._networks and (not self._networks.has_peer(scope) or _is_hearsay(scope)):
            return False
        if self._secret is None:
            return True
        shown = [value for name, value in scope["headers"] if name == _SECRET]
        return len(shown) == 1 and hmac.compare_digest(shown[0], self._secret)

    def _forwarded(self, scope: Scope) -> Scope:
        client = self._client(_values(scope, _FOR))
        if client is not None:
            scope["client"] = (client, 0)
        said = _values(scope, _PROTO)
        if said and said[-1].lower() in ("http", "https"):
            is_socket, is_secure = scope["type"] == "websocket", said[-1].lower() == "https"
            scope["scheme"] = f"{'ws' if is_socket else 'http'}{'s' if is_secure else ''}"
        return scope

    def _client(self, hops: list[str]) -> str | None:
        # Every proxy adds whom it got the request from at the end; what stands before the first stranger is hearsay.
        found = None
        for hop in reversed(hops):
            address = address_in(_parts(hop)[0])
            if address is None:
                return found
            found = str(address)
            if address not in self._networks:
                return found
        return found


def _is_hearsay(scope: Scope) -> bool:
    """Whether the server has the caller's address from a header: some take the port from there, too.

    Whoever forwards names those that it got a request from, and never the very connection that it sends it over.
    """
    client: Any = scope.get("client")
    if client is None:
        return False
    said = (_parts(hop) for hop in _values(scope, _FOR))
    return any(port == client[1] and address_in(host) == address_in(client[0]) for host, port in said)


def _parts(hop: str) -> tuple[str, int | None]:
    # Some proxies add the port; an IPv6 address has brackets then.
    if hop.startswith("["):
        host, _, rest = hop[1:].partition("]")
        port = rest.removeprefix(":")
    else:
        host, _, port = hop.partition(":") if hop.count(":") == 1 else (hop, "", "")
    try:
        # As leniently as servers read it.
        return host, int(port)
    except ValueError:
        return host, None


def _values(scope: Scope, name: bytes) -> list[str]:
    joined = b",".join(value for header, value in scope["headers"] if header == name)
    return [part.strip() for part in joined.decode("latin-1").split(",") if part.strip()]
