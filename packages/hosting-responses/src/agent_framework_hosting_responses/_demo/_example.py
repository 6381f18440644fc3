"""Arguments for a call that is required though nobody said with what: made up from a function's JSON schema.

Strings are what the user said, numbers the first number in it. The result is no larger than the schema.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, cast

MAX_DEPTH: Final = 8
_MAX_TEXT: Final = 200
_NUMBER: Final = re.compile(r"-?\d{1,15}")


def example_arguments(schema: Mapping[str, Any], *, text: str) -> dict[str, Any]:
    """Return an object with every required property of the schema."""
    value = _example(schema, text=text[:_MAX_TEXT], depth=0)
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _example(schema: object, *, text: str, depth: int) -> object:
    if not isinstance(schema, Mapping) or depth > MAX_DEPTH:
        return {}
    schema = cast("Mapping[str, Any]", schema)
    for given in ("const", "default"):
        if given in schema:
            return schema[given]
    for choice in ("enum", "anyOf", "oneOf"):
        options = schema.get(choice)
        if isinstance(options, list) and options:
            first = cast("list[object]", options)[0]
            return first if choice == "enum" else _example(first, text=text, depth=depth + 1)
    return _example_of_type(schema, text=text, depth=depth)


def _example_of_type(schema: Mapping[str, Any], *, text: str, depth: int) -> object:
    match _first_type(schema):
        case "string":
            return text
        case "integer" | "number":
            number = _NUMBER.search(text)
            return int(number[0]) if number else 0
        case "boolean":
            return True
        case "array":
            return []
        case "null":
            return None
        case _:
            return _example_object(schema, text=text, depth=depth)


def _first_type(schema: Mapping[str, Any]) -> object:
    kind: object = schema.get("type")
    if isinstance(kind, list):
        return next((entry for entry in cast("list[object]", kind) if entry != "null"), None)
    return kind


def _example_object(schema: Mapping[str, Any], *, text: str, depth: int) -> dict[str, object]:
    properties, required = schema.get("properties"), schema.get("required")
    if not isinstance(properties, Mapping) or not isinstance(required, list):
        return {}
    known = cast("Mapping[str, object]", properties)
    return {
        name: _example(known[name], text=text, depth=depth + 1)
        for name in cast("list[object]", required)
        if isinstance(name, str) and name in known
    }
