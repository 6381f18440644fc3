"""The header `Idempotency-Key`: what a caller names a request by, so that it is run once however often it is sent.

The header is that of the IETF's draft-ietf-httpapi-idempotency-key-header; a value in quotes and a bare one are the
same. OpenAI's own clients set it only when told to.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, Final

from starlette.types import Scope

from ..errors import InvalidRequest
from ..types import IdempotencyKey

REPLAYED: Final = (b"idempotent-replayed", b"true")
"""The header of an answer that was given before."""

_NAME: Final = "Idempotency-Key"
_HEADER: Final = _NAME.lower().encode()
_LONGEST: Final = 255

_QUOTED: Final = f'"[ -~]{{1,{_LONGEST}}}"'
_BARE: Final = f"[!-~]([ -~]{{0,{_LONGEST - 2}}}[!-~])?"

HEADER: Final[Mapping[str, Any]] = {
    "name": _NAME,
    "in": "header",
    "description": "Runs the request once, however often it is sent.",
    # Blanks around a header's value are no part of it.
    "schema": {"type": "string", "pattern": f'^[ \\t]*(?!""[ \\t]*$)({_QUOTED}|{_BARE})[ \\t]*$'},
}
"""The header in an OpenAPI document."""


def idempotency_key(scope: Scope, body: bytes, *, chat: str | None = None) -> IdempotencyKey | None:
    """Return the key of a request with this body in this chat of a platform, `None` when it has none.

    The same words in another chat are another request: the answer to the first tells of what was said there.

    Raises:
        InvalidRequest: The header is there twice, is empty or too long, or holds more than printable ones.
    """
    values: list[bytes] = []
    for name, value in scope["headers"]:
        if name == _HEADER:
            values.append(value)
    if not values:
        return None
    if len(values) > 1:
        raise _refused("was sent more than once")
    try:
        key = values[0].decode("ascii").strip(" \t")
    except UnicodeDecodeError:
        raise _refused("holds something else than ASCII characters") from None
    if len(key) > 1 and key[0] == key[-1] == '"':
        key = key[1:-1]
    if not key or len(key) > _LONGEST or not key.isprintable():
        raise _refused(f"must have 1 to {_LONGEST} printable characters")
    fingerprint = hashlib.sha256(body).digest()
    if chat is not None:
        fingerprint = hashlib.sha256(fingerprint + chat.encode("utf-8", "surrogatepass")).digest()
    return IdempotencyKey(key, fingerprint)


def _refused(why: str) -> InvalidRequest:
    return InvalidRequest(f"The header {_NAME} {why}. Send one key for one request, such as a UUID.", param=_NAME)
