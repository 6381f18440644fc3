"""What checks take, as JSON schemas: noted beside each check, so that a document says what is really checked."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias, TypeVar

Schema: TypeAlias = Mapping[str, Any]

_Checked = TypeVar("_Checked", bound=Callable[..., Any])
_NOTE = "takes"


def takes(schema: Schema | Callable[[], Schema]) -> Callable[[_Checked], _Checked]:
    """Note what a check takes, or what says it once it is asked; null, which counts as absent, is not part of it.

    Example:
        >>> @takes({"type": "string"})
        ... def text(value: object, param: str) -> object: ...
        >>> schema_of(text)
        {'type': 'string'}
    """

    def noted(check: _Checked) -> _Checked:
        vars(check)[_NOTE] = schema
        return check

    return noted


def schema_of(check: Callable[..., Any]) -> dict[str, Any]:
    """Return what a check takes.

    Raises:
        KeyError: Nothing is noted of it.
    """
    noted: Schema | Callable[[], Schema] = vars(check)[_NOTE]
    return dict(noted() if callable(noted) else noted)


def or_null(schema: Schema) -> dict[str, Any]:
    """Return a schema that takes null, too.

    Example:
        >>> or_null({"type": "string"})
        {'type': ['string', 'null']}
    """
    kind = schema.get("type")
    if not schema or kind == "null":
        return dict(schema)
    if isinstance(kind, str) and not schema.keys() & {"enum", "const", "oneOf", "anyOf"}:
        return {**schema, "type": [kind, "null"]}
    return {"anyOf": [dict(schema), {"type": "null"}]}


def object_of(known: Mapping[str, Schema], *, required: Sequence[str] = (), is_open: bool = False) -> dict[str, Any]:
    """Return the schema of an object; members that are not required may be null.

    Args:
        known: The members.
        required: Those that have to be there.
        is_open: Whether others may be there as well.
    """
    properties = {name: dict(schema) if name in required else or_null(schema) for name, schema in known.items()}
    described: dict[str, Any] = {"type": "object", "properties": properties}
    if required:
        described["required"] = [*required]
    return described if is_open else {**described, "additionalProperties": False}


def of_kind(kind: str, schema: Schema) -> dict[str, Any]:
    """Return the schema of an object whose member `type` says this kind."""
    properties = {"type": {"const": kind}, **schema.get("properties", {})}
    properties["type"] = {"const": kind}
    return {**schema, "properties": properties, "required": ["type", *schema.get("required", ())]}
