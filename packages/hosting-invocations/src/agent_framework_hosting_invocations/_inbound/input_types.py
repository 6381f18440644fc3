"""What a workflow takes: the types of its start, and JSON read as one of them.

Rule 1: a type counts when JSON can carry it. What executors send each other, and no JSON can, is passed over.
Rule 2: of several types the first one counts that fits, text before anything that text can be read as, and types with
        fields before those that take everything.
"""

from __future__ import annotations

import types
from collections.abc import Iterator, Sequence
from dataclasses import fields, is_dataclass
from inspect import signature
from typing import Any, Final, Union, cast, get_args, get_origin, get_type_hints, is_typeddict

from agent_framework import Message, RunContext, Workflow

from agent_framework_hosting.errors import InvalidRequest
from agent_framework_hosting.parsing.checks import is_list, is_object
from agent_framework_hosting.parsing.refusals import unknown_parameter

from .._schemas import schemas_of, validates_itself
from .conversion import convert
from .messages import read_message

_TAKES_ALL: Final = (Any, object)
_NAMES: Final = {str: "a string", bool: "a boolean", int: "an integer", float: "a number", type(None): "null"}


def declared_types(target: Any) -> list[Any] | None:
    """Return the types that a workflow declares its input as, `None` for an agent."""
    if isinstance(target, Workflow):
        return list(target.get_start_executor().input_types)
    function = getattr(target, "__wrapped__", None)
    return None if function is None else [_parameter(function)]


class InputTypes:
    """The types of a workflow's input.

    Args:
        declared: As `declared_types` found them.
    """

    def __init__(self, declared: Sequence[Any]) -> None:
        each = dict.fromkeys(kind for one in declared for kind in _members(one))
        self.offered = sorted((kind for kind in each if _is_offered(kind)), key=_rank)

    def read(self, value: Any, *, at: str = "input") -> Any:
        """Return the value as one of the types.

        Raises:
            InvalidRequest: It fits none of them; names the place.
        """
        refusals: list[tuple[int, InvalidRequest]] = []
        for kind in self.offered:
            try:
                return _read(kind, value, at)
            except InvalidRequest as refusal:
                refusals.append((_kinship(kind, value), refusal))
        closest, refusal = max(refusals, key=lambda each: each[0], default=(0, None))
        if refusal is not None and closest:
            raise refusal
        raise self._unfitting(at)

    def schema(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return the schema of the input, and the named schemas that it refers to."""
        schemas, named = schemas_of([_shown(kind) for kind in self.offered])
        more = [{"type": "string"}] if self._reads_text else []
        each = [*more, *schemas]
        return (each[0] if len(each) == 1 else {"anyOf": each}), named

    @property
    def _reads_text(self) -> bool:
        """Whether text is read as a message."""
        takes_messages = any(kind is Message or _items(kind) for kind in self.offered)
        return takes_messages and str not in self.offered

    def _unfitting(self, at: str) -> InvalidRequest:
        if not self.offered:
            return InvalidRequest(
                "This workflow takes nothing that JSON can carry. A run hook of the server's has to shape its input.",
                param=at,
            )
        wanted = " or ".join(dict.fromkeys(type_name(kind) for kind in self.offered))
        return InvalidRequest(f"Invalid type for '{at}': this workflow takes {wanted}.", param=at, code="invalid_type")


def type_name(kind: Any) -> str:
    """Return how a type is called in a message to a caller."""
    if kind in _TAKES_ALL:
        return "any value"
    if kind is Message:
        return "a message"
    if _items(kind):
        return "an array of messages"
    if kind in _NAMES:
        return _NAMES[kind]
    return kind.__name__ if isinstance(kind, type) and get_origin(kind) is None else str(kind)


def _parameter(function: Any) -> Any:
    try:
        hints = get_type_hints(function)
    except (NameError, TypeError):  # annotations that only a type checker can resolve
        hints = {}
    given = [hints.get(name, Any) for name in signature(function).parameters if name != "ctx"]
    return next((kind for kind in given if kind is not RunContext), Any)


def _members(kind: Any) -> Iterator[Any]:
    if get_origin(kind) in (Union, types.UnionType):
        yield from get_args(kind)
    else:
        yield kind


def _is_offered(kind: Any) -> bool:
    try:
        schemas_of([_shown(kind)])
    except TypeError:
        return False
    return True


def _items(kind: Any) -> tuple[Any, ...]:
    """Return what a list of messages may hold, nothing for other types."""
    if get_origin(kind) not in (list, Sequence):
        return ()
    (item,) = get_args(kind)
    held = tuple(_members(item))
    return held if Message in held and set(held) <= {Message, str} else ()


def _shown(kind: Any) -> Any:
    # msgspec knows no union of text and a class that is read elsewhere.
    return list[Message] if _items(kind) else kind


def _rank(kind: Any) -> int:
    if kind is str:
        return 0
    if _keys(kind) is not None:
        return 2
    if kind is Message:
        return 3
    if _items(kind):
        return 4
    if kind in _TAKES_ALL:
        return 6
    return 5 if (get_origin(kind) or kind) is dict else 1


def _read(kind: Any, value: Any, at: str) -> Any:
    if kind in _TAKES_ALL:
        return value
    if kind is Message and isinstance(value, str):
        return Message("user", [value])
    held = _items(kind)
    if held:
        return _read_items(held, value, at)
    keys = _keys(kind)
    if keys is not None and is_object(value):
        for key in value:
            if key not in keys:
                raise unknown_parameter(f"{at}.{key}")
    return convert(value, kind, at=at)


def _read_items(held: tuple[Any, ...], value: Any, at: str) -> list[Any]:
    if isinstance(value, str):
        return [Message("user", [value])]
    if not is_list(value):
        raise InvalidRequest(f"Invalid type for '{at}': expected an array of messages.", param=at, code="invalid_type")
    return [
        item if isinstance(item, str) and str in held else read_message(item, f"{at}[{index}]")
        for index, item in enumerate(value)
    ]


def _keys(kind: Any) -> frozenset[str] | None:
    """Return the names of a type's fields; `None` for one without any, or one that says itself what it takes."""
    if validates_itself(kind) or not isinstance(kind, type):
        return None
    if is_dataclass(kind):
        return frozenset(field.name for field in fields(kind))
    named = cast("Any", kind)
    return frozenset(get_type_hints(named)) if is_typeddict(named) else None


def _kinship(kind: Any, value: Any) -> int:
    """Return how much a value looks as if it was meant as this type."""
    if is_object(value):
        keys = _keys(kind)
        if keys is not None:
            return 1 + len(keys & value.keys())
        return 1 if validates_itself(kind) or (kind is Message and "content" in value) else 0
    if is_list(value):
        return 1 if _items(kind) or get_origin(kind) in (list, tuple, set, frozenset) else 0
    return 0
