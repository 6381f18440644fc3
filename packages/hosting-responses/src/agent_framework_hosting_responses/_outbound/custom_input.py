"""What a custom tool is given: one text, that to the agent is the only argument of a function."""

from __future__ import annotations

from typing import Any, Final, cast

import msgspec

_INPUT: Final = "input"


def custom_input(arguments: str) -> str:
    """Return the text in a function's arguments; arguments of another form are the text themselves.

    Example:
        >>> custom_input('{"input": "1 + 1"}')
        '1 + 1'
    """
    try:
        value: Any = msgspec.json.decode(arguments or "{}")
    except (msgspec.DecodeError, RecursionError):
        return arguments
    if not isinstance(value, dict):
        return arguments
    given = cast("dict[str, Any]", value)
    text = given.get(_INPUT, "" if not given else None)
    return text if isinstance(text, str) else arguments
