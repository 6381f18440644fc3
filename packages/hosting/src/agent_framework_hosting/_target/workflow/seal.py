"""Sealed records: JSON under an HMAC, which says that this host wrote it, for this session and this purpose.

A record is looked into only after its seal was found good, since a checkpoint can carry code.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Any, Final

import msgspec

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
        body = msgspec.json.encode(record)
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
        return msgspec.json.decode(body)

    def _digest(self, body: bytes, purpose: str) -> bytes:
        about = msgspec.json.encode([*self._session, purpose])
        sealed = b"".join((_VERSION, len(about).to_bytes(8), about, body))
        return hmac.new(self._key, sealed, hashlib.sha256).hexdigest().encode()


def folder_name(session: tuple[str, ...]) -> str:
    """Return the name of a session's folder: whatever its key says, it leads nowhere else, and no two are the same."""
    return hashlib.sha256(msgspec.json.encode(session)).hexdigest()
