"""The guard: requests that a foreign web page sends, or that are meant for another host, do not come in.

A browser on this machine reaches an address of this machine from every page that it shows. What gives such a page away
is the name in `Host` (when its own name was made to mean this machine: DNS rebinding), its `Origin`, `Sec-Fetch-Site`,
and that it cannot send JSON without asking first.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocketClose

from ._addresses import came_over_loopback, came_over_network
from ._authority import Authority, Hosts, Origin, parse_authority, parse_origin
from .door import Door, public_origin
from .entrances import NOBODY, Entrance, find
from .logs import logger
from .web.error_objects import error_response
from .web.errors import ErrorDescription
from .web.upload import Upload, answer_early

_POLICY_VIOLATION: Final = 1008
_JSON: Final = "application/json"
_SENT_WITHOUT_ASKING: Final = frozenset(("", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data"))
"""What a page may send to any host without its consent (Fetch, "CORS-safelisted request-header")."""
_WITH_BODY: Final = frozenset(("POST", "PUT", "PATCH"))
_LOOKED_AT: Final = frozenset(
    (
        b"host",
        b"origin",
        b"sec-fetch-site",
        b"content-type",
        b"content-encoding",
        b"content-length",
        b"transfer-encoding",
    )
)


class Guard:
    """Refuses with 421 what is meant for another host, with 403 what foreign pages send, with 415 what is no JSON.

    An app around the host has a door of its own, where hosts and origins are its affair. WebSockets and bodies that a
    page can send without asking are looked at there as well, since browsers ask nobody about those.

    Args:
        app: What is behind.
        door: What is demanded.
        entrances: All routes of the app, in the router's order.
    """

    def __init__(self, app: ASGIApp, *, door: Door, entrances: Sequence[Entrance]) -> None:
        self._app = app
        self._entrances = entrances
        own = None if door.public_url is None else public_origin(door.public_url)
        public = None if own is None else parse_origin(own)
        self._hosts = Hosts((*door.allowed_hosts, *(() if public is None else (public.authority.name,))))
        self._checks_every_host = bool(door.allowed_hosts)
        self._every_origin = "*" in door.allow_origins
        self._null_origin = "null" in door.allow_origins
        known = (*door.allow_origins, *(() if own is None else (own,)))
        self._origins = {origin for origin in map(parse_origin, known) if origin is not None}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        refusal = self._refusal(scope) if scope["type"] in ("http", "websocket") else None
        if refusal is None:
            await self._app(scope, receive, send)
            return
        entrance = find(self._entrances, scope)
        if entrance is not None and entrance.authenticated_by == NOBODY:
            # Whoever probes knows an address and no name, and learns one word.
            await self._app(scope, receive, send)
            return
        if scope["type"] == "websocket":
            logger.warning("A WebSocket was refused: %s", refusal.message)
            await WebSocketClose(_POLICY_VIOLATION)(scope, receive, send)
            return
        render = entrance.render_error if entrance is not None else None
        await answer_early((render or error_response)(refusal), scope, send, upload=Upload(receive))

    def _refusal(self, scope: Scope) -> ErrorDescription | None:
        headers = _Headers(scope)
        hosts = headers.all(b"host")
        host = parse_authority(hosts[0]) if len(hosts) == 1 else None
        mounted = is_mounted(scope)
        if not mounted and not self._takes_host(scope, host):
            return _WRONG_HOST
        origin = headers.one(b"origin")
        if self._asks_for_origin(scope, headers, mounted=mounted) and not self._takes_origin(
            origin, headers.one(b"sec-fetch-site"), host
        ):
            return _FOREIGN_PAGE
        entrance = find(self._entrances, scope) if headers.has_body else None
        types = entrance.body_types if entrance is not None else None
        return None if types is None else _refused_body(types, headers)

    def _takes_host(self, scope: Scope, host: Authority | None) -> bool:
        if came_over_loopback(scope):
            return host is not None and (host.is_loopback or host in self._hosts)
        if self._checks_every_host and came_over_network(scope):
            return host is not None and host in self._hosts
        return True

    def _asks_for_origin(self, scope: Scope, headers: _Headers, *, mounted: bool) -> bool:
        if scope["type"] == "websocket" or (headers.has_body and headers.media_type in _SENT_WITHOUT_ASKING):
            return True
        return not mounted and came_over_loopback(scope)

    def _takes_origin(self, origin: str | None, site: str | None, host: Authority | None) -> bool:
        if self._every_origin:
            return True
        if origin is None:
            # Old browsers say neither; with these, the content type is what is left.
            return site != "cross-site"
        parsed = parse_origin(origin)
        if parsed is None:
            return origin == "null" and self._null_origin
        return parsed in self._origins or _is_own(parsed, host, site=site)


def is_mounted(scope: Scope) -> bool:
    """Whether a Starlette or FastAPI app around the host has handed the request on."""
    return "router" in scope


def _is_own(origin: Origin, host: Authority | None, *, site: str | None) -> bool:
    return host is not None and site != "cross-site" and origin.is_of(host)


def _refused_body(types: Sequence[str], headers: _Headers) -> ErrorDescription | None:
    if headers.is_packed:
        return _unsupported("The body is packed. Send it without Content-Encoding.", header="Content-Encoding")
    kind = headers.media_type
    is_json = kind == _JSON or (kind.startswith("application/") and kind.endswith("+json"))
    # A page's body always has a type, or comes with the page's origin.
    is_untyped = not kind and headers.one(b"origin") is None
    if is_untyped or kind in types or (is_json and _JSON in types):
        return None
    with_curl = " (with curl: `--json` in place of `-d`)" if types[0] == _JSON else ""
    return _unsupported(
        f"The body is not of a type that is taken here. Send it with `content-type: {types[0]}`{with_curl}.",
        header="Content-Type",
    )


def _unsupported(message: str, *, header: str) -> ErrorDescription:
    return ErrorDescription(415, "unsupported_media_type", message, header, may_retry=True)


class _Headers:
    """The headers of one request that the guard looks at."""

    def __init__(self, scope: Scope) -> None:
        self._found: dict[bytes, list[str]] = {}
        for name, value in scope["headers"]:
            if name in _LOOKED_AT:
                self._found.setdefault(name, []).append(value.decode("latin-1").strip())
        self.has_body: bool = scope["type"] == "http" and self._announces_body(scope)
        self.media_type: str = (self.one(b"content-type") or "").partition(";")[0].strip().lower()
        self.is_packed: bool = (self.one(b"content-encoding") or "identity").lower() != "identity"

    def all(self, name: bytes) -> list[str]:
        return self._found.get(name, [])

    def one(self, name: bytes) -> str | None:
        """Return a header's value; several are one that fits nowhere."""
        values = self._found.get(name)
        return ", ".join(values) if values else None

    def _announces_body(self, scope: Scope) -> bool:
        if b"transfer-encoding" in self._found:
            return True
        length = self.one(b"content-length")
        if length is not None:
            return length != "0"
        # In HTTP/2 nothing announces a body of unknown length.
        return scope.get("http_version", "1.1") not in ("1.0", "1.1") and scope["method"] in _WITH_BODY


_WRONG_HOST: Final = ErrorDescription(
    421,
    "misdirected_request",
    "The Host header of this request names no host that is served here. If it is right, say so there: "
    "Door(public_url='https://...') for the address of a proxy, a tunnel or a forwarded port, or "
    "Door(allowed_hosts=[...]).",
    may_retry=True,
)
_FOREIGN_PAGE: Final = ErrorDescription(
    403,
    "foreign_origin",
    "This request comes from a web page of another origin. If the page may call this server, say so there: "
    "Door(allow_origins=['https://...']), or Door(public_url='https://...') when the page is the server's own and a "
    "proxy is in between.",
    may_retry=True,
)
