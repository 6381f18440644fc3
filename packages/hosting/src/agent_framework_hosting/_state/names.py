"""What a session is called: the rule by which a key and its resets become a session id."""

from __future__ import annotations

from ..types import DEFAULT_TENANT


def session_id_of(tenant: str, key: str, suffix: str | None) -> str:
    """Return the session id of a key: the key itself in the default tenant, until a reset gives it a suffix.

    Other tenants' ids are prefixed so that no two pairs of tenant and key give one id.
    """
    plain = key
    if tenant != DEFAULT_TENANT or key.startswith("tenant:"):
        plain = f"tenant:{len(tenant)}:{tenant}:{key}"
    return plain if suffix is None else f"{plain}#{suffix}"
