"""Ids that nobody can guess."""

from __future__ import annotations

import os
from typing import Final

_BYTES: Final = 16
_DRAWN: Final = 64
"""Ids that are drawn at once: a request needs several, and most of what one costs is the call into the system."""

_ready: Final[list[str]] = []
"""Those that were drawn and nobody has yet; to take one off the end is one step, in whichever thread."""

if hasattr(os, "register_at_fork"):
    # A process that forks would give its child the same ones.
    os.register_at_fork(after_in_child=_ready.clear)


def mint(prefix: str = "") -> str:
    """Return `prefix` followed by 128 random bits in hexadecimal.

    Example:
        >>> len(mint("resp_"))
        37
    """
    while True:
        try:
            return prefix + _ready.pop()
        except IndexError:
            drawn = os.urandom(_DRAWN * _BYTES).hex()
            _ready.extend([drawn[at : at + 2 * _BYTES] for at in range(0, len(drawn), 2 * _BYTES)])
