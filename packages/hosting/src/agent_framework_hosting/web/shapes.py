"""JSON schemas of TypedDicts and of unions of them, which msgspec does not describe."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from inspect import cleandoc
from types import NoneType, UnionType
from typing import Any, Final, Literal, NotRequired, Union, get_args, get_origin, get_type_hints, is_typeddict

_SCHEMAS: Final = "#/components/schemas/"
_PLAIN: Final[Mapping[Any, Mapping[str, Any]]] = {
    Any: {},
    object: {},
    str: {"type": "string"},
    bool: {"type": "boolean"},
    int: {"type": "integer"},
    float: {"type": "number"},
    NoneType: {"type": "null"},
}


def shapes(kinds: Iterable[Any]) -> dict[str, Any]:
    """Return the schemas of TypedDicts and of all that they refer to, for a document's components.

    Args:
        kinds: TypedDicts, or unions of them.

    Members may be left out when they are `NotRequired`.

    Raises:
        TypeError: A member's type has no schema here.

    Example:
        >>> from typing import TypedDict
        >>> Point = TypedDict("Point", {"x": int, "y": int | None})
        >>> shapes([Point])["Point"]["properties"]["y"]
        {'anyOf': [{'type': 'integer'}, {'type': 'null'}]}
    """
    named: dict[str, Any] = {}
    for kind in kinds:
        shape(kind, named)
    return named


def shape(kind: Any, named: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a type, and add to `named` those that it refers to; see `shapes`."""
    if is_typeddict(kind):
        _name(kind, named)
        return {"$ref": f"{_SCHEMAS}{kind.__name__}"}
    origin = get_origin(kind)
    if origin is not None:
        return _composed(origin, get_args(kind), named)
    if kind not in _PLAIN:
        raise TypeError(f"{kind!r} has no schema here.")
    return dict(_PLAIN[kind])


def _composed(origin: Any, arguments: tuple[Any, ...], named: dict[str, Any]) -> dict[str, Any]:
    if origin is Literal:
        return {"const": arguments[0]} if len(arguments) == 1 else {"enum": [*arguments]}
    held = [shape(each, named) for each in arguments]
    if origin in (Union, UnionType):
        return {"anyOf": held}
    if origin in (list, Sequence):
        return {"type": "array", "items": held[0]}
    if origin in (dict, Mapping):
        return {"type": "object", "additionalProperties": held[1]}
    if origin is NotRequired:
        return held[0]
    raise TypeError(f"{origin!r} has no schema here.")


def _name(kind: Any, named: dict[str, Any]) -> None:
    if kind.__name__ in named:
        return
    described: dict[str, Any] = {"type": "object"}
    # Known by its name before its members are looked at: they may refer to it.
    named[kind.__name__] = described
    if kind.__doc__:
        described["description"] = cleandoc(kind.__doc__)
    members = get_type_hints(kind, include_extras=True)
    described["properties"] = {name: shape(member, named) for name, member in members.items()}
    # Python itself knows it only of annotations that are no text.
    if required := sorted(name for name, member in members.items() if get_origin(member) is not NotRequired):
        described["required"] = required
