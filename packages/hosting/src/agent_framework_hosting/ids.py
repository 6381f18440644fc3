"""Ids that nobody can guess."""

from __future__ import annotations

import os


def mint(prefix: str = "") -> str:
    """Return `prefix` followed by 128 random bits in hexadecimal.

    Example:
        >>> len(mint("resp_"))
        37
    """
    return prefix + os.urandom(16).hex()
