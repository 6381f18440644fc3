"""Names that every database can keep. Callers choose some of them, and what cannot be kept is theirs to mend."""

from __future__ import annotations

from typing import Final

from ...errors import InvalidRequest
from ...types import Owner
from ..store import TurnRequest

LONGEST: Final = 2000
"""Bytes of names that stand in one index; PostgreSQL takes some hundreds more, for the tenant and what resets add."""
LONGEST_TENANT: Final = 200
_NUL: Final = "\0"
"""The one character that PostgreSQL has no text with."""


def is_keepable(*names: str) -> bool:
    """Whether all databases can keep these names, and find them, in one row."""
    try:
        return not any(_NUL in name for name in names) and sum(len(name.encode()) for name in names) <= LONGEST
    except UnicodeEncodeError:  # half a character, as JSON and command lines can carry it
        return False


def is_known_possibly(owner: Owner, turn_id: str) -> bool:
    """Whether there can be a turn of that id at all."""
    tenant, _, owner_id = owner
    return _is_tenant(tenant) and is_keepable(owner_id, turn_id)


def require_key(tenant: str, key: str) -> None:
    """See to it that a session's key can be kept.

    Raises:
        InvalidRequest: It cannot.
    """
    if not _is_tenant(tenant) or not is_keepable(key):
        raise _unkeepable()


def require_keepable(request: TurnRequest) -> None:
    """See to it that all that a turn is, and asks for, can be kept.

    Raises:
        InvalidRequest: Something cannot.
    """
    require_key(request.tenant, request.key or "")
    tenant, _, owner_id = request.owner
    root, claim = request.root or request.key or "", request.claim
    is_good = (
        _is_tenant(tenant)
        and is_keepable(owner_id, request.turn_id or "")
        and all(is_keepable(root, answered) for answered in request.answers)
        and (claim is None or is_keepable(owner_id, claim.channel, claim.key))
    )
    if not is_good:
        raise _unkeepable()


def _is_tenant(tenant: str) -> bool:
    return is_keepable(tenant) and len(tenant.encode()) <= LONGEST_TENANT


def _unkeepable() -> InvalidRequest:
    return InvalidRequest(
        "A session, a turn, who is calling, an idempotency key, or a request that is answered, has a name that cannot "
        f"be kept: it is longer than {LONGEST} bytes (a tenant's than {LONGEST_TENANT}), or has the character NUL, or "
        "half of a character, in it. Choose another one."
    )
