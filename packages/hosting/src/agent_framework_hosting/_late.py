"""Names of a module that are looked up, and their modules loaded, when somebody asks for them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from importlib import import_module
from typing import Any


def late(names: dict[str, Any], homes: Mapping[str, str]) -> Callable[[str], Any]:
    """Return the `__getattr__` of a module.

    Args:
        names: The module's own, where what was found stays.
        homes: Where each late name is at home, from the module's package.

    Example:
        >>> find = late({"__name__": "shapes", "__package__": ""}, {"sqrt": "math"})
        >>> find("circle")
        Traceback (most recent call last):
        ...
        AttributeError: module 'shapes' has no attribute 'circle'
    """

    def find(name: str) -> Any:
        home = homes.get(name)
        if home is None:
            raise AttributeError(f"module {names['__name__']!r} has no attribute {name!r}")
        found = names[name] = getattr(import_module(f".{home}", names["__package__"]), name)
        return found

    return find


def listed(names: Mapping[str, Any], homes: Iterable[str]) -> Callable[[], list[str]]:
    """Return the `__dir__` of such a module, which lists the late names as well.

    Example:
        >>> listed({"pi": 3}, ["sqrt"])()
        ['pi', 'sqrt']
    """
    return lambda: sorted({*names, *homes})
