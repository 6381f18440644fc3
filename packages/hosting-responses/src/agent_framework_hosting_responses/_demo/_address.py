"""Addresses: where the demo listens, whether that is possible, and whether a URL leads back to it."""

from __future__ import annotations

import errno
import ipaddress
import os
import socket
from typing import Final
from urllib.parse import urlsplit

HIGHEST_PORT: Final = 65535

_DEFAULT_PORTS: Final = {"http": 80, "https": 443}


class AddressError(ValueError):
    """An address or URL cannot be used; the message says why, and how to mend it."""


def display_url(host: str, port: int) -> str:
    """Return the URL by which a person on this machine reaches a server that listens there."""
    address = _ip(host)
    if address is not None and address.is_unspecified:
        host = "::1" if isinstance(address, ipaddress.IPv6Address) else "127.0.0.1"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def is_loopback(host: str) -> bool:
    """Say whether only this machine can reach a server that listens there."""
    address = _ip(host)
    return address.is_loopback if address is not None else _plain(host) == "localhost"


def host_of(url: str) -> str:
    """Return the host of an HTTP URL.

    Raises:
        AddressError: It is no HTTP URL.
    """
    return _host_and_port(url)[0]


def points_at(url: str, *, host: str, port: int) -> bool:
    """Say whether a URL leads to a server of this machine that listens at `host` and `port`; the path plays no part.

    Names are compared, never resolved: other names of this machine than its own host name are not recognised.
    """
    url_host, url_port = _host_and_port(url)
    if url_port != port:
        return False
    if _plain(url_host) == _plain(host):
        return True
    if not _is_local(host):
        return False
    address = _ip(host)
    listens_everywhere = address is not None and address.is_unspecified
    return _is_local(url_host) or (listens_everywhere and _plain(url_host) == _plain(socket.gethostname()))


def check_free(host: str, port: int) -> None:
    """Refuse an address that nobody can listen at now.

    Raises:
        AddressError: It is taken, forbidden, or not of this machine.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        if os.name == "posix":
            # A port that a server left a moment ago is free; elsewhere than on POSIX the option means something else.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise AddressError(explain(error, host=host, port=port)) from error


def explain(error: OSError, *, host: str, port: int) -> str:
    """Return why a server cannot listen there, and what to do about it."""
    if error.errno == errno.EADDRINUSE:
        other = port + 1 if port < HIGHEST_PORT else port - 1
        return f"port {port} of {host} is taken. Stop what listens there, or choose another: --port {other}"
    if error.errno == errno.EACCES:
        return f"this user may not listen at port {port} of {host}. Choose a port above 1023: --port 8000"
    return f"{host} is no address of this machine that a server can listen at ({error}). Try --host 127.0.0.1"


def _host_and_port(url: str) -> tuple[str, int]:
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise AddressError(f"the base URL {url!r} cannot be read: {error}") from error
    if parts.scheme not in _DEFAULT_PORTS or not host:
        raise AddressError(f"the base URL {url!r} is no HTTP URL; one looks like http://127.0.0.1:1234/v1")
    return host, _DEFAULT_PORTS[parts.scheme] if port is None else port


def _is_local(host: str) -> bool:
    """Say whether a host is a loopback or wildcard address, in whichever spelling."""
    address = _ip(host)
    return is_loopback(host) or (address is not None and address.is_unspecified)


def _ip(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Return the address that a host spells, short forms such as `127.1` and mapped ones included."""
    try:
        address = ipaddress.ip_address(_plain(host))
    except ValueError:
        return _short_ip(host)
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def _short_ip(host: str) -> ipaddress.IPv4Address | None:
    try:
        return ipaddress.IPv4Address(socket.inet_aton(host))
    except (OSError, ValueError):
        return None


def _plain(host: str) -> str:
    return host.strip("[]").rstrip(".").lower()
