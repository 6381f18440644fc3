"""The port to aliases: which session id a key stands for after resets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from ..types import DEFAULT_TENANT
from .turns import SessionName

_PREFIX: Final = "tenant:"
_LONGEST: Final = 9
"""Digits of a length that is looked at; beyond it, whatever reads like one is taken for one."""


if TYPE_CHECKING:

    class Aliases(Protocol):
        """Remembers resets, to a bound; beyond it the oldest is forgotten."""

        def session_id(self, tenant: str, key: str) -> str:
            """Return the session id that a key stands for now. Every turn asks; it costs no I/O."""
            ...

        def rotate(self, tenant: str, key: str) -> list[SessionName]:
            """Let the key stand for a session id that has never been used; it does so when this returns.

            Returns:
                The sessions that keys stand for again because their reset was forgotten; they must not come back.

            Raises:
                Unavailable: It could not be kept, and the key stands for what it stood for.
                ConfigurationError: Another process keeps these aliases now.
            """
            ...


def session_id_of(tenant: str, key: str, *, suffix: str | None) -> str:
    """Return the session id of a key with the suffix of its last reset; without one it is the key's first session."""
    # The key itself for the default tenant; otherwise prefixed so that no two (tenant, key) pairs give one id.
    is_plain = tenant == DEFAULT_TENANT and not (key.startswith(_PREFIX) and _reads_as_prefixed(key))
    session_id = key if is_plain else f"{_PREFIX}{len(tenant)}:{tenant}:{key}"
    return session_id if suffix is None else f"{session_id}#{suffix}"


def _reads_as_prefixed(key: str) -> bool:
    """Whether a key could be the session id of another tenant."""
    length, _, rest = key.removeprefix(_PREFIX).partition(":")
    # As a number it would have to be read, which takes long for one of many digits.
    return length.isdecimal() and (len(length) > _LONGEST or rest[int(length) :].startswith(":"))


def first_session(tenant: str, key: str) -> SessionName:
    """Return the session that a key stands for as long as it was never reset."""
    return SessionName(tenant, key, session_id_of(tenant, key, suffix=None), root=key)
