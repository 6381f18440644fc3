"""Quantities as people write them into environment variables: `10MiB`, `30s`, `2000`, `off`; read strictly."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Literal, TypeAlias

from .errors import ConfigurationError

Kind: TypeAlias = Literal["bytes", "seconds", "count"]
"""What a number counts."""

_UNITS: Final[Mapping[Kind, Mapping[str, float]]] = MappingProxyType(
    {
        "bytes": {"": 1, "B": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30},
        "seconds": {"": 1.0, "ms": 0.001, "s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0},
        "count": {"": 1},
    }
)
_EXAMPLES: Final[Mapping[Kind, str]] = MappingProxyType(
    {
        "bytes": "Write a number of bytes, or one with a unit out of B, KiB, MiB, GiB: 10MiB",
        "seconds": "Write a number of seconds, or one with a unit out of ms, s, min, h, d: 30s",
        "count": "Write a whole number: 2000",
    }
)
_WRITTEN: Final = re.compile(r"(?P<number>[0-9]{1,18}(?:\.[0-9]{1,9})?) ?(?P<unit>[A-Za-z]*)")
_OFF: Final = "off"


def read_quantity(variable: str, written: str, *, kind: Kind, may_be_off: bool = False) -> float | None:
    """Return the quantity that a variable holds; a whole one as `int`, `None` for `off`.

    Args:
        variable: Its name, for whoever has to mend it.
        written: What it holds.
        kind: What is counted.
        may_be_off: Whether there may be none.

    Raises:
        ConfigurationError: It is no quantity of this kind, or not greater than 0.

    Example:
        >>> read_quantity("AF_HOSTING_MAX_REQUEST_BYTES", "10MiB", kind="bytes")
        10485760
        >>> read_quantity("AF_HOSTING_LEASE", "1.5min", kind="seconds")
        90.0
    """
    if may_be_off and written == _OFF:
        return None
    mend = f"{_EXAMPLES[kind]}{f'; or {_OFF}, for none' if may_be_off else ''}."
    found = _WRITTEN.fullmatch(written)
    factor = None if found is None else _UNITS[kind].get(found["unit"])
    if found is None or factor is None:
        raise ConfigurationError(f"{variable}={written!r} cannot be read. {mend}")
    quantity = float(found["number"]) * factor
    if kind != "seconds":
        if not quantity.is_integer():
            raise ConfigurationError(f"{variable}={written!r} is no whole number. {mend}")
        # By its digits: a float would lose those of a large one.
        quantity = int(found["number"]) * int(factor) if "." not in found["number"] else int(quantity)
    if quantity <= 0:
        raise ConfigurationError(f"{variable}={written!r} must be greater than 0. {mend}")
    return quantity
