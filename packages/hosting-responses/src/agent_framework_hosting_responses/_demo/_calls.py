"""The words by which a user asks the offline model for function calls.

    call NAME {"json": "arguments"} [and NAME {...}]...

The arguments may be left out for a declared function. Joined calls are made side by side.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from dataclasses import dataclass
from json import JSONDecoder
from typing import Any, Final, NoReturn

MAX_CALLS: Final = 16
_SEARCHED: Final = 2000
"""How much of a text is searched for the word `call`."""

_NAME: Final = r"`?(?P<name>[A-Za-z_][\w.-]{0,63})`?\s*"
_FIRST: Final = re.compile(rf"\bcall\s{{1,9}}(?:the\s(?:tool|function)\s)?{_NAME}", re.IGNORECASE)
_NEXT: Final = re.compile(rf"\s*(?:,\s*(?:and\s)?|and\s)\s*(?:call\s)?{_NAME}", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A function to call, with its arguments as JSON text."""

    name: str
    arguments: str = "{}"


class CallSyntaxError(ValueError):
    """The user asked for a call in words that cannot be read; the message says what is wrong."""


def read_calls(text: str, *, known: Collection[str]) -> tuple[ToolCall, ...]:
    """Return the calls that a text asks for; none when it asks for none.

    Args:
        text: What the user said.
        known: The names of the declared functions; only these can be called without arguments.

    Raises:
        CallSyntaxError: The arguments are no JSON object, or there are too many calls.
    """
    calls: list[ToolCall] = []
    match = _FIRST.search(text, 0, _SEARCHED)
    while match is not None:
        name, start = match["name"], match.end()
        if not text.startswith("{", start):
            if name not in known:
                break
            arguments, end = "{}", start
        else:
            arguments, end = _read_arguments(text, start, name=name)
        if len(calls) == MAX_CALLS:
            raise CallSyntaxError(f"At most {MAX_CALLS} calls can be asked for at once.")
        calls.append(ToolCall(name, arguments))
        match = _NEXT.match(text, end)
    return tuple(calls)


def _read_arguments(text: str, start: int, *, name: str) -> tuple[str, int]:
    """Return the JSON object that begins at `start`, as it was written, and where it ends."""
    try:
        end = _DECODER.raw_decode(text, start)[1]
    except json.JSONDecodeError as error:
        raise CallSyntaxError(f"The arguments of {name} are no JSON object: {error.msg}.") from error
    except (ValueError, RecursionError) as error:
        raise CallSyntaxError(f"The arguments of {name} are no JSON that can be read.") from error
    return text[start:end], end


def _refuse_constant(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON")


_DECODER: Final[JSONDecoder] = JSONDecoder(parse_constant=_refuse_constant)


def dump(arguments: dict[str, Any]) -> str:
    """Return arguments as JSON text."""
    return json.dumps(arguments, ensure_ascii=False)
