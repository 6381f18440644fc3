"""Checks of single values, put together into tables by the modules that know the fields.

A check takes a value that is not null and the name of its place, and returns the value (normalised), or raises. What
it takes is noted as a JSON schema, see `schemas`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, NoReturn, TypeAlias, TypeGuard

from .refusals import missing, shown, unknown_parameter, unsupported_parameter, wrong_type, wrong_value
from .schemas import object_of, schema_of, takes

Check: TypeAlias = Callable[[Any, str], Any]

_MAX_PAIRS = 16
_MAX_KEY = 64
_MAX_VALUE = 512
_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")


def is_object(value: object) -> TypeGuard[dict[str, Any]]:
    """Say whether a decoded JSON value is an object."""
    return isinstance(value, dict)


def is_list(value: object) -> TypeGuard[list[Any]]:
    """Say whether a decoded JSON value is an array."""
    return isinstance(value, list)


@takes({})
def anything(value: Any, _param: str) -> Any:
    """Take any value; somebody else looks at it."""
    return value


@takes({"type": "string"})
def text(value: Any, param: str) -> str:
    """Take a string."""
    if not isinstance(value, str):
        raise wrong_type(value, param, "a string")
    return value


@takes({"type": "string", "minLength": 1})
def filled(value: Any, param: str) -> str:
    """Take a string that is not empty."""
    if not isinstance(value, str):
        raise wrong_type(value, param, "a string")
    if not value:
        raise wrong_value(param, "not be empty")
    return value


def required(item: dict[str, Any], key: str, at: str) -> str:
    """Return a text that has to be there."""
    value = item.get(key)
    if value is None:
        raise missing(f"{at}.{key}")
    return text(value, f"{at}.{key}")


def required_id(item: dict[str, Any], key: str, at: str) -> str:
    """Return a text that has to be there, and not be empty."""
    return filled(required(item, key, at), f"{at}.{key}")


@takes({"type": "string", "pattern": f"^{_NAME.pattern}$"})
def name(value: Any, param: str) -> str:
    """Take a name of a function or a schema."""
    if not _NAME.fullmatch(text(value, param)):
        raise wrong_value(param, "have 1 to 64 characters, which are letters (a-z, A-Z), digits, '_' or '-'")
    return value


@takes({"type": "boolean"})
def flag(value: Any, param: str) -> bool:
    """Take a boolean."""
    if not isinstance(value, bool):
        raise wrong_type(value, param, "a boolean")
    return value


@takes({"type": "object"})
def json_object(value: Any, param: str) -> dict[str, Any]:
    """Take any object."""
    if not is_object(value):
        raise wrong_type(value, param, "an object")
    return value


@takes({"type": "array"})
def array(value: Any, param: str) -> list[Any]:
    """Take any array."""
    if not is_list(value):
        raise wrong_type(value, param, "an array")
    return value


def integer(low: int, high: int) -> Check:
    """Take an integer of this range."""

    @takes({"type": "integer", "minimum": low, "maximum": high})
    def check(value: Any, param: str) -> int:
        if isinstance(value, float) and value.is_integer():
            # JSON has one kind of number, and some languages write every whole one as 5.0.
            value = int(value)
        if not isinstance(value, int) or isinstance(value, bool):
            raise wrong_type(value, param, "an integer")
        if not low <= value <= high:
            raise wrong_value(param, f"be from {low} to {high}")
        return value

    return check


def number(low: int, high: int) -> Check:
    """Take an integer or a float of this range."""

    @takes({"type": "number", "minimum": low, "maximum": high})
    def check(value: Any, param: str) -> float:
        if not isinstance(value, (int, float)) or isinstance(value, bool):
            raise wrong_type(value, param, "a number")
        if not low <= value <= high:
            raise wrong_value(param, f"be from {low} to {high}")
        return value

    return check


def one_of(*allowed: str) -> Check:
    """Take one of these strings."""
    expected = f"be one of {', '.join(repr(item) for item in allowed)}"

    @takes({"type": "string", "enum": [*allowed]})
    def check(value: Any, param: str) -> str:
        if text(value, param) not in allowed:
            raise wrong_value(param, expected)
        return value

    return check


def members(known: Mapping[str, Check], *, required: tuple[str, ...] = ()) -> Check:
    """Take an object of known members, without those that are null."""

    @takes(lambda: object_of({key: schema_of(look) for key, look in known.items()}, required=required))
    def check(value: Any, param: str) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, member in json_object(value, param).items():
            look = known.get(key)
            if look is None:
                raise unknown_parameter(f"{param}.{key}")
            if member is not None:
                found[key] = look(member, f"{param}.{key}")
        for key in required:
            if key not in found:
                raise missing(f"{param}.{key}")
        return found

    return check


def some_members(known: Mapping[str, Check], *, required: tuple[str, ...] = ()) -> Check:
    """Take an object, and of it these members, without those that are null; others are passed over."""

    @takes(lambda: object_of({key: schema_of(look) for key, look in known.items()}, required=required, is_open=True))
    def check(value: Any, param: str) -> dict[str, Any]:
        members = json_object(value, param)
        found: dict[str, Any] = {}
        for key, look in known.items():
            member = members.get(key)
            if member is not None:
                found[key] = look(member, f"{param}.{key}")
            elif key in required:
                raise missing(f"{param}.{key}")
        return found

    return check


def array_of(look: Check) -> Check:
    """Take an array of such values."""

    @takes(lambda: {"type": "array", "items": schema_of(look)})
    def check(value: Any, param: str) -> list[Any]:
        return [look(item, f"{param}[{index}]") for index, item in enumerate(array(value, param))]

    return check


@takes(
    {
        "type": "object",
        "maxProperties": _MAX_PAIRS,
        "propertyNames": {"maxLength": _MAX_KEY},
        "additionalProperties": {"type": "string", "maxLength": _MAX_VALUE},
    }
)
def metadata(value: Any, param: str) -> dict[str, str]:
    """Take pairs of texts, as many and as long as OpenAI takes."""
    pairs = json_object(value, param)
    if len(pairs) > _MAX_PAIRS:
        raise wrong_value(param, f"have at most {_MAX_PAIRS} pairs")
    for key, item in pairs.items():
        if len(key) > _MAX_KEY:
            raise wrong_value(f"{param}.{shown(key)}", f"have a key of at most {_MAX_KEY} characters")
        if len(text(item, f"{param}.{key}")) > _MAX_VALUE:
            raise wrong_value(f"{param}.{key}", f"have at most {_MAX_VALUE} characters")
    return pairs


def refused(reason: str) -> Check:
    """Take nothing: the field is not offered, for this reason."""

    @takes({"type": "null", "description": reason})
    def check(_value: Any, param: str) -> NoReturn:
        raise unsupported_parameter(param, reason)

    return check
