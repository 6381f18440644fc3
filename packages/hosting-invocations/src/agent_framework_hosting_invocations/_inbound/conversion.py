"""From decoded JSON to a type, or a refusal that says which value does not fit.

Rule: what msgspec knows by itself it converts; messages, contents and classes that validate themselves are read here,
wherever they are inside of a type.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final, TypeVar, cast

import msgspec
from agent_framework import Content, Message

from agent_framework_hosting.errors import InvalidRequest
from agent_framework_hosting.parsing.refusals import missing, shown, unknown_parameter

from .._schemas import validates_itself
from .messages import read_content, read_message

T = TypeVar("T")

_COMPLAINT: Final = re.compile(r"(?P<what>.*?)(?: - at `\$(?P<path>.*)`)?", re.DOTALL)
_FIELD: Final = re.compile(r"Object (?P<how>missing required|contains unknown) field `(?P<name>.*)`", re.DOTALL)
_LONGEST: Final = 200


def convert(value: Any, kind: type[T] | Any, *, at: str = "") -> Any:
    """Return the value as one of this type.

    Args:
        value: Decoded JSON.
        kind: Any type that JSON can carry; see `_schemas.schemas_of`.
        at: Where the value is, for messages; empty for the whole body.

    Raises:
        InvalidRequest: It does not fit; names the place.
    """
    refused: list[tuple[Any, Any]] = []

    def read(wanted: type[Any], given: Any) -> Any:
        try:
            return _read(wanted, given, "")
        except InvalidRequest:
            # Where it lies is known once msgspec has told the way to it.
            refused.append((wanted, given))
            raise ValueError from None

    if _is_read_here(kind):
        return _read(kind, value, at)
    try:
        return msgspec.convert(value, kind, dec_hook=read)
    except msgspec.ValidationError as error:
        match = _COMPLAINT.fullmatch(str(error))
        what, path = (match["what"], match["path"] or "") if match is not None else (str(error), "")
        place = _joined(at, path)
        if refused:
            return _read(*refused[-1], place)
        raise _refusal(what, place) from None


def _is_read_here(kind: Any) -> bool:
    return kind is Message or kind is Content or validates_itself(kind)


def _read(wanted: Any, given: Any, at: str) -> Any:
    if wanted is Message:
        return read_message(given, at)
    if wanted is Content:
        return read_content(given, at)
    if validates_itself(wanted):
        return _validated(wanted, given, at)
    raise NotImplementedError


def _validated(kind: Any, value: Any, at: str) -> Any:
    try:
        return kind.model_validate(value)
    except ValueError as error:
        what, steps = _first_of(error)
        path = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps)
        raise _unfitting(what, _joined(at, path)) from None


def _first_of(error: ValueError) -> tuple[str, Sequence[int | str]]:
    """Return what is wrong first, and the way to it, where the error knows."""
    errors: Any = getattr(error, "errors", None)
    if not callable(errors):
        return "it does not fit", ()
    first = cast("list[dict[str, Any]]", errors())[0]
    return str(first["msg"]), first["loc"]


def _refusal(what: str, place: str) -> InvalidRequest:
    field = _FIELD.fullmatch(what)
    if field is None:
        return _unfitting(what, place)
    param = _joined(place, f".{field['name']}")
    return missing(param) if field["how"].startswith("missing") else unknown_parameter(param)


def _unfitting(what: str, param: str) -> InvalidRequest:
    name = f"'{shown(param)}'" if param else "the request body"
    code = "invalid_type" if what.startswith("Expected") else "invalid_value"
    return InvalidRequest(f"Invalid value for {name}: {what[:_LONGEST]}.", param=shown(param) or None, code=code)


def _joined(at: str, path: str) -> str:
    return f"{at}{path}" if at else path.removeprefix(".")
