"""Compacted conversations: items in one opaque text, which a client hands back in their place.

Nothing is summed up and nothing is lost: the items are those that the client has seen, packed. So the text is no secret
from the one who has it, and whatever it holds is read as strictly as any other input.
"""

from __future__ import annotations

import base64
import binascii
import zlib
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from agent_framework_hosting.errors import InvalidRequest, RequestTooLarge
from agent_framework_hosting.parsing.body import decode
from agent_framework_hosting.parsing.checks import is_list, is_object

from .history import COMPACTION

_MARK: Final = "afc1."


def pack(items: Sequence[Any]) -> str:
    """Return the items as the `encrypted_content` of a compaction item.

    Example:
        >>> unpack(pack([{"role": "user", "content": "Hello"}]), max_bytes=100, max_depth=9)
        [{'role': 'user', 'content': 'Hello'}]
    """
    data = zlib.compress(msgspec.json.encode({"items": items}), 6)
    return _MARK + base64.urlsafe_b64encode(data).decode()


def unpack(packed: str, *, max_bytes: int, max_depth: int) -> list[Any] | None:
    """Return the items that were packed; nothing for a text that this server has not made.

    Raises:
        RequestTooLarge: There is more in it than `max_bytes`.
    """
    if not packed.startswith(_MARK):
        return None
    unpacking = zlib.decompressobj()
    try:
        data = unpacking.decompress(base64.urlsafe_b64decode(packed.removeprefix(_MARK)), max_bytes)
    except (ValueError, binascii.Error, zlib.error):
        return None
    if unpacking.unconsumed_tail:
        raise RequestTooLarge(f"A compacted conversation holds more than the {max_bytes} bytes that are left for it.")
    try:
        items = decode(data, max_depth=max_depth).get("items") if unpacking.eof else None
    except InvalidRequest:
        return None
    # A compaction is of items, never of another one.
    is_good = is_list(items) and all(is_object(item) and item.get("type") != COMPACTION for item in items)
    return items if is_good else None
