"""The headers of a request, taken apart once for all who look at them on its way in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, MutableMapping, Sequence
from typing import Any, Final

_READ: Final = "agent_framework_hosting.headers"
LONGEST_HEADER: Final = 8 * 1024
"""Bytes of an `Authorization` header that are looked at."""


class Headers:
    """The headers of one request by their names.

    Args:
        raw: As the server gives them, the names in small letters.

    Example:
        >>> headers = Headers([(b"host", b"localhost"), (b"accept", b"text/html"), (b"accept", b"text/plain")])
        >>> headers.once.get(b"host"), headers.once.get(b"accept"), headers.all(b"accept")
        (b'localhost', None, [b'text/html', b'text/plain'])
    """

    __slots__ = ("by_name", "count", "once", "raw")

    def __init__(self, raw: Sequence[tuple[bytes, bytes]]) -> None:
        self.by_name: Mapping[bytes, bytes] = dict(raw)
        """One value of each; the last of those that were sent several times."""
        self.raw: Sequence[tuple[bytes, bytes]] = raw
        self.count: int = len(raw)
        self.once: Mapping[bytes, bytes] = self.by_name if len(self.by_name) == self.count else _sent_once(raw)
        """Those that were sent once."""

    def all(self, name: bytes) -> list[bytes]:
        """Return all values of a header, in their order."""
        return [value for header, value in self.raw if header == name]


def _sent_once(raw: Sequence[tuple[bytes, bytes]]) -> Mapping[bytes, bytes]:
    counts = Counter(name for name, _ in raw)
    return {name: value for name, value in raw if counts[name] == 1}


def headers_of(scope: MutableMapping[str, Any]) -> Headers:
    """Return the headers of a request; they stay in the scope for the next one who asks."""
    raw: Sequence[tuple[bytes, bytes]] = scope["headers"]
    known: Headers | None = scope.get(_READ)
    # Others may have put other headers there.
    if known is not None and known.raw is raw and known.count == len(raw):
        return known
    return read_headers(scope)


def read_headers(scope: MutableMapping[str, Any]) -> Headers:
    """Read the headers of a request anew: whoever has had the scope may have changed them in place."""
    found = scope[_READ] = Headers(scope["headers"])
    return found


def forget_headers(scope: MutableMapping[str, Any]) -> None:
    """Let them be read anew: somebody has had the scope who may have changed them in place."""
    scope.pop(_READ, None)


def bearer_in(headers: Headers) -> str | None:
    """Return the token of `Authorization: Bearer TOKEN` (RFC 6750), `None` when there is not exactly one sound one.

    Example:
        >>> bearer_in(Headers([(b"authorization", b"Bearer abc")]))
        'abc'
    """
    value = headers.once.get(b"authorization")
    if value is None or len(value) > LONGEST_HEADER:
        return None
    if value[:7].lower() != b"bearer " or not value.isascii():
        return None
    text = value[7:].strip(b" ").decode("ascii")
    return text if text and text.isprintable() and " " not in text else None
