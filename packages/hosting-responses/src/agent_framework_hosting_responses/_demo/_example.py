"""Values that fit a JSON schema, made up: arguments that are required though nobody said which, structured answers.

Strings are what was said, numbers the last number in it. A schema may refer to itself, or branch without end: depth
and number of values are bounded.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from math import inf
from typing import Any, Final, TypeAlias, cast

MAX_DEPTH: Final = 8
_MAX_VALUES: Final = 500
_MAX_ITEMS: Final = 16
_MAX_TEXT: Final = 200
_NUMBER: Final = re.compile(r"(?<![\w.])-?\d{1,15}(?:\.\d{1,9})?")
_FORMATS: Final = {
    "date": "2000-01-01",
    "date-time": "2000-01-01T00:00:00Z",
    "duration": "P1D",
    "email": "demo@example.com",
    "hostname": "example.com",
    "ipv4": "127.0.0.1",
    "ipv6": "::1",
    "time": "00:00:00Z",
    "uri": "https://example.com/",
    "uuid": "00000000-0000-4000-8000-000000000000",
}

_Schema: TypeAlias = Mapping[str, Any]


def example_arguments(schema: _Schema, *, text: str) -> dict[str, Any]:
    """Return an object with every required property of the schema; long texts are cut."""
    return example_object(schema, text=text[:_MAX_TEXT])


def example_object(schema: _Schema, *, text: str) -> dict[str, Any]:
    """Return an object with every required property of the schema.

    Example:
        >>> schema = {"type": "object", "properties": {"days": {"type": "integer"}}, "required": ["days"]}
        >>> example_object(schema, text="Paris for 3 days")
        {'days': 3}
    """
    numbers = _NUMBER.findall(text)
    maker = _Maker(schema, text=text, number=float(numbers[-1]) if numbers else 0.0)
    value = maker.value(schema)
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


@dataclass(slots=True)
class _Maker:
    root: _Schema
    text: str
    number: float
    left: int = _MAX_VALUES

    def value(self, schema: object, *, depth: int = 0, within: frozenset[str] = frozenset()) -> object:
        """Return a value; `within` are the references that are being followed."""
        self.left -= 1
        if depth > MAX_DEPTH or self.left < 0:
            return {}
        schema, within = self._resolved(schema, within)
        for given in ("const", "default"):
            if given in schema:
                return schema[given]
        enum = schema.get("enum")
        if isinstance(enum, list) and enum:
            return cast("list[object]", enum)[0]
        for choice in ("anyOf", "oneOf"):
            options = schema.get(choice)
            if isinstance(options, list) and options:
                return self.value(_finite(cast("list[object]", options), within), depth=depth + 1, within=within)
        return self._of_type(schema, depth, within)

    def _resolved(self, schema: object, within: frozenset[str]) -> tuple[_Schema, frozenset[str]]:
        """Return the schema with its reference and the parts that all apply taken in."""
        merged = dict(_mapping(schema))
        for _ in range(MAX_DEPTH):
            reference = merged.pop("$ref", None)
            if isinstance(reference, str):
                within |= {reference}
                merged = {**self._referred(reference), **merged}
            parts = merged.pop("allOf", None)
            if isinstance(parts, list):
                for part in cast("list[object]", parts):
                    merged = {**_mapping(part), **merged}
            if "$ref" not in merged and "allOf" not in merged:
                break
        return merged, within

    def _referred(self, reference: str) -> _Schema:
        found: object = self.root
        for step in reference.removeprefix("#").split("/")[1:]:
            found = _mapping(found).get(step)
        return _mapping(found)

    def _of_type(self, schema: _Schema, depth: int, within: frozenset[str]) -> object:
        match _first_type(schema):
            case "array":
                return self._array(schema, depth, within)
            case "string" | "integer" | "number" | "boolean" | "null" as kind:
                return self._plain(schema, kind)
            case _:
                return self._object(schema, depth, within)

    def _plain(self, schema: _Schema, kind: object) -> object:
        match kind:
            case "string":
                return _string(schema, self.text)
            case "integer":
                return int(_bounded(schema, float(int(self.number)), step=1))
            case "number":
                number = _bounded(schema, self.number, step=0.5)
                return int(number) if number.is_integer() else number
            case _:
                return True if kind == "boolean" else None

    def _array(self, schema: _Schema, depth: int, within: frozenset[str]) -> list[object]:
        first = schema.get("prefixItems")
        kinds = list(cast("list[object]", first)) if isinstance(first, list) else []
        least = int(_limit(schema, "minItems", 0))
        if "items" in schema and _mapping(schema["items"]).get("$ref") not in within:
            kinds += [schema["items"]] * (min(max(least, 1), _MAX_ITEMS) - len(kinds))
        most = int(_limit(schema, "maxItems", _MAX_ITEMS))
        return [self.value(kind, depth=depth + 1, within=within) for kind in kinds[: max(most, 0)]]

    def _object(self, schema: _Schema, depth: int, within: frozenset[str]) -> dict[str, object]:
        known, required = _mapping(schema.get("properties")), schema.get("required")
        if not isinstance(required, list):
            return {}
        return {
            name: self.value(known[name], depth=depth + 1, within=within)
            for name in cast("list[object]", required)
            if isinstance(name, str) and name in known
        }


def _mapping(value: object) -> _Schema:
    return cast("_Schema", value) if isinstance(value, Mapping) else {}


def _finite(options: list[object], within: frozenset[str]) -> object:
    """Return the first option that does not lead back to where it came from."""
    return next((option for option in options if _reference(option) not in within), options[0])


def _reference(schema: object) -> str | None:
    reference = _mapping(schema).get("$ref")
    return reference if isinstance(reference, str) else None


def _first_type(schema: _Schema) -> object:
    kind: object = schema.get("type")
    if isinstance(kind, list):
        return next((entry for entry in cast("list[object]", kind) if entry != "null"), None)
    return kind


def _limit(schema: _Schema, key: str, otherwise: float) -> float:
    value = schema.get(key)
    return value if isinstance(value, int | float) and abs(value) < 2**53 else otherwise


def _bounded(schema: _Schema, number: float, *, step: float) -> float:
    least = max(_limit(schema, "minimum", -inf), _limit(schema, "exclusiveMinimum", -inf) + step)
    most = min(_limit(schema, "maximum", inf), _limit(schema, "exclusiveMaximum", inf) - step)
    return float(min(max(number, least), most))


def _string(schema: _Schema, text: str) -> str:
    kind = schema.get("format")
    if isinstance(kind, str) and kind in _FORMATS:
        return _FORMATS[kind]
    shortest = int(_limit(schema, "minLength", 0))
    longest = int(_limit(schema, "maxLength", len(text) + _MAX_TEXT))
    return text.ljust(min(shortest, _MAX_TEXT), ".")[: max(longest, 0)]
