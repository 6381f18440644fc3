"""Who a request is meant for, and which page sent it: `Host` and `Origin`, taken apart exactly."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

import msgspec

from ._addresses import is_loopback

_AUTHORITY: Final = re.compile(
    r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_](?:[A-Za-z0-9._-]*[A-Za-z0-9_])?)\.?(?::([0-9]{1,5}))?"
)
_ORIGIN: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://([^/?#@]+)")
_DEFAULT_PORTS: Final = {"http": 80, "ws": 80, "https": 443, "wss": 443}
_LAST_PORT: Final = 65535


class Authority(msgspec.Struct, frozen=True):
    """A name or an address, in small letters, and the port when one is said."""

    name: str
    port: int | None = None

    @property
    def is_loopback(self) -> bool:
        """Whether it means this machine, and nothing that somebody else could have put into a name server."""
        return self.name == "localhost" or is_loopback(self.name.strip("[]"))


class Origin(msgspec.Struct, frozen=True):
    """Where a page comes from; the port is always there when the scheme has one."""

    scheme: str
    authority: Authority

    def is_of(self, host: Authority) -> bool:
        """Whether the page was served by this host; what the scheme was in between is not known behind a proxy."""
        port = host.port if host.port is not None else _DEFAULT_PORTS.get(self.scheme)
        return self.authority == Authority(host.name, port)

    def __str__(self) -> str:
        """Return it as browsers say it: the port is left out where the scheme implies it."""
        name, port = self.authority.name, self.authority.port
        return f"{self.scheme}://{name}{'' if port in (None, _DEFAULT_PORTS.get(self.scheme)) else f':{port}'}"


@lru_cache(maxsize=256)
def parse_authority(text: str) -> Authority | None:
    """Return what a `Host` header says; `None` when it is not exactly a host with or without a port.

    Example:
        >>> parse_authority("LOCALHOST:8000")
        Authority(name='localhost', port=8000)
        >>> parse_authority("127.0.0.1:evil.com") is None
        True
    """
    match = _AUTHORITY.fullmatch(text)
    if match is None:
        return None
    name, port = match[1].lower(), match[2]
    if port is not None and not 0 < int(port) <= _LAST_PORT:
        return None
    return Authority(name, None if port is None else int(port))


def parse_origin(text: str) -> Origin | None:
    """Return what an `Origin` header says; `None` for `null` and for what is none.

    Example:
        >>> parse_origin("https://chat.example.com").authority
        Authority(name='chat.example.com', port=443)
    """
    match = _ORIGIN.fullmatch(text)
    authority = parse_authority(match[2]) if match is not None else None
    if match is None or authority is None:
        return None
    scheme = match[1].lower()
    port = authority.port if authority.port is not None else _DEFAULT_PORTS.get(scheme)
    return Origin(scheme, Authority(authority.name, port))


class Hosts:
    """A list of hosts: `name` with any port, `name:port` with that one, `*.name` for all below a name, `*` for all."""

    def __init__(self, patterns: tuple[str, ...]) -> None:
        self._every = "*" in patterns
        self._exact: set[Authority] = set()
        self._below: set[Authority] = set()
        for pattern in patterns:
            parsed = parse_authority(pattern.removeprefix("*."))
            if parsed is not None:
                (self._below if pattern.startswith("*.") else self._exact).add(parsed)

    def __contains__(self, host: Authority) -> bool:
        if self._every or not self._exact.isdisjoint((host, Authority(host.name))):
            return True
        return any(host.name.endswith(f".{below.name}") and below.port in (None, host.port) for below in self._below)


def is_host_pattern(pattern: str) -> bool:
    """Whether this is something that `Hosts` understands."""
    return pattern == "*" or parse_authority(pattern.removeprefix("*.")) is not None
