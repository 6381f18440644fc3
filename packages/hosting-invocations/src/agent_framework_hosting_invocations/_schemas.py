"""JSON schemas of the types that a request can carry, for the OpenAPI document and for what a workflow asks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec
from agent_framework import Content, Message

from .vocabulary import File, InputMessage, Text

_IN_DOCUMENT: Final = "#/components/schemas/"
_IN_ITSELF: Final = "#/$defs/"
_OWN: Final = "input."
"""Marks the names of the app's own types: they may be called as the protocol's are."""


def validates_itself(kind: Any) -> bool:
    """Whether a type brings its own validation and schema, as pydantic's models do."""
    return isinstance(kind, type) and hasattr(kind, "model_validate") and hasattr(kind, "model_json_schema")


def schemas_of(types: Sequence[Any], *, where: str = _IN_DOCUMENT) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Return the schema of each type, and the named schemas that these refer to, which have to lie at `where`.

    Raises:
        TypeError: A type cannot come out of JSON.
    """
    named: dict[str, Any] = {}

    def protocols(kind: Any) -> dict[str, Any]:
        (schema,), more = msgspec.json.schema_components([kind], ref_template=f"{where}{{name}}")
        named.update(more)
        return schema

    def hook(kind: type[Any]) -> dict[str, Any]:
        if kind is object:
            return {}
        if kind is Message:
            return protocols(InputMessage)
        if kind is Content:
            return protocols(Text | File)
        if validates_itself(kind):
            schema = kind.model_json_schema(ref_template=f"{where}{_OWN}{{model}}")
            # One that refers to itself is among its own definitions.
            own = {kind.__name__: schema, **schema.pop("$defs", {})}
            named.update({f"{_OWN}{name}": each for name, each in own.items()})
            return {"$ref": f"{where}{_OWN}{kind.__name__}"}
        raise NotImplementedError

    schemas: list[dict[str, Any]] = []
    for kind in types:
        if kind in (object, Message, Content) or validates_itself(kind):
            schemas.append(hook(kind))
            continue
        (schema,), more = msgspec.json.schema_components(
            [kind], schema_hook=hook, ref_template=f"{where}{_OWN}{{name}}"
        )
        named.update({f"{_OWN}{name}": each for name, each in more.items()})
        schemas.append(schema)
    return schemas, named


def schema_of(kind: Any) -> dict[str, Any] | None:
    """Return the schema of one type with all that it refers to inside, `None` when it cannot come out of JSON."""
    try:
        (schema,), named = schemas_of([kind], where=_IN_ITSELF)
    except TypeError:
        return None
    return {**schema, "$defs": named} if named else schema
