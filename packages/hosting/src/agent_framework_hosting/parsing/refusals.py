"""The ways in which a request is refused, worded once, with OpenAI's codes.

| code | meaning |
|---|---|
| `missing_required_parameter`, `invalid_type`, `invalid_value` | the value has to be mended |
| `unknown_parameter` | no such field |
| `unsupported_parameter` | a field or a tool that this server does not offer |
| `unsupported_content` | an input item, or a part of one, that this server does not read |

A value of the caller is never repeated in a message, a name only up to a bounded length.
"""

from __future__ import annotations

from collections.abc import Mapping

from ..errors import InvalidRequest

_SHOWN = 64
_NAMES: Mapping[type, str] = {
    bool: "a boolean",
    int: "an integer",
    float: "a number",
    str: "a string",
    list: "an array",
    dict: "an object",
}


def shown(name: str) -> str:
    """Return a name of the caller's, cut to what fits into a message."""
    return name if len(name) <= _SHOWN else f"{name[:_SHOWN]}..."


def missing(param: str, mend: str = "") -> InvalidRequest:
    """Say that a required value is absent."""
    return InvalidRequest(
        _ended(f"Missing required parameter: '{param}'.", mend), param=param, code="missing_required_parameter"
    )


def wrong_type(value: object, param: str, expected: str) -> InvalidRequest:
    """Say that a value has another type than it must have."""
    given = "null" if value is None else _NAMES.get(type(value), "something else")
    return InvalidRequest(
        f"Invalid type for '{param}': expected {expected}, but got {given}.", param=param, code="invalid_type"
    )


def wrong_value(param: str, expected: str) -> InvalidRequest:
    """Say that a value of the right type is not allowed; `expected` completes "it must ..."."""
    return InvalidRequest(f"Invalid value for '{param}': it must {expected}.", param=param, code="invalid_value")


def unknown_parameter(param: str, mend: str = "") -> InvalidRequest:
    """Say that there is no such field."""
    name = shown(param)
    return InvalidRequest(_ended(f"Unknown parameter: '{name}'.", mend), param=name, code="unknown_parameter")


def unsupported_parameter(param: str, reason: str) -> InvalidRequest:
    """Say that a field that OpenAI knows is not offered by this server."""
    return InvalidRequest(f"Unsupported parameter: '{param}'. {reason}", param=param, code="unsupported_parameter")


def unsupported_content(param: str, kind: str) -> InvalidRequest:
    """Say that an input item or part that OpenAI knows is not read by this server."""
    return InvalidRequest(
        f"Unsupported content at '{param}': '{kind}' is not supported by this server yet.",
        param=param,
        code="unsupported_content",
    )


def _ended(sentence: str, mend: str) -> str:
    return f"{sentence} {mend}" if mend else sentence
