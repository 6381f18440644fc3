"""Frozen dataclasses that share what they do alike.

`dataclass` writes six methods for each class: ten KiB of code that is the same for all of them but for the names of the
fields. A host has some thirty such classes, for as long as it runs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import Field, FrozenInstanceError, fields
from functools import cache
from operator import attrgetter
from reprlib import recursive_repr
from typing import Any, Final, TypeVar

ClassT = TypeVar("ClassT", bound=type[Any])


def alike(kind: ClassT) -> ClassT:
    """Have a frozen dataclass with slots use the methods that all of them share, instead of its own.

    What the class says itself stays, and all of them do what `dataclass` has them do.
    """
    for name, shared in _SHARED.items():
        own = kind.__dict__.get(name)
        if own is not None and own.__code__.co_filename in _GENERATED:
            setattr(kind, name, shared)
    return kind


def _set(self: object, name: str, value: object) -> None:
    owner = _owner(type(self), "__setattr__", _set)
    if _is_frozen(self, owner, name):
        raise FrozenInstanceError(f"cannot assign to field {name!r}")
    super(owner, self).__setattr__(name, value)


def _delete(self: object, name: str) -> None:
    owner = _owner(type(self), "__delattr__", _delete)
    if _is_frozen(self, owner, name):
        raise FrozenInstanceError(f"cannot delete field {name!r}")
    super(owner, self).__delattr__(name)


def _owner(kind: type[Any], name: str, method: object) -> type[Any]:
    """Return the class whose method this is, for one that may be a subclass: with fields that are not the method's."""
    return next(each for each in kind.__mro__ if each.__dict__.get(name) is method)


def _is_frozen(value: object, owner: type[Any], name: str) -> bool:
    # A subclass that is no dataclass may have attributes of its own.
    return type(value) is owner or name in owner.__dataclass_fields__


@recursive_repr()
def _repr(self: object) -> str:
    shown = fields(_owner(type(self), "__repr__", _repr))
    said = ", ".join(f"{each.name}={getattr(self, each.name)!r}" for each in shown if each.repr)
    return f"{type(self).__qualname__}({said})"


def _equal(self: object, other: object) -> Any:
    if other.__class__ is not self.__class__:
        return NotImplemented
    compared = _reader(self.__class__, "__eq__", _equal, _is_compared)
    return compared(self) == compared(other)


def _hash(self: object) -> int:
    return hash(_reader(self.__class__, "__hash__", _hash, _is_hashed)(self))


@cache
def _reader(
    kind: type[Any], name: str, method: object, is_read: Callable[[Field[Any]], bool]
) -> Callable[[object], Any]:
    return attrgetter(*(each.name for each in fields(_owner(kind, name, method)) if is_read(each)))


def _is_compared(each: Field[Any]) -> bool:
    return each.compare


def _is_hashed(each: Field[Any]) -> bool:
    return each.compare if each.hash is None else each.hash


_SHARED: Final = {
    "__setattr__": _set,
    "__delattr__": _delete,
    "__repr__": _repr,
    "__eq__": _equal,
    "__hash__": _hash,
}
# What `dataclass` writes has no file; what it has wrapped around that is its own, or of `reprlib`, as it is here.
_GENERATED: Final = frozenset({"<string>", fields.__code__.co_filename, _repr.__code__.co_filename})
