"""From bytes to a JSON object, or a refusal that says what is wrong with them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from itertools import islice
from typing import Any, Final, cast

import msgspec

from ..errors import InvalidRequest, RequestTooLarge
from .checks import is_list, is_object

_decode: Final = msgspec.json.Decoder().decode
_MOST_VALUES = 100_000
"""JSON values in one body: far more than a request of many items has, and read in a moment.

Millions of empty arrays are few bytes, but everybody else would wait for seconds while they are decoded.
"""
_PIECE = re.compile(rb'[^"{\[,]*+(?:([{\[,])|"[^"\\]*+(?:\\.[^"\\]*+)*+"?|\Z)', re.DOTALL)
"""The next mark of a value, or the next text, also one that does not end: so no byte is looked at twice."""
_PIECES_A_MARK = 3
"""In JSON no mark comes with more than a name and a text."""


def decode(body: bytes | Mapping[str, Any], *, max_depth: int) -> dict[str, Any]:
    """Return the body as a JSON object of `dict`, `list` and scalars.

    A mapping is taken as the JSON that it would be, so that what follows need not fear tuples, cycles or NaN.

    Raises:
        InvalidRequest: The body is no JSON object, or is nested deeper than `max_depth`.
        RequestTooLarge: It holds more values than are read.
    """
    data = body if isinstance(body, bytes) else _encode(body, max_depth)
    # More marks than values when texts hold them, too.
    containers = data.count(b"{") + data.count(b"[")
    if containers + data.count(b",") > _MOST_VALUES and _has_more_marks(data, _MOST_VALUES):
        raise RequestTooLarge(
            f"The request body holds more JSON values than the {_MOST_VALUES} that this server reads."
        )
    try:
        value: object = _decode(data)
    except RecursionError:
        raise _too_deep(max_depth) from None
    except ValueError:  # malformed JSON, a number out of range, or not UTF-8
        from .complaints import complaint

        raise InvalidRequest(complaint(data)) from None
    if not is_object(value):
        raise InvalidRequest("The request body must be a JSON object.", code="invalid_type")
    if containers > max_depth and _is_deeper(value, max_depth):
        raise _too_deep(max_depth)
    return value


def _has_more_marks(data: bytes, most: int) -> bool:
    """Say whether there are more marks of values than that outside of texts; what follows so many is not looked at."""
    pieces = islice(_PIECE.finditer(data), _PIECES_A_MARK * (most + 1))
    return sum(piece.lastindex is not None for piece in pieces) > most


def _encode(body: Mapping[str, Any], max_depth: int) -> bytes:
    try:
        return json.dumps(dict(body), allow_nan=False).encode()
    except RecursionError:
        raise _too_deep(max_depth) from None
    except (TypeError, ValueError):
        raise InvalidRequest("The request holds a value that JSON cannot carry.") from None


def _too_deep(max_depth: int) -> InvalidRequest:
    return InvalidRequest(f"The request body is nested too deeply: this server reads {max_depth} levels.")


def _is_deeper(value: object, levels: int) -> bool:
    """Say whether containers are nested deeper than `levels`, one level at a time instead of by recursion."""
    level = [value]
    for _ in range(levels):
        level = [child for node in level for child in _children(node) if is_object(child) or is_list(child)]
        if not level:
            return False
    return True


def _children(node: object) -> list[object]:
    if is_object(node):
        return list(node.values())
    return cast("list[object]", node)
