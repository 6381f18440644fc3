"""What the host demands at its door, before anybody is asked who is calling."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, cast

from starlette.middleware import Middleware

from ._addresses import Networks
from ._alike import alike
from ._authority import is_host_pattern, parse_origin
from .errors import ConfigurationError

ALLOW_UNAUTHENTICATED_VARIABLE: Final = "AF_HOSTING_ALLOW_UNAUTHENTICATED"
"""Says `1` where nobody is asked who is calling, and others than this machine may reach the host all the same."""

PROXY_SECRET_HEADER: Final = "x-agent-proxy-secret"  # noqa: S105 - the header's name
"""The header in which a proxy shows `Door.proxy_secret`."""

_SCOPE: Final = re.compile(r"[!#-\[\]-~]+")
_SHORTEST_SECRET: Final = 32
_LISTS: Final = ("allowed_hosts", "allow_origins", "trusted_proxies")


@alike
@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """Who may knock: hosts, pages, proxies, scopes; for the argument `door=` of the host.

    Args:
        allowed_hosts: Names that the `Host` header may have besides those of this machine, at an address of this
            machine; with a list, at every other address, too. `name` goes with any port, `name:port` with that one,
            `*.name` stands for all below a name, `*` switches the check off.
        public_url: The address under which people reach the host through a proxy, a tunnel or a forwarded port, such
            as `https://agent.example.com`: its host is allowed, and so are its own pages.
        allow_origins: Pages of other origins that may call the host from a browser, such as
            `https://chat.example.com`; `*` for all. They get the CORS headers, on errors as well.
        trusted_proxies: Who may say for whom a request is: addresses, networks, `unix` for whoever comes over a
            socket file. Their isolation headers and their `X-Forwarded-For` and `X-Forwarded-Proto` are believed; these
            headers are taken out of everybody else's requests.
        proxy_secret: What a proxy shows in the header `x-agent-proxy-secret`, at least 32 characters. With
            `trusted_proxies` as well, both are needed.
        scopes: What a caller must have been granted: for all channels, or for each by its name. Who is known and lacks
            one gets 403.
        middleware: Starlette middleware of yours, around authentication and the channels.
        allow_unauthenticated: Let callers in from other machines although nothing says who they are. Left out, the
            environment variable `AF_HOSTING_ALLOW_UNAUTHENTICATED` says it, with `1`.

    Raises:
        ConfigurationError: A value makes no sense; the message says which.

    Example:
        >>> Door(public_url="https://agent.example.com", allow_origins=["https://chat.example.com"]).public_url
        'https://agent.example.com'
    """

    allowed_hosts: Sequence[str] = ()
    public_url: str | None = None
    allow_origins: Sequence[str] = ()
    trusted_proxies: Sequence[str] = ()
    proxy_secret: str | None = field(default=None, repr=False)
    scopes: Collection[str] | Mapping[str, Collection[str]] = ()
    middleware: Sequence[Middleware] = ()
    allow_unauthenticated: bool | None = None

    def __post_init__(self) -> None:
        for name in _LISTS:
            if isinstance(getattr(self, name), str):
                raise ConfigurationError(f"Door.{name} is a text. Give a list: {name}=[...].")
        for pattern in self.allowed_hosts:
            is_one = is_host_pattern(pattern)
            _require(is_one, f"allowed_hosts names {pattern!r}", "a name, such as 'agent.example.com'")
        for origin in self.allow_origins:
            is_one = origin in ("*", "null") or parse_origin(origin) is not None
            _require(is_one, f"allow_origins names {origin!r}", "an origin, such as 'https://chat.example.com'")
        if self.public_url is not None:
            is_one = self.public_url.startswith(("http://", "https://")) and public_origin(self.public_url) is not None
            _require(is_one, f"public_url is {self.public_url!r}", "an address, such as 'https://agent.example.com'")
        if self.proxy_secret is not None:
            is_long = len(self.proxy_secret) >= _SHORTEST_SECRET and self.proxy_secret.isascii()
            _require(is_long, "proxy_secret is too short or not ASCII", f"at least {_SHORTEST_SECRET} characters")
        Networks(self.trusted_proxies)
        _check_scopes(self.scopes)

    @property
    def names_proxies(self) -> bool:
        """Whether there is a proxy that may say for whom a request is."""
        return bool(self.trusted_proxies) or self.proxy_secret is not None

    def lets_strangers_in(self, environment: Mapping[str, str] = os.environ) -> bool:
        """Whether callers from other machines are let in although nothing says who they are.

        Raises:
            ConfigurationError: The environment variable says neither yes nor no.
        """
        if self.allow_unauthenticated is not None:
            return self.allow_unauthenticated
        said = environment.get(ALLOW_UNAUTHENTICATED_VARIABLE, "").strip().lower()
        if said not in ("", "0", "1", "false", "true"):
            raise ConfigurationError(f"{ALLOW_UNAUTHENTICATED_VARIABLE} is {said!r}. Set it to 1 or 0.")
        return said in ("1", "true")

    def scopes_of(self, channel: str | None) -> frozenset[str]:
        """Return what a caller of a channel must have been granted; `None` stands for the host's own paths."""
        scopes: Any = self.scopes
        if isinstance(scopes, Mapping):
            scopes = () if channel is None else cast("Mapping[str, Collection[str]]", scopes).get(channel, ())
        return frozenset(cast("Collection[str]", scopes))


def checked_door(door: Door | None, *, channels: Collection[str]) -> Door:
    """Return the door of a host with these channels.

    Raises:
        ConfigurationError: It is none, or demands scopes at a channel that is not there.
    """
    given: Any = Door() if door is None else door
    if not isinstance(given, Door):
        raise ConfigurationError(f"door= is an object of type {type(given).__name__}. Give a Door(...).")
    scopes: Any = given.scopes
    for channel in cast("Mapping[str, object]", scopes) if isinstance(scopes, Mapping) else ():
        if channel not in channels:
            raise ConfigurationError(
                f"Door.scopes names the channel {channel!r}, which this host does not have; its channels are "
                f"{', '.join(sorted(channels)) or 'none'}."
            )
    return given


def public_origin(url: str) -> str | None:
    """Return the origin of an address without its path; `None` when it has none."""
    scheme, separator, rest = url.partition("://")
    origin = f"{scheme}{separator}{rest.split('/', 1)[0]}"
    return origin if parse_origin(origin) is not None else None


def _check_scopes(scopes: Any) -> None:
    lists = list(cast("Mapping[str, Any]", scopes).values()) if isinstance(scopes, Mapping) else [scopes]
    for each in lists:
        if isinstance(each, str):
            raise ConfigurationError(f"Door.scopes has the text {each!r} where a list is wanted: [{each!r}].")
        for scope in each:
            # RFC 6749, 3.3; a quotation mark or a space would change what the refusal's header says.
            is_one = isinstance(scope, str) and _SCOPE.fullmatch(scope) is not None
            _require(is_one, f"scopes names {scope!r}", "printable ASCII without space, quotation mark and backslash")


def _require(is_right: bool, what: str, wanted: str) -> None:  # noqa: FBT001 - it reads as the condition that it is
    if not is_right:
        raise ConfigurationError(f"Door.{what}. Give {wanted}.")
