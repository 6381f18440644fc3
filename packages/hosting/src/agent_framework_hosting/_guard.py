"""The guard: requests that a foreign web page sends, or that are meant for another host, do not come in.

A browser on this machine reaches an address of this machine from every page that it shows. What gives such a page away
is the name in `Host` (when its own name was made to mean this machine: DNS rebinding), its `Origin`, `Sec-Fetch-Site`,
and that it cannot send JSON without asking first.
"""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from functools import lru_cache, partial
from typing import Final

import msgspec
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocketClose

from ._addresses import came_over_loopback, came_over_network
from ._arrival import Arrival, Step
from ._authority import Authority, Hosts, Origin, parse_authority, parse_origin
from ._headers import Headers
from .door import Door, public_origin
from .entrances import NOBODY
from .logs import logger
from .web.error_objects import error_response
from .web.errors import ErrorDescription, noted
from .web.upload import Upload, answer_early

_POLICY_VIOLATION: Final = 1008
_JSON: Final = "application/json"
_SENT_WITHOUT_ASKING: Final = frozenset(("", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data"))
"""What a page may send to any host without its consent (Fetch, "CORS-safelisted request-header")."""
_WITH_BODY: Final = frozenset(("POST", "PUT", "PATCH"))
_KNOWN: Final = 64
"""Values of a header that are kept as they were read: nearly all requests have the same few."""


class _Host(msgspec.Struct, frozen=True, eq=False):
    """The host that a request is meant for, and what is known of it."""

    authority: Authority
    is_loopback: bool
    is_listed: bool


class Guard:
    """Refuses with 421 what is meant for another host, with 403 what foreign pages send, with 415 what is no JSON.

    An app around the host has a door of its own, where hosts and origins are its affair. WebSockets and bodies that a
    page can send without asking are looked at there as well, since browsers ask nobody about those.

    Args:
        step: What is behind.
        door: What is demanded.
    """

    def __init__(self, step: Step, *, door: Door) -> None:
        self._step = step
        own = None if door.public_url is None else public_origin(door.public_url)
        public = None if own is None else parse_origin(own)
        hosts = Hosts((*door.allowed_hosts, *(() if public is None else (public.authority.name,))))
        self._host_of = lru_cache(maxsize=_KNOWN)(partial(_host_of, hosts))
        self._checks_every_host = bool(door.allowed_hosts)
        self._every_origin = "*" in door.allow_origins
        self._null_origin = "null" in door.allow_origins
        known = (*door.allow_origins, *(() if own is None else (own,)))
        self._origins = {origin for origin in map(parse_origin, known) if origin is not None}

    def enter(self, arrival: Arrival, receive: Receive, send: Send) -> Awaitable[None]:
        """Handle one request; a `Step`."""
        refusal = self._refusal(arrival)
        return self._step(arrival, receive, send) if refusal is None else self._refuse(refusal, arrival, receive, send)

    async def _refuse(self, refusal: ErrorDescription, arrival: Arrival, receive: Receive, send: Send) -> None:
        scope, entrance = arrival.scope, arrival.entrance
        if entrance is not None and entrance.authenticated_by == NOBODY:
            # Whoever probes knows an address and no name, and learns one word.
            await self._step(arrival, receive, send)
            return
        noted(refusal)
        if scope["type"] == "websocket":
            logger.warning("A WebSocket was refused: %s", refusal.message)
            await WebSocketClose(_POLICY_VIOLATION)(scope, receive, send)
            return
        render = entrance.render_error if entrance is not None else None
        await answer_early((render or error_response)(refusal), scope, send, upload=Upload(receive))

    def _refusal(self, arrival: Arrival) -> ErrorDescription | None:
        scope, headers = arrival.scope, arrival.headers
        mounted = is_mounted(scope)
        on_loopback = not mounted and came_over_loopback(scope)
        named = headers.once.get(b"host")
        host = None if named is None else self._host_of(named)
        if not mounted and not self._takes_host(scope, host, on_loopback=on_loopback):
            return _WRONG_HOST
        sent = headers.by_name
        kind = _kind(headers) if scope["type"] == "http" and _announces_body(scope, headers) else None
        # A request without either is taken as it is.
        if b"origin" in sent or b"sec-fetch-site" in sent:
            asks = on_loopback or scope["type"] == "websocket" or kind in _SENT_WITHOUT_ASKING
            origin = _one(headers, b"origin") if b"origin" in sent else None
            if asks and not self._takes_origin(origin, _one(headers, b"sec-fetch-site"), host):
                return _FOREIGN_PAGE
        if kind is None or arrival.place is None:
            return None
        types = arrival.place.entrance.body_types
        return None if types is None else _refused_body(types, kind, headers)

    def _takes_host(self, scope: Scope, host: _Host | None, *, on_loopback: bool) -> bool:
        if on_loopback:
            return host is not None and (host.is_loopback or host.is_listed)
        if self._checks_every_host and came_over_network(scope):
            return host is not None and host.is_listed
        return True

    def _takes_origin(self, origin: str | None, site: str, host: _Host | None) -> bool:
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


def _is_own(origin: Origin, host: _Host | None, *, site: str) -> bool:
    return host is not None and site != "cross-site" and origin.is_of(host.authority)


def _refused_body(types: Sequence[str], kind: str, headers: Headers) -> ErrorDescription | None:
    if b"content-encoding" in headers.by_name and _one(headers, b"content-encoding").lower() not in ("", "identity"):
        return _unsupported("The body is packed. Send it without Content-Encoding.", header="Content-Encoding")
    is_json = kind == _JSON or (kind.startswith("application/") and kind.endswith("+json"))
    # A page's body always has a type, or comes with the page's origin.
    is_untyped = not kind and b"origin" not in headers.by_name
    if is_untyped or kind in types or (is_json and _JSON in types):
        return None
    with_curl = " (with curl: `--json` in place of `-d`)" if types[0] == _JSON else ""
    return _unsupported(
        f"The body is not of a type that is taken here. Send it with `content-type: {types[0]}`{with_curl}.",
        header="Content-Type",
    )


def _unsupported(message: str, *, header: str) -> ErrorDescription:
    return ErrorDescription(415, "unsupported_media_type", message, header, may_retry=True)


def _announces_body(scope: Scope, headers: Headers) -> bool:
    if b"transfer-encoding" in headers.by_name:
        return True
    if b"content-length" in headers.by_name:
        said = headers.once.get(b"content-length")
        return said is None or said.strip() != b"0"
    # In HTTP/2 nothing announces a body of unknown length.
    return scope.get("http_version", "1.1") not in ("1.0", "1.1") and scope["method"] in _WITH_BODY


def _one(headers: Headers, name: bytes) -> str:
    """Return a header's value, no text when there is none; several are one that fits nowhere."""
    return ", ".join([value.decode("latin-1").strip() for value in headers.all(name)])


def _kind(headers: Headers) -> str:
    """Return the media type of the body; no text when none is said."""
    said = headers.once.get(b"content-type")
    return _media_type(b", ".join(headers.all(b"content-type")) if said is None else said)


@lru_cache(maxsize=_KNOWN)
def _media_type(said: bytes) -> str:
    return said.decode("latin-1").partition(";")[0].strip().lower()


def _host_of(hosts: Hosts, said: bytes) -> _Host | None:
    authority = parse_authority(said.decode("latin-1").strip())
    return None if authority is None else _Host(authority, authority.is_loopback, authority in hosts)


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
