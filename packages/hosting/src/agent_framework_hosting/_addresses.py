"""Where a request came from and which socket it came to, as the server tells it."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final, TypeAlias

from starlette.types import Scope

from .errors import ConfigurationError

VOUCHED: Final = "agent_framework_hosting.named_proxy"
"""Where a scope says that a named proxy has sent it."""

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network

SOCKET_FILES: Final = "unix"
"""Stands for whoever comes over a socket file, in a list of addresses."""


@lru_cache(maxsize=1024)
def address_in(text: object) -> Address | None:
    """Return an IP address, one of IPv4 that is dressed as IPv6 undressed; `None` for everything else."""
    try:
        address = ipaddress.ip_address(text) if isinstance(text, str) else None
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


@lru_cache(maxsize=1024)
def is_loopback(text: object) -> bool:
    """Whether this is an address of the machine itself."""
    address = address_in(text)
    return address is not None and address.is_loopback


def is_local(scope: Scope) -> bool:
    """Whether the caller is on this machine, as far as the server knows, and came to a socket of this machine alone.

    A socket without an IP address is no network: a socket file has permissions of its own, and a client in memory calls
    its server `testserver`. At one that has an address, whoever has none is a caller whom a proxy calls `unknown`.
    """
    client, server = _host(scope.get("client")), _host(scope.get("server"))
    if server is None:
        return client is None or client.is_loopback
    return server.is_loopback and client is not None and client.is_loopback


def came_over_loopback(scope: Scope) -> bool:
    """Whether the request came to a loopback address, where every web page that a local browser shows can send one."""
    pair = scope.get("server") or scope.get("client")
    return bool(pair) and is_loopback(pair[0])


def came_over_network(scope: Scope) -> bool:
    """Whether the request came to an IP address at all, and not over a socket file or in memory."""
    return _host(scope.get("server") or scope.get("client")) is not None


class Networks:
    """A list of addresses and networks, and of socket files when it says `unix`.

    Raises:
        ConfigurationError: An entry is neither.

    Example:
        >>> Networks(["10.0.0.0/8"]).has_peer({"client": ("10.1.2.3", 40000)})
        True
    """

    def __init__(self, entries: Sequence[str]) -> None:
        self._files = SOCKET_FILES in entries
        self._networks = tuple(_network(entry) for entry in entries if entry != SOCKET_FILES)

    def __bool__(self) -> bool:
        return self._files or bool(self._networks)

    def __contains__(self, address: Address) -> bool:
        return any(address in network for network in self._networks)

    def has_peer(self, scope: Scope) -> bool:
        """Whether whoever opened the connection is among them."""
        client: Any = scope.get("client")
        if client is None:
            return self._files and _is_socket_file(scope)
        address = address_in(client[0])
        # No connection has the port 0: a server puts it there with an address that a header named.
        return address is not None and client[1] != 0 and address in self


def _is_socket_file(scope: Scope) -> bool:
    # Servers tell of a socket file by its path, or tell nothing.
    server = scope.get("server")
    return server is None or _host(server) is None


def _host(pair: Any) -> Address | None:
    return address_in(pair[0]) if pair else None


def _network(entry: str) -> Network:
    try:
        return ipaddress.ip_network(entry)
    except ValueError:
        raise ConfigurationError(
            f"trusted_proxies names {entry!r}, which is no address, no network such as '10.0.0.0/8', and not 'unix' "
            "for socket files. Names are not looked up: whoever answers for them could change who is trusted."
        ) from None


def comes_from_named_proxy(scope: Scope) -> bool:
    """Whether a request came from a proxy that the host was told to trust; asked only where the door names any."""
    return scope.get(VOUCHED) is True
