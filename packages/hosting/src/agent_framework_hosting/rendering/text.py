"""Text and JSON as they can be sent: clean, and on one line.

Rules of this file:
1. No line break of any kind inside a line: some clients split at U+0085, U+2028 and U+2029 too, so these are escaped.
2. Text is cleaned of lone surrogates before it is kept, so that what is sent, folded and stored is one and the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

import msgspec

# A value that JSON does not know is shown as its text rather than failing a whole answer.
ascii_json: Final = msgspec.json.Encoder(enc_hook=str).encode
"""Encode a value that is known to be ASCII; `to_json` is for all others."""

_LINE_BREAKS: Final = ((b"\xc2\x85", b"\\u0085"), (b"\xe2\x80\xa8", b"\\u2028"), (b"\xe2\x80\xa9", b"\\u2029"))


def to_json(value: Any) -> bytes:
    """Encode a clean value as JSON on one line."""
    data = ascii_json(value)
    return data if data.isascii() else _on_one_line(data)


def clean_with_json(text: str) -> tuple[str, bytes]:
    """Return a text clean, and as JSON on one line."""
    try:
        data = ascii_json(text)
    except UnicodeEncodeError:
        text = clean(text)
        data = ascii_json(text)
    # Looking for one character in a text is ten times cheaper than for its bytes in the JSON.
    if "\x85" in text or "\u2028" in text or "\u2029" in text:
        data = _on_one_line(data)
    return text, data


def _on_one_line(data: bytes) -> bytes:
    for raw, escaped in _LINE_BREAKS:
        data = data.replace(raw, escaped)
    return data


def clean(text: str) -> str:
    """Return the text with surrogate pairs joined and lone surrogates replaced; UTF-8 cannot carry them."""
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def clean_json(value: Any) -> Any:
    """Return a JSON value whose texts are all clean; the value itself when they are already."""
    try:
        ascii_json(value)
    except UnicodeEncodeError:
        return _cleaned(value)
    return value


def _cleaned(value: Any) -> Any:
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, Mapping):
        return {clean(str(key)): _cleaned(item) for key, item in cast("Mapping[Any, Any]", value).items()}
    if isinstance(value, (bytes, bytearray)):
        return value
    if isinstance(value, Sequence):
        return [_cleaned(item) for item in cast("Sequence[Any]", value)]
    return value
