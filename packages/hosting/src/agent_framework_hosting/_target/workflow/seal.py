"""Sealed records: JSON under an HMAC, which says that this host wrote it, for this session and this purpose.

A record is looked into only after its seal was found good, since a checkpoint can carry code.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterable
from typing import Any, Final

_VERSION: Final = b"agent-framework-hosting sealed record 1\n"
_DIGITS: Final = hashlib.sha256().digest_size * 2


class BrokenSeal(Exception):
    """The bytes are no record that was sealed for this session and purpose with this key."""


class Seal:
    """Seals and opens the records of one session.

    Args:
        key: The secret; at least 32 bytes.
        session: What the records belong to.
    """

    def __init__(self, key: bytes, *, session: tuple[str, ...]) -> None:
        self._key = key
        self._session = session

    def close(self, record: Any, *, purpose: str) -> bytes:
        """Return the record as sealed bytes."""
        # The standard library's JSON carries whatever text and numbers a client can send, half a surrogate pair too.
        body = json.dumps(record, separators=(",", ":")).encode()
        return b"".join((_VERSION, self._digest(body, purpose), b"\n", body))

    def open(self, data: bytes, *, purpose: str) -> Any:
        """Return the record.

        Raises:
            BrokenSeal: It is not one of ours.
        """
        start = len(_VERSION) + _DIGITS + 1
        digest, body = data[len(_VERSION) : start - 1], data[start:]
        if not data.startswith(_VERSION) or not hmac.compare_digest(digest, self._digest(body, purpose)):
            raise BrokenSeal
        return json.loads(body)

    def _digest(self, body: bytes, purpose: str) -> bytes:
        sealed = b"".join((_VERSION, _unmistakable((*self._session, purpose)), body))
        return hmac.new(self._key, sealed, hashlib.sha256).hexdigest().encode()


def folder_name(session: tuple[str, ...]) -> str:
    """Return the name of a session's folder: whatever its key says, it leads nowhere else, and no two are the same."""
    return hashlib.sha256(_unmistakable(session)).hexdigest()


def _unmistakable(parts: Iterable[str]) -> bytes:
    """Return bytes that no other parts give."""
    encoded = [part.encode("utf-8", "surrogatepass") for part in parts]
    return b"".join((len(encoded).to_bytes(8), *(len(part).to_bytes(8) + part for part in encoded)))
