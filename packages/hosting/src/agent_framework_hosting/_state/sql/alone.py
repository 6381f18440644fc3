"""One at a time: rows get their numbers when they are written, and are seen when their transaction ends."""

from __future__ import annotations

import hashlib
from typing import Final

import msgspec

from .script import Script, do

_ALONE: Final = "SELECT {alone}"


def alone(kind: str, tenant: str, name: str) -> Script[None]:
    """Go on when nobody else who names the same is under way, and let others wait until this transaction ends.

    Those who add rows of which the newest number is remembered do so one by one: else a lower number could become
    visible behind a higher one, and would be passed over.
    """
    yield from do(_ALONE, name=_lock_of(kind, tenant, name))


def _lock_of(kind: str, tenant: str, name: str) -> int:
    """Return what they lock: a number, which others may share."""
    digest = hashlib.sha256(msgspec.json.encode([kind, tenant, name])).digest()
    return int.from_bytes(digest[:8], signed=True)
