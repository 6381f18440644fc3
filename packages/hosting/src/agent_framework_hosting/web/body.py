"""Reading a request body, to a bound in bytes and in time."""

from __future__ import annotations

import asyncio

from starlette.types import Receive, Scope

from ..errors import RequestTimeout, RequestTooLarge
from ..limits import Limits


class ClientGone(Exception):
    """The client left before its request had arrived."""


async def read_body(scope: Scope, receive: Receive, *, limits: Limits) -> bytes:
    """Return the whole body.

    Raises:
        RequestTooLarge: It is longer than `limits.max_request_bytes`; an announced length is refused unread.
        RequestTimeout: It did not arrive within `limits.receive_timeout`.
        ClientGone: The client left.
    """
    most = limits.max_request_bytes
    _check(_announced(scope), most)
    chunks: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(limits.receive_timeout):
            more = True
            while more:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise ClientGone
                chunk: bytes = message.get("body", b"")
                size += len(chunk)
                _check(size, most)
                chunks.append(chunk)
                more = message.get("more_body", False)
    except TimeoutError:
        raise RequestTimeout(
            f"The request body did not arrive within {limits.receive_timeout:g} seconds. Send it faster."
        ) from None
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)


def _announced(scope: Scope) -> int:
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit():
            return int(value)
    return 0


def _check(size: int, most: int) -> None:
    if size > most:
        raise RequestTooLarge(f"The request body is larger than the {most} bytes that this server takes.")
