"""What is wrong with a body that is no JSON, said so that it can be mended."""

from __future__ import annotations

import json
import re

_ESCAPE = re.compile(
    r"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(?P<half>u[dD][89a-fA-F][0-9a-fA-F]{2})|.)",
    re.DOTALL,
)
"""An escape in a string of JSON, and two that are the halves of one character."""
_LOCATED_BYTES = 64 * 1024
"""Broken bodies up to this size are read a second time, to say where they break."""


def complaint(data: bytes) -> str:
    """Say what is wrong with a body that did not decode."""
    if not data.strip():
        return "The request body is empty; send a JSON object."
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        return f"The request body is not UTF-8: byte {error.start} cannot be read."
    try:
        json.loads(text if len(data) <= _LOCATED_BYTES else "0")
    except json.JSONDecodeError as error:
        return f"The request body is not valid JSON: it breaks at line {error.lineno}, column {error.colno}."
    except (ValueError, RecursionError):  # a number too long to read, or nesting; said below
        pass
    if len(data) <= _LOCATED_BYTES and (half := _half_in(text)) is not None:
        return (
            f"The request body is not valid JSON: at line {half[1]}, column {half[2]} it has {half[0]}, half of a "
            "surrogate pair, which is no character. Send both halves, or \\ufffd for one that is lost."
        )
    return (
        "The request body is not valid JSON. Look for a missing bracket, NaN or Infinity, a number that is out of"
        " range, or half of a surrogate pair in a string."
    )


def _half_in(text: str) -> tuple[str, int, int] | None:
    """Return the first escape that is half of a surrogate pair and stands alone, with its line and its column."""
    found = next((each for each in _ESCAPE.finditer(text) if each["half"]), None)
    if found is None:
        return None
    start = found.start()
    return found[0], text.count("\n", 0, start) + 1, start - text.rfind("\n", 0, start)
